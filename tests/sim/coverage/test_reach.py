"""What can be reached, against every combination tried by hand."""

import itertools
import random

import numpy as np
import pytest
from coverage_cases import made

from hw.ir import reference
from hw.ir.arithmetic import in_formats
from hw.ir.format import width_of
from hw.ir.graph import Concat, Conv
from sim.coverage import reach
from sim.coverage.reach import Values


def every(values: Values) -> set[int]:
    """All values, one by one."""
    ranges = [range(low, high + 1) for low, high in values.steps.values()]
    return {
        values.offset
        + values.multiplier * sum(y << k for y, k in zip(ys, values.steps, strict=True))
        for ys in itertools.product(*ranges)
    }


def drawn(dice: random.Random) -> Values:
    steps = {}
    for k in dice.sample(range(6), dice.randint(0, 3)):
        low = dice.randint(-4, 0)
        steps[k] = (low, low + dice.randint(0, 6))
    return Values(steps, dice.choice([-3, -1, 0, 1, 2, 5]), dice.randint(-20, 20))


@pytest.mark.parametrize("seed", range(40))
def test_intervals_that_are_met(seed):
    dice = random.Random(seed)
    values = drawn(dice)
    known = every(values)
    assert values.ends == (min(known), max(known))
    low, high = min(known) - 3, max(known) + 3
    for first in range(low, high + 1):
        for last in (first, first + 1, first + 5):
            expected = any(first <= value <= last for value in known)
            assert values.meets(first, last) == expected, (values, first, last)


@pytest.mark.parametrize("seed", range(40))
def test_remainders_that_are_left(seed):
    """What is said to be out of reach is, and of a single remainder what is in reach too."""
    values = drawn(random.Random(seed))
    known = every(values)
    for modulus in (2, 4, 8, 16):
        left = {value % modulus for value in known}
        for first, last in ((1, modulus // 2 - 1), (modulus // 2, modulus // 2), (1, modulus - 1)):
            if first <= last and left & set(range(first, last + 1)):
                assert values.leaves(first, last, modulus), (values, modulus, first, last)
        for rest in range(modulus):
            assert values.leaves(rest, rest, modulus) == (rest in left), (values, modulus, rest)


@pytest.mark.parametrize("settings", [{}, {"guard": 2}, {"rounding": "floor", "act_bits": 5}])
def test_values_of_layers_are_what_the_reference_makes(settings):
    """Random codes of the inputs' formats: each value is one that is said to be in reach."""
    network = made((("sep_conv_3x3", 0), ("avg_pool_3x3", 1)), **settings)
    rng = np.random.default_rng(3)
    seen = set()
    for node in network.graph.nodes[1:]:
        if not isinstance(node, Conv | Concat) and node.name != "cell0/node2":
            continue
        seen.add(type(node).__name__)
        sources = [
            rng.integers(fmt.qmin, fmt.qmax + 1, (2, *shape))
            for fmt, shape in zip(
                in_formats(network, node.name), network.graph.in_shapes(node), strict=True
            )
        ]
        codes = reference.operation(network, node.name)(sources).astype(int)
        fmt, how = network.formats[node.name], reach.rounding(network, node)
        values = list(reach.values(network, node))
        for low, high in (one.ends for one in values):
            assert width_of(low, high + how.constant) <= how.width
        for channel in range(node.shape[2]):
            mine = values if len(values) != node.shape[2] else values[channel : channel + 1]
            for code in np.unique(codes[..., channel]).tolist():
                low = (code << how.shift) - how.constant
                high = ((code + 1) << how.shift) - 1 - how.constant
                if code == fmt.qmin:
                    low = min(one.ends[0] for one in mine)
                if code == fmt.qmax:
                    high = max(one.ends[1] for one in mine)
                assert any(one.meets(low, high) for one in mine), (node.name, channel, code)
    assert seen == {"Conv", "Add", "Concat"}
