"""What each of two processes does in tests/nas/test_distributed.py; torchrun starts it.

Usage: torchrun … distributed_worker.py FOLDER, which gets RANK.pt with what this process found, and
the runs of search and training.
"""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional

from hw.networks import genotypes
from hw.networks.conventional import Conventional
from nas import distributed
from nas import train as training
from nas.__main__ import nas
from nas.config import load_config
from nas.journal import Journal
from nas.norm import BatchNorm2d, average_running_statistics, twice_differentiable
from nas.optimise import ShiftOptimiser, StepSettings
from nas.search import search
from nas.shift import Conv2d, ShiftSettings
from nas.supernet import _dropped

TRAIN = (
    "train.images=96",
    "train.batch=32",
    "train.cells=3",
    "train.epochs=2",
    "train.drop_path=0.2",
    "train.crop=1",
    "train.flip=true",
    "train.cutout=2",
    "train.jitter=0.1",
)
RESNET = Conventional("resnet8", 0.25)
FOUR_EPOCHS = ("train.images=256", "train.batch=32", "train.epochs=4", "train.lr=0.1")
SEARCH = ("search.images=64", "search.cells=1", "search.warmup=0", "search.epochs=1")
DARTS = (*SEARCH, "search.strategy=darts", "search.darts.order=2")
RANDOM = (*SEARCH, "search.strategy=random", "search.random.samples=2")


@contextmanager
def double_precision() -> Iterator[None]:
    """Trainings that begin within it compute in float64 throughout."""
    in_float32, augmented = training.image_tensor, training.Augmentation.__call__

    def widened(augmentation, pixels: Tensor) -> Tensor:
        return augmented(augmentation, pixels).double()

    def loss(trainer, logits: Tensor, labels: Tensor) -> Tensor:
        smoothing = trainer.config.label_smoothing
        return functional.cross_entropy(logits, labels, label_smoothing=smoothing)

    torch.set_default_dtype(torch.float64)
    try:
        with (
            patch.object(training, "image_tensor", lambda pixels: in_float32(pixels).double()),
            patch.object(
                training.Augmentation,
                "__call__",
                lambda own, pixels: augmented(own, pixels).double(),
            ),
            patch.object(training._Trainer, "_loss", loss),
        ):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


class InterruptedRun(Exception):
    """Stands for a process killed between two epochs."""


def gradients(norm: BatchNorm2d, x: Tensor, scale: Tensor | None, upstream: Tensor):
    """Of x and of what scales it, by the sum over x of out·upstream; and out itself."""
    leaf = x.detach().clone().requires_grad_()
    factor = norm.weight if scale is None else scale
    out = norm(leaf, scale)
    return out.detach(), *torch.autograd.grad((out * upstream).sum(), [leaf, factor])


def batch_norm(channels: int, terms: int) -> float:
    """Largest difference to one process that has the whole batch."""
    torch.manual_seed(channels)
    affine = channels != 3
    whole = (torch.randn(6, channels, 5, 4).double() * 3 + 1).contiguous(
        memory_format=torch.channels_last
    )
    upstream = torch.randn_like(whole)
    scale = None if affine else torch.rand(channels).double().requires_grad_()
    ours, theirs = (BatchNorm2d(channels, affine, affine, terms).double() for _ in range(2))
    if affine:
        for norm in (ours, theirs):
            norm.weight.data.copy_(torch.arange(1.0, channels + 1))
    theirs.synchronised = False
    expected = gradients(theirs, whole, scale, upstream)
    share = distributed.share
    out, x_gradient, own = gradients(ours, share(whole), scale, share(upstream))
    pairs = [(out, share(expected[0])), (x_gradient, share(expected[1]))]
    pairs.append((distributed.total(own), expected[2]))
    pairs += zip(ours.buffers(), theirs.buffers(), strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def second_derivative() -> float:
    """As `batch_norm`, of the gradient of a gradient's square."""
    torch.manual_seed(0)
    whole = torch.randn(6, 3, 5, 4).double()
    results = []
    for synchronised, x in ((False, whole), (True, distributed.share(whole))):
        norm = BatchNorm2d(3, False, False).double()
        norm.synchronised = synchronised
        leaf = x.clone().requires_grad_()
        with twice_differentiable():
            (first,) = torch.autograd.grad(norm(leaf).pow(3).sum(), leaf, create_graph=True)
            (second,) = torch.autograd.grad(first.square().sum(), leaf)
        results.append(second)
    return float((results[1] - distributed.share(results[0])).abs().max())


def apart() -> float:
    """Running means of norms apart, averaged, against those of the whole batch."""
    norm, whole = BatchNorm2d(2), torch.randn(4, 2, 3, 3)
    norm.synchronised = False
    norm(distributed.share(whole))
    average_running_statistics(norm)
    assert norm.running_mean is not None
    return float((norm.running_mean - 0.1 * whole.mean((0, 2, 3))).abs().max())


def flat_gradients() -> dict[str, Tensor]:
    """The gradients that a step followed, and the mean of what the processes had."""
    torch.manual_seed(0)
    net = Conv2d(3, 4, (1, 1), settings=ShiftSettings(), bias=False)
    optimiser = ShiftOptimiser(net, 0.1, StepSettings(0.0, clip=0.0), ShiftSettings())
    x = torch.randn(2, 3, 4, 4) * (distributed.rank() + 1)
    net(x).square().mean().backward()
    expected = distributed.total(torch.cat([g.flatten() for g in optimiser._gradients])) / 2
    optimiser.step()
    return {"expected": expected, "flat": torch.cat(optimiser._gradients)}


def resumed(folder: Path) -> None:
    """A training cut short after an epoch, then resumed."""
    genotype, config = genotypes.get("ShiftNAS_C10"), load_config("tiny", TRAIN)
    keep = Journal.keep

    def keep_and_stop(self, state):
        keep(self, state)
        raise InterruptedRun

    Journal.keep = keep_and_stop
    try:
        training.train(genotype, "digits", folder, config)
    except InterruptedRun:
        pass
    Journal.keep = keep
    training.train(genotype, "digits", folder, config, resume=True)


def main(folder: Path) -> None:
    distributed.join(torch.device("cpu"))
    found = {
        "batch norm": max(batch_norm(c, t) for c, t in ((3, 0), (4, 0), (4, 2), (40, 2))),
        "second derivative": second_derivative(),
        "apart": apart(),
        "gradients": flat_gradients(),
        "dropout": dropout(),
    }
    training.train(
        genotypes.get("ShiftNAS_C10"), "digits", folder / "train", load_config("tiny", TRAIN)
    )
    with double_precision():
        training.train(RESNET, "digits", folder / "double", load_config("tiny", FOUR_EPOCHS))
    resumed(folder / "resumed")
    for name, settings in (("darts", DARTS), ("random", RANDOM)):
        search("digits", folder / name, load_config("tiny", settings))
    torch.save(found, folder / f"{distributed.rank()}.pt")
    # The last, since it ends all: as many errors as processes, one line. Python's own end, in which
    # threads of the process group may abort it, must not be reached.
    atexit.register(os.abort)
    odd = "search --data digits --config tiny --set search.batch=33 --out"
    nas.main([*odd.split(), str(folder / "odd")])


def dropout() -> bool:
    """Whether each process drops its share of what one drops."""
    x = torch.rand(4, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    torch.manual_seed(1)
    own = _dropped(distributed.share(x), 0.5)
    torch.manual_seed(1)
    return torch.equal(own, distributed.share(torch.nn.functional.dropout(x, 0.5)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
