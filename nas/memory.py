"""Memory: what the process has taken at most, and the line for when there is no more."""

import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hw.errors import InputError

_REFUSED = (
    "allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "size calculation overflow",
)
"""Parts of the messages of PyTorch's RuntimeErrors that tell of memory."""

_AMOUNT = re.compile(r"allocate ([\d.]+) ?(bytes|[KMGTPE]iB)")


def peak_mib(device: torch.device) -> int:
    """MiB: of a GPU's memory where `device` is one, else of the processor's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, KiB elsewhere.
    return peak >> (20 if sys.platform == "darwin" else 10)


@contextmanager
def enough_memory(advice: str) -> Iterator[None]:
    """An allocation that fails within the block is an InputError that ends with `advice`."""
    try:
        yield
    except MemoryError as error:
        raise _not_enough(error, advice) from error
    except RuntimeError as error:
        if not any(part in str(error) for part in _REFUSED):
            raise
        raise _not_enough(error, advice) from error


def _not_enough(error: Exception, advice: str) -> InputError:
    found = _AMOUNT.search(str(error))
    amount = f" for another {_in_words(found[1], found[2])}" if found else ""
    memory = "GPU memory" if "CUDA" in str(error) else "memory"
    return InputError(f"not enough {memory}{amount}; {advice}")


def _in_words(number: str, unit: str) -> str:
    if unit != "bytes":
        return f"{number.rstrip('.')} {unit}"
    mib = int(number) >> 20
    return f"{mib >> 10} GiB" if mib >= 10240 else f"{mib} MiB"
