"""Several processes, one model: `torchrun … -m nas search`, on one machine or on several.

Every process holds the whole model and computes its share of each batch. `search.batch` and
`train.batch` are of all processes together, and N processes compute what one process computes:

- all draw from the same random generator: the order of the images, the halves, new weights, the
  architecture's samples. What is drawn for each image is drawn for the whole batch, and each
  process takes its share (`share`).
- `averages` of the gradients, of weights and of the architecture, are what a step follows; `total`
  sums the figures of the log. Weights' gradients lie end to end (`nas.optimise`): one exchange a
  step, without DistributedDataParallel.
- batch norms take the statistics of the whole batch (`nas.norm`, `sync_batch_norm`).

Files are read and written by the main process alone (`from_main`), and it alone prints, until one
of the others fails first.

Without torchrun there is one process, and everything here passes its arguments through.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, distributed
from torch.autograd import Function
from torch.distributed.rendezvous import rendezvous

from hw.errors import InputError

P = ParamSpec("P")
T = TypeVar("T")

MAIN = 0
"""Rank of the process that writes and prints."""


# --- which processes there are -----------------------------------------------------------


def launched() -> int:
    """Number of processes that torchrun started; 1 without it."""
    started = distributed.is_available() and distributed.is_torchelastic_launched()
    return int(os.environ["WORLD_SIZE"]) if started else 1


def _met() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def world() -> int:
    """Number of processes that compute together, once they have met (`join`)."""
    return distributed.get_world_size() if _met() else 1


def rank() -> int:
    return distributed.get_rank() if _met() else MAIN


@contextmanager
def processes() -> Iterator[None]:
    """Around a command that torchrun starts: one of the processes speaks, and one end for all.

    The first process that fails says why; the others end without a word, because of it.
    """
    if launched() == 1:
        yield
        return
    store, own_rank, _ = next(rendezvous("env://", timeout=timedelta(minutes=5)))
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as silence:
            if own_rank == MAIN:
                yield
            else:
                with redirect_stdout(silence), redirect_stderr(silence):
                    yield
    except BaseException:
        key = f"failed/{os.environ['TORCHELASTIC_RESTART_COUNT']}"
        first = store.compare_set(key, "", str(own_rank)).decode()
        if first != str(own_rank):
            # What is said from here on, by whoever handles the error, nobody is to read.
            sys.stderr = Path(os.devnull).open("w", encoding="utf-8")
        raise
    finally:
        if _met():
            distributed.destroy_process_group()


def leave(code: int | str | None) -> None:
    """End a process that torchrun started, at once; without torchrun, return.

    Threads of a process group outlive `destroy_process_group` as long as anything refers to the
    group, a traceback for instance, and let go of their last tensors when they come to it. One that
    does so while Python takes itself down is stopped in the midst of C++ code, which aborts the
    process (https://github.com/pytorch/pytorch/issues/190489). Here Python does not take itself
    down: files are written, both streams are flushed, and nothing else is left to do.
    """
    if launched() == 1:
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def join(device: torch.device) -> torch.device:
    """Meet the other processes; the device of this one, where `device` is what was asked for.

    Raises
    ------
    InputError: fewer GPUs on this machine than processes, or a command that runs alone
    """
    if launched() == 1:
        return device
    if device.type == "cuda":
        local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= gpus:
            raise InputError(
                f"device: cuda: {os.environ['LOCAL_WORLD_SIZE']} processes on a machine with "
                f"{gpus} GPUs; pass --nproc-per-node {gpus} to torchrun"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    if not _met():
        # gloo is for what lies in the processor's memory: checkpoints.
        backend = "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl"
        distributed.init_process_group(backend)
    return device


_alone = ContextVar("_alone", default=False)
"""Whether a function of `from_main` is under way, which the other processes are not in."""


def from_main(function: Callable[P, T]) -> Callable[P, T]:
    """Decorator: `function` is called on the main process alone, its result is everybody's.

    All processes must call it together, but for calls from within another such function.
    """

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        if world() == 1 or _alone.get():
            return function(*args, **kwargs)
        box: list[Any] = [None]
        if rank() == MAIN:
            token = _alone.set(True)
            try:
                box = [function(*args, **kwargs)]
            finally:
                _alone.reset(token)
        distributed.broadcast_object_list(box, src=MAIN, device=torch.device("cpu"))
        return box[0]

    return called


# --- shares of a batch -------------------------------------------------------------------


def share(values: Tensor) -> Tensor:
    """The part of a whole batch, along its first dimension, that this process computes."""
    if world() == 1:
        return values
    return values.tensor_split(world())[rank()]


def require_shares(batch: int, where: str) -> None:
    """InputError, which begins with `where`, unless all processes have as many images of a batch
    of `batch`."""
    if batch % world():
        raise InputError(
            f"{where}: {batch} images do not divide among {world()} processes; choose a multiple "
            f"of {world()}, or another --nproc-per-node"
        )


# --- sums and means over the processes ---------------------------------------------------


def total(values: Tensor) -> Tensor:
    """Sum over all processes; no gradient flows back."""
    if world() == 1:
        return values
    values = values.detach().clone()
    distributed.all_reduce(values)
    return values


class _Mean(Function):
    """The mean over all processes, as often differentiable as anything.

    What a process computes from the mean is part of the whole loss, the sum over the processes; the
    gradient that comes back is of that sum.
    """

    @staticmethod
    def forward(ctx, values: Tensor) -> Tensor:
        return total(values) / world()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _Mean.apply(gradient)


def mean(values: Tensor) -> Tensor:
    """Mean over all processes, through which gradients flow."""
    return values if world() == 1 else _Mean.apply(values)


def averages(tensors: Sequence[Tensor | None]) -> list[Any]:
    """Mean of each tensor over all processes; None, which all of them must have, stays None."""
    present = [t for t in tensors if t is not None]
    if world() == 1 or not present:
        return list(tensors)
    flat = total(torch.cat([t.flatten() for t in present])) / world()
    parts = iter(flat.split([t.numel() for t in present]))
    return [t if t is None else next(parts).view(t.shape) for t in tensors]


def gathered(values: Tensor) -> Tensor:
    """`values` of all processes, stacked in the order of their ranks; no gradient flows back."""
    parts = [torch.empty_like(values) for _ in range(world())]
    distributed.all_gather(parts, values)
    return torch.stack(parts)
