"""Mixed precision: convolutions and matrix products in bfloat16, everything else in float32.

What has to be exact stays out of it. The quantised weights are computed from float32 P and S, and a
power of two loses nothing in bfloat16, whose exponent is float32's. Fake quantisation widens its
argument first; values of 8 bits fit bfloat16's 8 significant ones. Losses are taken of float32
logits, and the optimiser only ever sees float32.

Worth while on a GPU; a CPU without bfloat16 instructions is several times slower with it.
"""

from enum import StrEnum

import torch


class Precision(StrEnum):
    """Number type of convolutions and matrix products."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which a network's forward pass runs; the loss is computed outside of it.

    Parameters
    ----------
    precision: one of `Precision`; float32 changes nothing
    """
    bfloat16 = Precision(precision) is Precision.BFLOAT16
    return torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)
