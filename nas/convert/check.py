"""What a conversion would do: before anything is trained."""

import contextlib
import sys
from pathlib import Path

import numpy as np
import torch

from hw.errors import InputError
from nas.config import Config
from nas.convert import factory, pretrained
from nas.convert.fit import require_fit
from nas.convert.layers_table import classes_of
from nas.importer import Imported, NotConvertible, import_module, require_agreement
from nas.importer.trace import UNFOLLOWED
from nas.model import image_tensor
from nas.sources import open_data

IMAGES = 4
"""On so many images both sides are compared."""


def check(place: str, data: str, config: Config, weights: Path | None = None) -> Imported:
    """The graph of the model of a factory, with the model's weights.

    What its code prints goes to standard error.

    Parameters
    ----------
    weights: a file with a state dict, which the model gets first

    Raises
    ------
    NotConvertible: naming every layer that cannot be converted
    InputError: no such model, weights or data, or they do not go together: the model fails on
        images of this shape, or has other classes
    """
    images = open_data(data, "train", config)
    with contextlib.redirect_stdout(sys.stderr):
        module = factory.make(place, config.seed)
        if weights is not None:
            pretrained.load_into(module, weights)
        try:
            found = import_module(module, images.image_shape)
        except NotConvertible as error:
            if any(one.reason.startswith(UNFOLLOWED) for one in error.refusals):
                require_fit(place, module, images.image_shape, data)
            raise
        logits, classes = classes_of(found.graph), images.classes
        if logits != classes:
            raise InputError(
                f"{place}: the model has {logits} logits, {data} has {classes} classes"
            )
        pixels = torch.from_numpy(images.read(np.arange(min(IMAGES, len(images)))))
        require_agreement(module, found, image_tensor(pixels))
    return found
