"""DARTS-: the auxiliary skip, its decay, its absence from what is found."""

import math

import pytest
import torch
from paper_space import CELL, EDGES

from hw.networks.cells import skeleton
from hw.networks.space import AUXILIARY_SKIP
from nas.cell import ZERO
from nas.model import image_tensor
from nas.search_config import DartsMinusConfig, SearchConfig
from nas.shift import ShiftSettings
from nas.strategies.darts_minus import DartsMinus
from nas.strategies.strategy import Moment
from nas.supernet import Supernet


def architecture(decay="linear"):
    strategy = DartsMinus(SearchConfig(zero=True, darts_minus=DartsMinusConfig(decay)))
    return strategy.architecture(0, strategy.start)


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("linear", (1, 0.75, 0.5, 0.25, 0)),
        ("cosine", (1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0)),
    ],
)
def test_beta_falls_from_1_to_0(decay, expected):
    mixing = architecture(decay)
    betas = [mixing.beta(Moment(epoch, 5)) for epoch in range(5)]
    assert betas == pytest.approx(expected, abs=1e-12)


def test_beta_stands_beside_the_softmax():
    mixing, moment = architecture(), Moment(1, 5)
    mixing.alpha.data = torch.randn(2, len(EDGES), 8)
    coefficients = mixing.coefficients(moment)
    assert coefficients.shape == (2, len(EDGES), 9)
    torch.testing.assert_close(coefficients[..., :8], mixing.alpha.softmax(-1))
    assert (coefficients[..., 8] == 0.75).all()
    shares = mixing.shares(moment)
    assert shares["auxiliary_skip"] == 0.75
    assert len(shares["candidates"][0][0]) == len(shares["alpha"][0][0]) == 8


def supernet_of(operations):
    """Cells 0 and 1 of two reduce; with the operations on every edge."""
    torch.manual_seed(0)
    frame = skeleton(channels=2, cells=3, image=(8, 8, 1), classes=3)
    return Supernet(frame, CELL.on_every_edge(operations), ShiftSettings())


def test_it_is_a_skip_with_weights_of_its_own_where_the_stride_is_2():
    supernet = supernet_of(("skip_connect", AUXILIARY_SKIP))
    x = image_tensor(torch.randint(0, 256, (4, 8, 8, 1), dtype=torch.uint8))
    first = torch.zeros(2, len(EDGES), 2)
    first[..., 0] = 0.5
    second = first.flip(-1)
    assert not torch.equal(supernet(x, first), supernet(x, second))
    operations, strided = supernet.operations, 0
    for key, operation in operations.items():
        if key.endswith(AUXILIARY_SKIP):
            twin = operations[key.replace(AUXILIARY_SKIP, "skip_connect")]
            strided += len(list(twin.parameters())) > 0
            twin.load_state_dict(operation.state_dict())
    assert strided == 4  # two states of each of the two reduction cells
    torch.testing.assert_close(supernet(x, first), supernet(x, second))


def test_once_beta_is_0_it_adds_nothing():
    operations = ("sep_conv_3x3", "max_pool_3x3", AUXILIARY_SKIP)
    supernet = supernet_of(operations)
    x = image_tensor(torch.randint(0, 256, (4, 8, 8, 1), dtype=torch.uint8))
    coefficients = torch.rand(2, len(EDGES), 3)
    coefficients[..., 2] = 0
    without = torch.rand(2, len(EDGES), 3)
    chosen = torch.tensor([True, False, False]).expand(2, len(EDGES), 3)
    without[..., 0] = coefficients[..., 0]
    coefficients[..., 1] = 0
    torch.testing.assert_close(supernet(x, coefficients), supernet(x, without, chosen))


def test_neither_it_nor_zero_is_derived():
    mixing = architecture()
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        mixing.alpha.data = torch.randn(2, len(EDGES), 8, generator=generator)
        genotype = mixing.genotype()
        named = {operation for operation, _ in genotype.normal + genotype.reduce}
        assert not named & {AUXILIARY_SKIP, ZERO}
