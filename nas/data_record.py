"""What a run remembers of its data: enough to know it again wherever it lies, and to do without."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw.data import NAMES, SPLITS, Classes, Dataset, ImageFolder


@dataclass(frozen=True)
class DataRecord:
    """A data set by its content.

    Parameters
    ----------
    place: name, or where it lay last, as an absolute path
    name, classes, preprocessing, class_names: see `hw.data.Dataset`
    image: height, width, channels
    digests: split -> SHA-256 of its content (`Dataset.digest`), of the splits that the run reads
    """

    place: str
    name: str = ""
    image: tuple[int, int, int] = (1, 1, 1)
    classes: int = 1
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()

    @property
    def known_classes(self) -> Classes:
        """To be compared with those of other images."""
        return Classes(self.classes, self.class_names)

    @classmethod
    def of(cls, place: str, **splits: Dataset | ImageFolder) -> "DataRecord":
        """Of the splits that were found at `place`, 'train' among them."""
        training = splits["train"]
        return cls(
            place=place if place in NAMES else str(Path(place).absolute()),
            name=training.name,
            image=training.image_shape,
            classes=training.classes,
            preprocessing=training.preprocessing,
            digests={split: images.digest for split, images in splits.items()},
            class_names=training.class_names,
        )

    @classmethod
    def from_mapping(cls, place: str, values: Any) -> "DataRecord":
        """From what `to_mapping` gave; ValueError where it is something else."""
        known = DataRecord(place).to_mapping().keys()
        # Runs of older versions did not record the names of the classes.
        if not isinstance(values, dict) or values.keys() | {"class_names"} != known:
            raise ValueError("expected what a run of this version knows of its data")
        image, digests = values["image"], values["digests"]
        if not isinstance(image, list) or [type(side) for side in image] != [int] * 3:
            raise ValueError("image: expected height, width, channels")
        if not isinstance(digests, dict) or not digests.keys() <= set(SPLITS):
            raise ValueError(f"digests: expected those of {', '.join(SPLITS)}")
        if type(values["classes"]) is not int or not isinstance(values["preprocessing"], dict):
            raise ValueError("expected a number of classes and a mapping of preprocessing")
        height, width, channels = image
        names = Classes.from_plain(values["classes"], values.get("class_names")).names
        checked = {"image": (height, width, channels), "class_names": names}
        return cls(place=place, **{**values, **checked})

    def to_mapping(self) -> dict[str, Any]:
        """All but the place: plain values."""
        return {
            "name": self.name,
            "image": list(self.image),
            "classes": self.classes,
            "class_names": list(self.class_names),
            "preprocessing": dict(self.preprocessing),
            "digests": dict(self.digests),
        }
