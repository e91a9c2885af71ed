"""A VCD file of smtbmc becomes a table."""

from amaranth import signed
from amaranth.lib import data

from sim.formal.bench import Shown
from sim.formal.trace import read, table

VCD = """$version x $end
$var integer 32 t smt_step $end
$scope module bench $end
$var wire 4 n0 pair $end
$scope module dut $end
$var wire 1 n1 pair $end
$upscope $end
$var wire 2 n2 x $end
$upscope $end
$enddefinitions $end
#0
b00 t
b0111 n0
b1 n1
b10 n2
#10
b01 t
b1000 n0
b0 n1
#20
b10 t
"""

PAIR = data.StructLayout({"low": signed(2), "high": 2})


def test_fields_signs_and_unchanged_values(tmp_path):
    (tmp_path / "x.vcd").write_text(VCD)
    shown = {"pair": Shown("pair", PAIR), "x": Shown("x", signed(2)), "gone": Shown("gone", 1)}
    trace = read(tmp_path / "x.vcd", shown)
    assert trace == {"pair.low": [-1, 0], "pair.high": [1, 2], "x": [-2, -2]}
    assert table(trace).splitlines() == [
        "cycle      0  1",
        "pair.low  -1  0",
        "pair.high  1  2",
        "x         -2 -2",
    ]
