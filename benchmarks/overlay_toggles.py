"""Shift against multiplier: toggles of nets a useful multiply-accumulate, at gate level.

    python benchmarks/overlay_toggles.py [--side 4] [--sums 24] [--cases NAME ...]

A stand-in for energy, and no more: the netlists of `overlay_lanes.py` do the same sums in Icarus,
without delays, so without glitches, of which long adders and shifters have most; each change of
each net of the flattened netlist counts once, whatever its length, the clock's do not. Nothing is
seen inside of block RAMs and DSP blocks, so the multiplier in DSP blocks is left out.

A sum has 64 terms that are not zero: weights normal, sigma 32, as int8 for the multiplier, rounded
to a power of two for the others; for the halving lanes sorted by exponent, as the compiler does.
Pixels are half zeros, half |normal|, sigma 48, at most 127. Each sum's lowest bit in each lane is
compared with plain integers.
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from overlay_lanes import CASES, WORDS, netlist

from hw.overlay.rtl.array import LaneArray
from hw.overlay.rtl.micro_op import HAZARD, micro_op
from hw.verilog import ecp5_cells, yosys
from sim.overlay.plain_lanes import NOTHING

BITS, TERMS, SIGMA, PIXEL_SIGMA = 9, 64, 32, 48

CHOSEN = ("halving", "barrel", "int8 multiplier, LUTs")

BENCH = """\
`timescale 1ns/1ns
module bench;
  reg clk = 0;
  reg [{high}:0] ops [0:{last}];
  reg [{high}:0] op = 0;
  wire [{lanes_high}:0] falls;
  integer n = 0, file;
  grid dut (.clk(clk), .rst(1'b0), .i(op), .falls(falls));
  always #5 clk = !clk;
  initial begin
    $readmemh("ops.hex", ops);
    file = $fopen("falls.txt");
    $dumpfile("toggles.vcd");
    $dumpvars(1, dut);
    $dumpoff;
    for (n = 0; n <= {last}; n = n + 1) begin
      if (n == {begins}) $dumpon;
      @(negedge clk) op = ops[n];
      $fdisplay(file, "%h", falls);
    end
    $finish;
  end
endmodule
"""


def weights(sums: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of so many sums: int8 weights; of the nearest powers of two the sign and the exponent."""
    rng = np.random.default_rng(1)
    exact = np.clip(np.rint(rng.normal(0, SIGMA, (sums, TERMS))), -127, 127)
    exact[exact == 0] = 1
    power = np.clip(np.rint(np.log2(np.abs(exact))), 0, 6)
    return exact.astype(int), np.sign(exact).astype(int), power.astype(int)


def pixels(side: int) -> np.ndarray:
    """The memory: word 0 is zero; words × rows × columns."""
    rng = np.random.default_rng(2)
    found = np.minimum(np.abs(np.rint(rng.normal(0, PIXEL_SIGMA, (TERMS + 1, side, side)))), 127)
    found[rng.random(found.shape) < 0.5] = 0
    found[0] = 0
    return found.astype(int)


def loading(side: int, memory: np.ndarray) -> list[dict]:
    """Micro-operations that write the memory, a pixel after the other."""
    found = []
    for word in range(1, len(memory)):
        for row in range(side):
            for column in range(side):
                found.append(
                    NOTHING
                    | {"write": word, "image": int(memory[word, row, column])}
                    | {"rows_written": 1 << row, "columns_written": 1 << column}
                    | {"columns_taken": (1 << side) - 1}
                )
    return [*found, *[NOTHING] * HAZARD]


def summing(case: str, sums: int, memory: np.ndarray) -> tuple[list[dict], dict[int, np.ndarray]]:
    """Micro-operations of all sums; by the number of one, the sums that it shows."""
    exact, sign, power = weights(sums)
    x = memory[1 : TERMS + 1]
    ops: list[dict] = []
    shown = {}
    for one in range(sums):
        ops.append(NOTHING | {"clear": 1})
        order = (
            np.argsort(power[one], kind="stable") if case.startswith("halving") else range(TERMS)
        )
        level = 0
        total = np.zeros(x.shape[1:], int)
        for term in order:
            s, p, w = int(sign[one, term]), int(power[one, term]), int(exact[one, term])
            op = NOTHING | {"move": 1, "read": int(term) + 1, "add": 1}
            if case.startswith("halving"):
                while level < p - 1:
                    ops.append(NOTHING | {"move": 1, "add": 1, "halve": 1})
                    total, level = total >> 1, level + 1
                op |= {"halve": int(level < p), "carry": int(s < 0)}
                op |= {"flip": ((1 << BITS) - 1) * (s < 0)}
                total, level = (total >> int(level < p)) + s * x[term], p
            elif case == "barrel":
                op |= {"flip": p | (s < 0) << (BITS - 1), "carry": 0}
                # Without a carry a negative operand is one less: the compiler's constant.
                total = total + ((x[term] if s > 0 else ~x[term]) << p)
            else:
                op |= {"flip": w & 0xFF}
                total = total + w * x[term]
            ops.append(op)
        # The product of a lane with one has a register of its own.
        ops += [NOTHING] * 2
        shown[len(ops)] = total
        ops.append(NOTHING)
    return ops, shown


def encoded(side: int, ops: list[dict]) -> str:
    layout = micro_op(side, side, BITS, WORDS)
    inner = ("move", "shift", "direction", "flip", "carry", "rectify")
    lines = []
    for op in ops:
        fields = {name: value for name, value in op.items() if name not in inner}
        fields["operand"] = {name: op[name] for name in inner}
        lines.append(f"{layout.const(fields).as_value().value:x}")
    return "\n".join(lines) + "\n"


def toggles(case: str, side: int, sums: int) -> tuple[int, int]:
    """Changes of nets in all sums, and the cycles that these take."""
    memory = pixels(side)
    first = loading(side, memory)
    ops, shown = summing(case, sums, memory)
    made = netlist(case, side)
    layout = micro_op(side, side, BITS, WORDS)
    with tempfile.TemporaryDirectory(prefix="shiftnas-") as temporary:
        folder = Path(temporary)
        (folder / "netlist.json").write_text(made.dump(), encoding="utf-8")
        script = "read_json netlist.json\nsplitnets\nopt_clean -purge\nwrite_verilog -noattr grid.v"
        yosys.run(script, folder)
        for name, text in ecp5_cells.models().items():
            (folder / name).write_text(text, encoding="utf-8")
        tail = [NOTHING] * (LaneArray.ADD_LATENCY + 4)
        (folder / "ops.hex").write_text(encoded(side, [*first, *ops, *tail]), encoding="utf-8")
        text = BENCH.format(
            high=layout.size - 1,
            last=len(first) + len(ops) + len(tail) - 1,
            lanes_high=side**2 - 1,
            begins=len(first),
        )
        (folder / "bench.v").write_text(text, encoding="utf-8")
        files = ["bench.v", "grid.v", *ecp5_cells.models()]
        call = ["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", *files]
        subprocess.run(call, cwd=folder, check=True)
        subprocess.run(["vvp", "bench.vvp"], cwd=folder, check=True, capture_output=True)
        falls = (folder / "falls.txt").read_text(encoding="utf-8").split()
        for at, total in shown.items():
            # A line is written in the cycle in which its operation goes in.
            said = int(falls[len(first) + at + LaneArray.ADD_LATENCY], 16)
            expected = sum(int(bit) << n for n, bit in enumerate((total & 1).reshape(-1)))
            if said != expected:
                raise SystemExit(f"{case}: operation {at}: {said:x}, expected {expected:x}")
        return changes((folder / "toggles.vcd").read_text(encoding="utf-8")), len(ops)


def changes(waves: str) -> int:
    """Bits that change in a VCD, but for those of the clock."""
    head, _, body = waves.partition("$enddefinitions $end")
    clock = re.search(r"\$var \w+ 1 (\S+) clk ", head)
    assert clock is not None
    found, held = 0, {}
    for line in body.split("\n"):
        if not line or line[0] in "#$":
            continue
        value, _, name = line[1:].partition(" ") if line[0] == "b" else (line[0], "", line[1:])
        if name == clock[1]:
            continue
        before = held.get(name)
        held[name] = value
        if before is not None and "x" not in before + value:
            found += (int(before, 2) ^ int(value, 2)).bit_count()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4)
    parser.add_argument("--sums", type=int, default=24)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CHOSEN))
    options = parser.parse_args()
    useful = options.sums * TERMS * options.side**2
    print(f"{options.side} x {options.side} lanes, {useful:,} useful multiply-accumulates")
    for case in options.cases:
        found, cycles = toggles(case, options.side, options.sums)
        print(
            f"{case:24}{found / useful:8.1f} toggles a useful MAC"
            f"{cycles / options.sums / TERMS:7.2f} cycles a term",
            flush=True,
        )


if __name__ == "__main__":
    main()
