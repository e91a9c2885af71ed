"""Mixed precision: convolutions and matrix products in bfloat16, everything else in float32.

What has to be exact stays out of it. The quantised weights are computed from float32 P and S, and a
power of two loses nothing in bfloat16, whose exponent is float32's. Fake quantisation widens its
argument first; values of 8 bits fit bfloat16's 8 significant ones. Losses are taken of float32
logits, and the optimiser only ever sees float32.

Worth while on a GPU; a CPU without bfloat16 instructions is several times slower with it.
"""

import torch

PRECISIONS = ("float32", "bfloat16")


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context in which a network's forward pass runs; the loss is computed outside of it.

    Parameters
    ----------
    precision: one of `PRECISIONS`; "float32" changes nothing
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
