"""The paper's equations by their numbers, against values worked out by hand.

Where a straight-through estimator stands in for a derivative, finite differences check what is a
derivative around it: the chain up to the quantised weights, and rules that are exact derivatives.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from exact_model import ExactModel
from paper_space import CELL, operation_architecture
from plain_steps import plain_sgd
from torch.nn import functional

from hw.ir import reference
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.graph import Conv, Graph, Input
from hw.ir.parameters import Arithmetic, Rounding
from hw.networks.cells import skeleton
from nas.bilevel import first_order, second_order
from nas.model import GraphModel
from nas.optimise import ShiftOptimiser, StepSettings
from nas.quantise import quantise
from nas.search_config import SearchConfig
from nas.shift import Conv2d, DeepShiftPS, Linear, ShiftSettings, quantised, sign_of
from nas.strategies.darts import SoftmaxArchitecture
from nas.strategies.strategy import Moment
from nas.strategies.topology_search import TopologyArchitecture
from nas.supernet import Supernet

# =============================================================================================
# Shift weights: equations 1, 2, 6 to 10, 15
# =============================================================================================

LN2 = 0.69314718056


def set_weight(weight: DeepShiftPS, power, sign) -> None:
    weight.power.data = torch.tensor(power, dtype=weight.power.dtype).view_as(weight.power)
    weight.sign.data = torch.tensor(sign, dtype=weight.sign.dtype).view_as(weight.sign)


def product(pixel: int, first: tuple[int, int], second: tuple[int, int]) -> int:
    """pixel·w1·w2 in units of 2**-16 where the integers of paper mode compute it.

    A weight is (s, p). Two 1x1 convolutions without batch norm; PyTorch's exact evaluation and the
    NumPy reference must agree.
    """
    shape = (1, 1, 1)
    graph = Graph(
        (
            Input(name="input", inputs=(), shape=shape),
            Conv(name="a", inputs=("input",), shape=shape, batch_norm=False, relu_in=False),
            Conv(name="b", inputs=("a",), shape=shape, batch_norm=False, relu_in=False),
        )
    )
    model = GraphModel(graph, settings=ShiftSettings(weight_bits=6)).eval()
    for name, (s, p) in (("a", first), ("b", second)):
        set_weight(model.shift_weights()[name], [p], [s])
    paper = Format(signed=True, width=32, frac=16)
    formats = {"input": IMAGE_FORMAT, "a": paper, "b": paper}
    network = quantise(model, formats, Arithmetic(weight_bits=6, guard=0, rounding=Rounding.FLOOR))
    image = np.full((1, 1, 1, 1), pixel, np.uint8)
    codes = ExactModel(model, network).codes(image)["b"]
    assert np.array_equal(codes, reference.run(network, image)["b"])
    return int(codes.item())


@pytest.mark.parametrize(
    ("pixel", "p", "expected"),
    [
        (37, 0, 9472),  # 37 / 256 is 9472 / 65536
        (37, -3, 1184),
        (37, -10, 9),  # 9.25
        (255, -15, 1),  # 65280 >> 15: 1.99
        (1, -15, 0),
    ],
)
def test_equation_1_a_product_is_a_shift(pixel, p, expected):
    """2**p·x is x >> -p, which floors; weights have no p above 0."""
    assert product(pixel, (1, 0), (1, p)) == expected


@pytest.mark.parametrize(
    ("x", "s", "expected"),
    [
        (+1, +1, 9),  # 9472 >> 10 is 9 of 9.25
        (+1, -1, -9),
        (+1, 0, 0),
        (-1, +1, -10),  # -9472 >> 10 is -10 of -9.25
        (-1, -1, 10),
        (-1, 0, 0),
    ],
)
def test_equation_2_the_sign_flips_after_the_shift(x, s, expected):
    assert product(37, (x, 0), (s, -10)) == expected


def test_equation_6_a_weight_is_a_rounded_power_with_a_rounded_sign():
    p = torch.tensor([-1.0, -1.49, -1.5, -1.51, -2.5, -0.2, -3.0])
    s = torch.tensor([1.0, -0.8, 1.0, 0.6, -0.5, 0.3, -0.49])
    assert quantised(p, s, -14).tolist() == [0.5, -0.5, 0.5, 0.25, -0.25, 0.0, 0.0]


def test_equation_7_the_ternary_sign():
    s = torch.tensor([-7.0, -0.5, -0.4999, 0.0, 0.4999, 0.5, 7.0])
    assert sign_of(s).tolist() == [-1, -1, 0, 0, 0, 1, 1]


def test_equation_8_gradients_of_a_layer():
    """y = X·wᵀ + b, L = y0² + 2·y1, w = [[1/2, -1/4], [0, 1]], X = [3, 5], b = [1, -1].

    y = [1.25, 4]; dL/dy = [2.5, 2]; dL/dX = dL/dy·w = [1.25, 1.375]; dL/db = dL/dy;
    dL/dw = dL/dyᵀ·X = [[7.5, 12.5], [6, 10]], which is dL/dS too (eq. 10).
    """
    layer = Linear(2, 2)
    set_weight(layer.weight, [[-1, -2], [-3, 0]], [[1, -1], [0, 1]])
    layer.bias.data = torch.tensor([1.0, -1.0])
    x = torch.tensor([[3.0, 5.0]], requires_grad=True)
    y = layer(x)
    assert y.tolist() == [[1.25, 4.0]]
    (y[0, 0] ** 2 + 2 * y[0, 1]).backward()
    assert x.grad.tolist() == [[1.25, 1.375]]
    assert layer.bias.grad.tolist() == [2.5, 2.0]
    assert layer.weight.sign.grad.tolist() == [[7.5, 12.5], [6.0, 10.0]]


def test_equation_8_of_a_convolution_by_finite_differences():
    torch.manual_seed(0)
    conv = Conv2d(2, 3, (3, 3), 2, 1, bias=False).double()
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64)
    upstream = torch.randn(1, 3, 3, 3, dtype=torch.float64)
    leaf = x.clone().requires_grad_()
    conv(leaf).backward(upstream)
    for index in ((0, 0, 0, 0), (0, 1, 2, 3), (0, 0, 4, 4)):
        step = torch.zeros_like(x)
        step[index] = 1e-3
        difference = ((conv(x + step) - conv(x - step)) * upstream).sum() / 2e-3
        assert leaf.grad[index].item() == pytest.approx(difference.item(), rel=1e-8)


@pytest.mark.parametrize(
    ("p", "s", "paper", "exact"),
    [
        (-2.0, 1.0, 0.0433216988, 0.1732867951),  # 1/16·ln 2 and 1/4·ln 2
        (-2.3, -0.7, -0.0433216988, -0.1732867951),
        (0.0, 1.0, 0.6931471806, 0.6931471806),
        (-5.0, 0.1, 0.0, 0.0),
    ],
)
def test_equation_9_derivatives_of_a_weight(p, s, paper, exact):
    for rule, expected in (("paper", paper), ("exact", exact)):
        weight = DeepShiftPS((1,), ShiftSettings(grad_rule=rule), fan_in=1).double()
        set_weight(weight, [p], [s])
        weight().backward()
        assert weight.power.grad.item() == pytest.approx(expected, rel=1e-9)
        assert weight.sign.grad.item() == 1.0


def test_equation_9_the_exact_rule_by_finite_differences():
    """Of s·2**P, at whole P: rounding aside, it is a function with a derivative."""
    for p, s in ((-1, 1), (-3, -1), (-7, 1)):
        weight = DeepShiftPS((1,), ShiftSettings(grad_rule="exact"), fan_in=1).double()
        set_weight(weight, [p], [s])
        weight().backward()
        difference = s * (2 ** (p + 1e-6) - 2 ** (p - 1e-6)) / 2e-6
        assert weight.power.grad.item() == pytest.approx(difference, rel=1e-8)


@pytest.mark.parametrize("rule", ["paper", "exact"])
def test_equation_10_the_chain_to_p_and_s(rule):
    """dL/dw by finite differences of real weights; times dw/dP, dw/dS it is the gradient."""
    torch.manual_seed(0)
    conv = Conv2d(2, 2, (2, 2), settings=ShiftSettings(grad_rule=rule), bias=False).double()
    power = [-1.2, -2, -3, -0.3, -4, -1, -2, -3, -1, -5, -1, -2, -3, -1, -2, -6]
    sign = [1, -1, 0.8, -0.6, 0.2, 1, 1, -1, 1, 1, -0.1, -1, 1, -1, 1, 1]
    set_weight(conv.weight, power, sign)
    x, target = torch.randn(4, 2, 3, 3, dtype=torch.float64), torch.tensor([0, 1, 1, 0])

    def loss(w: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(functional.conv2d(x, w).relu().mean((2, 3)), target)

    w = conv.weight().detach().clone()
    functional.cross_entropy(conv(x).relu().mean((2, 3)), target).backward()
    for number in range(16):
        step = torch.zeros(16, dtype=torch.float64)
        step[number] = 1e-6
        step = step.view_as(w)
        by_w = ((loss(w + step) - loss(w - step)) / 2e-6).item()
        value = w.flatten()[number].item()
        by_p = by_w * value * LN2 * (abs(value) if rule == "paper" else 1)
        assert conv.weight.sign.grad.flatten()[number].item() == pytest.approx(by_w, abs=1e-8)
        assert conv.weight.power.grad.flatten()[number].item() == pytest.approx(by_p, abs=1e-8)


P15, S15 = [-1.0, -2.2, 0.0, -3.0], [1.0, -0.9, 0.2, 0.4]
"""w = [1/2, -1/4, 0, 0], sum of w² = 0.3125; lambda = 0.4, lambda/2·sum = 0.0625."""


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("paper", [0.0346573590, 0.0043321699, 0.0, 0.0]),  # lambda·|w|³·ln 2
        ("exact", [0.0693147181, 0.0173286795, 0.0, 0.0]),  # lambda·w²·ln 2
    ],
)
def test_equation_15_gradient_of_the_modified_l2(rule, expected):
    settings = ShiftSettings(grad_rule=rule)
    layer = Linear(4, 1, settings=settings)
    optimiser = ShiftOptimiser(
        layer, 1.0, StepSettings(0.4, "weight", 0.0, optimiser="sgd", momentum=0.0), settings
    )
    layer.weight.power.data[:] = torch.tensor([P15])
    layer.weight.sign.data[:] = torch.tensor([S15])
    assert 0.2 * layer.weight().square().sum().item() == pytest.approx(0.0625)
    optimiser.zero_grad()
    optimiser.step()  # with rate 1 and no other gradient: what P and S lose is the gradient
    lost_p = torch.tensor(P15) - layer.weight.power.detach()[0]
    lost_s = torch.tensor(S15) - layer.weight.sign.detach()[0]
    assert lost_p.tolist() == pytest.approx(expected, abs=1e-6)
    assert lost_s.tolist() == pytest.approx([0.2, -0.1, 0.0, 0.0], abs=1e-6)


def test_equation_15_by_finite_differences():
    """lambda/2·(S·2**P)² of a continuous P, S one of -1, 0, 1: the exact rule's gradient."""
    for p, s in ((-1, 1), (-2, -1), (-3, 0)):
        power, sign = torch.tensor([float(p)]), torch.tensor([float(s)])
        settings = ShiftSettings(grad_rule="exact")
        gradient, _ = DeepShiftPS.l2_gradients(0.4, settings, power, sign)
        term = [0.2 * (s * 2 ** (p + h)) ** 2 for h in (1e-5, -1e-5)]
        assert gradient.item() == pytest.approx((term[0] - term[1]) / 2e-5, rel=1e-6)


def test_equation_15_against_the_conventional_formulation():
    """Descending P² + S² raises a negative P and with it the weight; equation 15 lowers both."""
    after = {}
    for kind in ("weight", "latent"):
        layer = Linear(1, 1)
        step = StepSettings(0.4, kind, 0.0, optimiser="sgd", momentum=0.0)
        optimiser = ShiftOptimiser(layer, 1.0, step, ShiftSettings())
        layer.weight.power.data.fill_(-2.0)
        layer.weight.sign.data.fill_(1.0)
        optimiser.zero_grad()
        optimiser.step()
        after[kind] = layer.weight.power.item()
    # -2 - 0.4·(1/4)³·ln 2 and -2 + 0.4·2.
    assert after["weight"] == pytest.approx(-2 - 0.0043321699, abs=1e-6)
    assert after["latent"] == pytest.approx(-1.2)


# =============================================================================================
# Search: equations 3 to 5, 11 to 14
# =============================================================================================

CONV, SKIP = "sep_conv_3x3", "skip_connect"


def test_equation_3_mixing_weights():
    # exp(0), exp(ln 3), exp(ln 4) over their sum 8
    alpha = torch.tensor([0.0, 1.09861228867, 1.38629436112])
    architecture = SoftmaxArchitecture(CELL.on_every_edge((CONV, SKIP, "max_pool_3x3")))
    architecture.alpha.data[1, 6] = alpha
    coefficients = architecture.coefficients(Moment(0, 1)).detach()
    assert coefficients[1, 6].tolist() == pytest.approx([0.125, 0.375, 0.5])


def test_equations_3_and_4_a_node_adds_what_its_edges_mix():
    """With skips alone every state is known: x_j = sum of alpha times x_i, worked out by hand."""
    frame = skeleton(channels=1, cells=1, image=(4, 4, 1), classes=2)
    cell = replace(frame.cells[0], reduction=False, shape=frame.cells[0].in_shape)
    frame = replace(frame, cells=(cell,))
    net = Supernet(frame, CELL.on_every_edge((SKIP, "zero")), ShiftSettings())
    coefficients = torch.zeros(2, 14, 2)
    # Edges in the order (state, node): node 0 has edges 0, 1; node 1 has 2, 3, 4.
    coefficients[0, :5, 0] = torch.tensor([0.5, 0.25, 0.0, 1.0, 2.0])
    coefficients[:, :, 1] = 7.0  # zero adds nothing, whatever its weight
    seen = {}
    for index, unit in enumerate((net.units["cell0/preprocess0"], net.units["cell0/preprocess1"])):
        unit.register_forward_hook(lambda _m, _i, out, index=index: seen.update({index: out}))
    net.units["classifier"].register_forward_pre_hook(lambda _m, i: seen.update(pooled=i[0]))
    net(torch.rand(3, 1, 4, 4), coefficients)
    first = 0.5 * seen[0] + 0.25 * seen[1]
    second = 1.0 * seen[1] + 2.0 * first
    zero = torch.zeros_like(first)
    expected = torch.cat((first, second, zero, zero), 1).mean((2, 3), keepdim=True)
    torch.testing.assert_close(seen["pooled"], expected)


def test_equation_5_the_architecture_follows_the_held_out_loss():
    """min over a of L_val(w*(a), a): held-out loss (w - 3)², training loss (w - a)², so a = 3."""
    a, w = torch.nn.Parameter(torch.tensor(0.0)), torch.nn.Parameter(torch.tensor(1.0))

    def held_out():
        return (w - 3) ** 2 + 0 * a

    def training():
        return (w - a) ** 2

    optimiser = plain_sgd(w, lr=0.5)
    # One step of 0.5 takes w to a: w' = w - 0.5·2(w - a) = a, so dL_val/da = 2(a - 3)·1.
    second_order(held_out, training, [a], [w], optimiser)
    assert a.grad.item() == pytest.approx(-6)
    for _ in range(60):
        second_order(held_out, training, [a], [w], optimiser)
        a.data -= 0.25 * a.grad
        w.data -= 0.5 * torch.autograd.grad(training(), w)[0]
    assert a.item() == pytest.approx(3, abs=1e-4) and w.item() == pytest.approx(3, abs=1e-4)
    # To first order w does not depend on a, and the held-out loss says nothing of it.
    first_order(held_out, [a])
    assert a.grad.item() == 0


def test_equation_11_one_operation_of_each_group_is_retained():
    architecture = operation_architecture()
    architecture.conv.data[0, 2] = torch.tensor([0.1, 0.4, 0.3, 0.2])
    architecture.topology.data[0, 2] = torch.tensor([9.0, 9.5, 9.1])
    assert architecture.retained()[0][2] == ("sep_conv_5x5", "avg_pool_3x3")


@pytest.fixture
def topology() -> TopologyArchitecture:
    """Node 1 of the normal cell: edges 2, 3, 4, pairs (2, 3), (2, 4), (3, 4)."""
    architecture = TopologyArchitecture(CELL.on_every_edge((CONV, SKIP)), SearchConfig())
    architecture.requires_grad_(False)
    architecture.beta[1][0] = torch.tensor([0.0, 1.38629436112, 2.19722457734])  # ln 1, 4, 9
    return architecture


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(1.0, [1 / 14, 4 / 14, 9 / 14]), (2.0, [1 / 6, 2 / 6, 3 / 6])],  # roots at T = 2
)
def test_equation_12_weights_of_the_pairs(topology, temperature, expected):
    assert topology.pair_weights(temperature)[1][0].tolist() == pytest.approx(expected)


def test_equation_12_the_temperature():
    architecture = TopologyArchitecture(
        CELL.on_every_edge((CONV, SKIP)), SearchConfig(temperature_start=8.0, temperature_end=0.5)
    )
    heats = [architecture.temperature(Moment(epoch, 5)) for epoch in range(5)]
    assert heats == pytest.approx([8.0, 4.0, 2.0, 1.0, 0.5])  # theta = 1/2


def test_equation_13_weights_of_the_edges(topology):
    # Each edge is in two of the three pairs.
    gamma = topology.edge_weights(1.0)[0, 2:5].tolist()
    assert gamma == pytest.approx([5 / 14, 10 / 14, 13 / 14])
    topology.config = replace(topology.config, scale_edges=True)  # the factor 1/N(c), N = 2
    halved = topology.edge_weights(1.0)[0, 2:5].tolist()
    assert halved == pytest.approx([5 / 28, 10 / 28, 13 / 28])


def test_equation_14_an_edge_counts_with_its_weight(topology):
    topology.config = replace(
        topology.config, temperature_start=1.0, temperature_end=1.0, alpha_temperature=0.5
    )
    topology.alpha[0, 4] = torch.tensor([0.0, 0.549306144334])  # ln 3 / 2; at T 0.5: ln 3
    coefficients = topology.coefficients(Moment(0, 3))[0, 4].tolist()
    assert coefficients == pytest.approx([13 / 14 * 1 / 4, 13 / 14 * 3 / 4])


def test_equation_14_gradient_of_beta_by_finite_differences():
    torch.manual_seed(0)
    architecture = TopologyArchitecture(CELL.on_every_edge((CONV, SKIP)), SearchConfig()).double()
    net = Supernet(
        skeleton(channels=2, cells=3, image=(6, 6, 1), classes=3),
        architecture.candidates,
        ShiftSettings(),
    ).double()
    x, labels = torch.rand(6, 1, 6, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2])

    def loss():
        return functional.cross_entropy(net(x, architecture.coefficients(Moment(2, 5))), labels)

    loss().backward()
    beta = architecture.beta[2]
    for index in ((0, 1), (1, 4)):
        values = []
        for sign in (1, -1):
            beta.data[index] += sign * 1e-5
            values.append(loss().item())
            beta.data[index] -= sign * 1e-5
        slope = (values[0] - values[1]) / 2e-5
        assert beta.grad[index].item() == pytest.approx(slope, rel=1e-4, abs=1e-10)
