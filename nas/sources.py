"""The data of a run: opened, checked against what its configuration expects, put on a device."""

import numpy as np
import torch

from hw import data as datasets
from hw.console import note
from hw.data import Dataset, ImageFolder
from hw.errors import InputError
from nas.batches import Images, ImageSet
from nas.config import Config, Stream, TrainConfig
from nas.data_record import DataRecord
from nas.distributed import from_main
from nas.hold_out import hold_out
from nas.quantise import CALIBRATION_IMAGES
from nas.stream import StreamedImages

STREAM_ABOVE = 1 << 30
"""Bytes of images above which `folder.stream: auto` streams."""


def open_data(
    data: str, split: str, config: Config, resized_crop: float = 0.0
) -> Dataset | ImageFolder:
    """A split of a named data set or a folder, see `open_splits`; an `ImageFolder` is streamed."""
    return open_splits(data, (split,), config, resized_crop)[split]


def open_splits(
    data: str, wanted: tuple[str, ...], config: Config, resized_crop: float = 0.0
) -> dict[str, Dataset | ImageFolder]:
    """Those of the splits `wanted` that there are; one that is wanted alone must be there.

    Validation images are the data's own, or a share of its training images (`train.validation`),
    which then are the others.

    Parameters
    ----------
    resized_crop: see `nas.config.TrainConfig`, of the training images; more than 0 needs an image
        folder

    Raises
    ------
    InputError: there is no such data, or it is not as `config.expect` says; a share is to be held
        out of data that has validation images of its own, or leaves none
    """
    has, size = datasets.splits(data), (config.folder.size, config.folder.size)
    found: dict[str, Dataset | ImageFolder] = {}
    if config.train.validation and not {"train", "validation"}.isdisjoint(wanted):
        if "validation" in has:
            raise InputError(
                f"train.validation: {config.train.validation:g}: {data} has validation images of "
                "its own, in val; set train.validation=0, or call that folder test if that is what "
                "it is"
            )
        found = _held_out(data, datasets.find(data, "train", size=size), config.train)
    for split in wanted:
        if split not in found and (split in has or len(wanted) == 1 or split == "train"):
            found[split] = datasets.find(data, split, size=size)
    return {
        split: _opened(data, found[split], config, resized_crop if split == "train" else 0.0)
        for split in wanted
        if split in found
    }


def _held_out(
    data: str, training: Dataset | ImageFolder, config: TrainConfig
) -> dict[str, Dataset | ImageFolder]:
    rest, chosen = hold_out(training.labels, config.validation, config.validation_seed)
    if not len(chosen):
        raise InputError(
            f"data: {data}: train.validation: {config.validation:g} of {len(training)} training "
            "images is none of any class; set a larger share, or 0"
        )
    return {"train": training.subset(rest), "validation": training.subset(chosen)}


def evaluated(data: str, config: Config) -> str:
    """The split that the network trained on `data` is judged by at last: test, else validation."""
    if config.train.validation and "test" not in datasets.splits(data):
        return "validation"
    return datasets.evaluated(data)


def _opened(
    data: str, source: Dataset | ImageFolder, config: Config, resized_crop: float
) -> Dataset | ImageFolder:
    """Checked against what is expected, and read unless it is to be streamed."""
    folder, expect = config.folder, config.expect
    image = "x".join(str(side) for side in source.image_shape)
    for field, found, expected in (
        ("image", image, expect.image),
        ("classes", source.classes, expect.classes),
    ):
        if expected not in (None, found):
            raise InputError(
                f"data: {data}: {field} {found}, but the configuration is for {expected}; "
                f"choose another --config or set expect.{field}=null"
            )
    streamed = isinstance(source, ImageFolder) and _streams(source, folder.stream, resized_crop)
    if resized_crop and not streamed:
        raise InputError(
            f"data: {data}: train.resized_crop needs an image folder that is streamed; set "
            "train.resized_crop=0"
        )
    return source.load() if isinstance(source, ImageFolder) and not streamed else source


@from_main
def record_data(place: str, **splits: Dataset | ImageFolder) -> DataRecord:
    """`DataRecord.of`: one process reads what is to be read."""
    return DataRecord.of(place, **splits)


LEAST_IMAGES = 4
"""Of a training: two in each half of a search. As of the fields `images`."""


def require_learnable(training: Dataset | ImageFolder, data: str) -> None:
    """InputError where there is nothing to learn from the training images of `data`."""
    if training.classes < 2:
        raise InputError(f"data: {data}: one class; there is nothing to tell apart, give two")
    if len(training) < LEAST_IMAGES:
        raise InputError(
            f"data: {data}: training images: {len(training)}, expected at least {LEAST_IMAGES}"
        )


def note_large_batch(field: str, batch: int, images: int) -> None:
    """A line where no batch is whole."""
    if batch > images:
        note(f"{field}: {batch} is more than the {images} images: each step takes all of them")


def calibration_images(training: Dataset | ImageFolder) -> np.ndarray:
    """Up to `CALIBRATION_IMAGES` drawn from all of them, uint8 NHWC, the same ones every time."""
    chosen = np.random.default_rng(0).permutation(len(training))[:CALIBRATION_IMAGES]
    return training.read(np.sort(chosen))


def _streams(source: ImageFolder, stream: str, resized_crop: float) -> bool:
    match stream:
        case Stream.ALWAYS:
            return True
        case Stream.AUTO:
            return source.bytes > STREAM_ABOVE or resized_crop > 0
        case Stream.NEVER:
            return False
    raise ValueError(f"folder.stream: {stream!r}")


def load_images(
    source: Dataset | ImageFolder,
    device: torch.device,
    limit: int | None = None,
    workers: int = 0,
    resized_crop: float = 0.0,
) -> ImageSet:
    """A source's images for `device`; with `limit`, that many drawn by torch's generator.

    Parameters
    ----------
    workers, resized_crop: of images that are streamed
    """
    count = len(source)
    chosen = None if limit is None or limit >= count else torch.randperm(count)[:limit]
    if isinstance(source, ImageFolder):
        index = torch.arange(count) if chosen is None else chosen
        return StreamedImages(source, index, device, workers, resized_crop)
    pixels, labels = source.images, source.labels
    if chosen is not None:
        pixels, labels = pixels[chosen.numpy()], labels[chosen.numpy()]
    return Images(
        torch.tensor(pixels, device=device),
        torch.tensor(labels, dtype=torch.int64, device=device),
    )
