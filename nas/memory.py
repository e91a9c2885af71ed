"""Memory that the process has taken at most."""

import resource
import sys

import torch


def peak_mib(device: torch.device) -> int:
    """MiB: of a GPU's memory where `device` is one, else of the processor's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, KiB elsewhere.
    return peak >> (20 if sys.platform == "darwin" else 10)
