"""Random numbers of the plain testbenches: the same in every simulator, from a seed."""

STEP = """\
  function automatic bit [31:0] step(input bit [31:0] x);
    bit [31:0] y;
    y = x ^ (x << 13);
    y = y ^ (y >> 17);
    step = y ^ (y << 5);
  endfunction
"""
"""The number after x, neither of them 0: Marsaglia's xorshift, a linear-feedback shift register,
many steps at once."""
