"""What a conversion would do: before anything is trained."""

import numpy as np
import torch

from hw.errors import InputError
from hw.networks import parts
from nas.config import Config
from nas.convert import factory
from nas.convert.layers_table import Row, classes_of, rows
from nas.importer import Imported, import_module, require_agreement
from nas.model import image_tensor
from nas.sources import open_data

IMAGES = 4
"""On so many images both sides are compared."""


def check(place: str, data: str, config: Config) -> tuple[Imported, list[Row]]:
    """The graph of the model of a factory, and what becomes of each layer.

    Raises
    ------
    NotConvertible: naming every layer that cannot be converted
    InputError: no such model or data, or they do not go together
    """
    images = open_data(data, "train", config)
    module = factory.make(place)
    found = import_module(module, images.image_shape)
    logits, classes = classes_of(found.graph), images.classes
    if logits != classes:
        raise InputError(f"{place}: the model has {logits} logits, {data} has {classes} classes")
    pixels = torch.from_numpy(images.read(np.arange(min(IMAGES, len(images)))))
    require_agreement(module, found, image_tensor(pixels))
    settings, real = config.shift, frozenset[str]()
    if not settings.stem:
        real |= parts.stem(found.graph)
    if not settings.classifier:
        last = parts.classifier(found.graph)
        real |= frozenset[str]() if last is None else {last}
    return found, rows(found, settings, real)
