"""A dozen fuzz cases over all that a graph may hold: every bit of every layer.

`shiftnas fuzz --of layers` and `--of model` run more of them.
"""

import pytest

from sim.fuzz.draw import draw
from sim.fuzz.run import run
from sim.fuzz.tally import axes, values_of

SEED = 14
CASES = {"layers": (5, 16, 18, 40, 63, 69, 101, 108, 115), "model": (4, 21, 25)}
LONG = (("layers", 5), ("model", 21), ("model", 25))
AXES = (
    "layer", "clip", "beside weights", "groups", "kernel", "stride", "window", "head", "widths",
    "weights",
)  # fmt: skip


def test_they_have_every_value_of_a_layer_between_them():
    for axis in AXES:
        values = [values_of(draw(SEED, number, of="layers"))[axis] for number in CASES["layers"]]
        assert set().union(*values) == set(axes()[axis]), axis


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "number"),
    [
        pytest.param(*case, marks=[pytest.mark.thorough] if case in LONG else [])
        for case in ((kind, number) for kind, numbers in CASES.items() for number in numbers)
    ],
)
def test_every_bit_is_right(kind, number):
    case = draw(SEED, number, of=kind)
    outcome = run(case)
    assert outcome.failure is None
    assert outcome.frames >= len(case.frames) and outcome.bits > 0
