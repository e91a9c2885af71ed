"""Mean loss and accuracy; a loss that is not finite."""

import numpy as np
import pytest
import torch

from hw.networks.confusion import confusion
from nas.meter import Meter, NotFinite


def test_means_are_of_images_not_of_batches():
    meter = Meter(torch.device("cpu"))
    logits = torch.eye(3)
    meter.update(torch.tensor(1.0), logits, torch.tensor([0, 1, 0]))
    meter.update(torch.tensor(5.0), logits[:1], torch.tensor([0]))
    assert meter.loss == 2.0 and meter.accuracy == 0.75
    assert "loss 1.000" in meter.note


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run(value):
    meter = Meter(torch.device("cpu"))
    with pytest.raises(NotFinite, match=f"step 1: the loss is {value}"):
        meter.update(torch.tensor(value), torch.eye(2), torch.tensor([0, 1]))


def test_the_first_step_that_was_not_finite_is_named():
    meter = Meter(torch.device("cpu"))
    with pytest.raises(NotFinite, match="step 4"):
        for loss in (1, 2, 3, float("inf"), 5, float("nan"), *range(30)):
            meter.update(torch.tensor(float(loss)), torch.eye(2), torch.tensor([0, 1]))


def test_top5_by_hand():
    device, loss = torch.device("cpu"), torch.tensor(0.0)
    logits = torch.tensor([[6.0, 5, 4, 3, 2, 1], [6.0, 5, 4, 3, 2, 1], [1.0, 2, 3, 4, 5, 6]])
    meter = Meter(device)
    meter.update(loss, logits, torch.tensor([4, 5, 5]))
    assert meter.accuracies("validation_") == {
        "validation_accuracy": pytest.approx(1 / 3),
        "validation_top5_accuracy": pytest.approx(2 / 3),
    }
    five = Meter(device)
    five.update(loss, logits[:, :5], torch.tensor([0, 1, 4]))
    assert five.top5_accuracy is None and five.accuracies() == {"accuracy": pytest.approx(2 / 3)}


def test_the_confusion_of_all_batches():
    meter = Meter(torch.device("cpu"), classes=3)
    draw = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(50, 3, generator=draw), torch.randint(3, (50,), generator=draw)
    for part in (slice(0, 20), slice(20, 50)):
        meter.update(torch.tensor(0.0), logits[part], labels[part])
    wanted = confusion(labels.numpy(), logits.argmax(1).numpy(), 3)
    assert np.array_equal(meter.confusion, wanted)
    assert np.trace(meter.confusion) / 50 == meter.accuracy
