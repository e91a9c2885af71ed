"""The arguments that the plain testbenches take from the simulator's call, and nothing else."""

NAMES = ("seed", "resets")
"""Whole numbers of 32 bits: +seed=N, +resets=N."""

# `$value$plusargs` with %d takes -1 for a number of 32 bits and reads letters as it likes, each
# simulator in its way. Names that nobody knows cannot be found in SystemVerilog: the scripts do.
FUNCTION = """\
  // An argument of the simulation: a whole number, or the run ends.
  string given;
  function automatic bit [31:0] number(input string name, input string text);
    bit [63:0] value;
    bit right;
    value = 0;
    right = text.len() > 0 && text.len() <= 10;
    for (int k = 0; k < text.len(); k = k + 1) begin
      if (text[k] < 8'd48 || text[k] > 8'd57) right = 0;
      value = 64'd10 * value + {56'd0, text[k]} - 64'd48;
    end
    if (!right || value > 64'hffffffff) begin
      $display("FAIL: +%0s=%0s: expected a whole number from 0 to 4294967295", name, text);
      $fatal(1);
    end
    number = value[31:0];
  endfunction
"""

READ = "".join(
    f"""\
    if ($value$plusargs("{name}=%s", given)) begin
      {name} = number("{name}", given);
      $display("{name} %0d", {name});
    end else if ($test$plusargs("{name}")) {name} = number("{name}", "");
"""
    for name in NAMES
)
"""In an initial block: each argument that the call gives, into the variable of its name."""
