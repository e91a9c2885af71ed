"""torchvision's models, also beside a torch of another build.

PyPI's torchvision is built for CUDA; beside a torch for CPUs alone it cannot load its operators,
and then even its import fails. Models for classification use none of them: it is enough that those
which the import looks for have names.
"""

import importlib

import torch
from torch import nn


def _import():
    library = torch.library.Library("torchvision", "FRAGMENT")
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import models

    return library, models


LIBRARY, models = _import()
"""The library keeps what it defines for as long as it lives."""


def make(name: str, **options) -> nn.Module:
    """A model with new weights, in evaluation mode; googlenet without auxiliary classifiers."""
    if name == "googlenet":
        options = {"aux_logits": False, "init_weights": False, **options}
    return getattr(models, name)(weights=None, **options).eval()
