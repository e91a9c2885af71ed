"""Gradients of the architecture in bilevel steps: by hand, and by finite differences."""

import pytest
import torch
from paper_space import CELL, EDGES
from plain_steps import plain_sgd
from torch import nn
from torch.nn import functional

from hw.networks.cells import skeleton
from nas.bilevel import first_order, second_order
from nas.model import image_tensor
from nas.optimise import ShiftOptimiser, StepSettings
from nas.shift import ShiftSettings
from nas.supernet import Supernet


def test_first_order_leaves_the_weights_alone():
    a, w = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))
    loss = first_order(lambda: a * a * w, [a])
    assert float(loss) == 12 and float(a.grad) == 12 and w.grad is None


def test_second_order_by_hand():
    # L_train = a·w², L_val = (w' - 1)² + 3a, w' = w - lr·2aw = 3 - 0.1·12 = 1.8.
    a, w = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))
    plain = plain_sgd(w, lr=0.1)
    loss = second_order(lambda: (w - 1) ** 2 + 3 * a, lambda: a * w * w, [a], [w], plain)
    # dL_val/da = 3 + 2(w' - 1)·dw'/da = 3 + 1.6·(-0.1·2·3)
    assert float(a.grad) == pytest.approx(3 + 1.6 * -0.6)
    assert float(loss) == pytest.approx(0.64 + 6)
    assert w.item() == 3 and float(w.grad) == 0


def test_second_order_steps_with_decay_and_momentum():
    """DARTS: w' = w - lr·(dL_train/dw + decay·w + momentum·buffer)."""
    a, w = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))
    optimiser = plain_sgd(w, lr=0.1, decay=0.5, momentum=0.9)
    w.grad.fill_(1.5)
    optimiser.step()  # buffer 1.5 + 0.5·3 = 3, w = 3 - 0.3
    assert w.item() == pytest.approx(2.7)
    loss = second_order(lambda: (w - 1) ** 2 + 3 * a, lambda: a * w * w, [a], [w], optimiser)
    ahead = 2.7 - 0.1 * (2 * 2 * 2.7 + 0.5 * 2.7 + 0.9 * 3)
    assert float(a.grad) == pytest.approx(3 + 2 * (ahead - 1) * -0.1 * 2 * 2.7)
    assert float(loss) == pytest.approx((ahead - 1) ** 2 + 6)
    assert w.item() == pytest.approx(2.7) and float(w.grad) == 0


@pytest.mark.parametrize("domain", ["shift", "real"])
def test_second_order_of_a_supernet_is_the_slope_of_the_unrolled_loss(domain):
    """L_val(w - lr·dL_train(w, a), a) by central differences in a.

    In the shift domain w' has the same rounded weights at every a that close by, so that what is
    left to compare is what the batch norms and the classifier's bias do; in the real domain, all.
    """
    torch.manual_seed(0)
    lr = 0.05
    operations = ("sep_conv_3x3", "skip_connect")
    frame = skeleton(channels=2, cells=2, image=(6, 6, 1), classes=3)
    net = Supernet(frame, CELL.on_every_edge(operations), ShiftSettings(), domain).double()
    alpha = nn.Parameter(torch.randn(2, len(EDGES), 2, dtype=torch.float64))
    x, held = (
        image_tensor(torch.randint(0, 256, (6, 6, 6, 1), dtype=torch.uint8)).double()
        for _ in range(2)
    )
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    optimiser = ShiftOptimiser(net, lr, StepSettings(0.0, clip=0.0), ShiftSettings())
    moving = [p for name, p in net.named_parameters() if domain == "real" or "weight.p" not in name]
    moving = [p for p in moving if domain == "real" or p.dim() == 1]

    def loss_on(images):
        return functional.cross_entropy(net(images, alpha.softmax(-1)), labels)

    second_order(lambda: loss_on(held), lambda: loss_on(x), [alpha], moving, optimiser)

    def unrolled():
        slopes = torch.autograd.grad(loss_on(x), moving)
        for w, slope in zip(moving, slopes, strict=True):
            w.data.sub_(slope, alpha=lr)
        value = loss_on(held).item()
        for w, slope in zip(moving, slopes, strict=True):
            w.data.add_(slope, alpha=lr)
        return value

    for index in ((0, 1, 0), (0, 9, 1), (1, 4, 1), (1, 13, 0)):
        values = []
        for sign in (1, -1):
            alpha.data[index] += sign * 1e-5
            values.append(unrolled())
            alpha.data[index] -= sign * 1e-5
        slope = (values[0] - values[1]) / 2e-5
        assert float(alpha.grad[index]) == pytest.approx(slope, rel=1e-4, abs=1e-9)


def test_second_order_differs_from_first():
    a, w = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))
    first_order(lambda: (w - 1) ** 2 + 3 * a, [a])
    assert float(a.grad) == 3
