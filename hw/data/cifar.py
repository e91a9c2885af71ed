"""CIFAR-10 and CIFAR-100 as published for Python: pickled batches, in a folder or a tar.gz.

Pickles can run code; these are read by an unpickler that makes nothing but numbers, bytes and
collections of them.
"""

import io
import pickle
import pickletools
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np

from hw.data.dataset import Dataset
from hw.errors import InputError


@dataclass(frozen=True)
class _Layout:
    name: str
    folder: str
    archive: str
    batches: dict[str, tuple[str, ...]]
    labels: bytes
    classes: int
    meta: str
    label_names: bytes


_LAYOUTS = (
    _Layout(
        name="cifar10",
        folder="cifar-10-batches-py",
        archive="cifar-10-python.tar.gz",
        batches={
            "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
            "test": ("test_batch",),
        },
        labels=b"labels",
        classes=10,
        meta="batches.meta",
        label_names=b"label_names",
    ),
    _Layout(
        name="cifar100",
        folder="cifar-100-python",
        archive="cifar-100-python.tar.gz",
        batches={"train": ("train",), "test": ("test",)},
        labels=b"fine_labels",
        classes=100,
        meta="meta",
        label_names=b"fine_label_names",
    ),
)


_Read = Callable[[Path, _Layout, str], tuple[str, bytes]]
"""Where a file of the data set is, in words, and its content."""


class _Dtype:
    """Stands for numpy.dtype."""

    def __init__(self, code: str, *_: object) -> None:
        self.is_byte = code in ("u1", b"u1", "|u1", b"|u1")

    def __setstate__(self, state: object) -> None:
        """Byte order and the like: nothing that matters to bytes."""


class _Bytes:
    """Stands for a two-dimensional array of unsigned bytes."""

    array: np.ndarray | None = None

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        match state:
            case (int(), tuple(shape), dtype, bool(fortran), bytes(raw)):
                self.fill(raw, dtype, shape, "F" if fortran else "C")

    def fill(self, raw: bytes, dtype: object, shape: tuple[object, ...], order: str) -> "_Bytes":
        match shape:
            case (int(rows), int(columns)) if (
                isinstance(dtype, _Dtype)
                and dtype.is_byte
                and min(rows, columns) >= 0
                and rows * columns == len(raw)
            ):
                flat = np.frombuffer(raw, np.uint8)
                self.array = flat.reshape(rows, columns, order="F" if order == "F" else "C")
        return self


_STAND_INS: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): lambda text, _: text.encode("latin-1"),
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Bytes,
    ("numpy", "_reconstruct"): _Bytes,
    ("numpy", "_frombuffer"): lambda *parts: _Bytes().fill(*parts),
}
"""All that a batch may ask for, whichever Python and NumPy wrote it."""


class _BatchUnpickler(pickle.Unpickler):
    """Makes stand-ins instead of arrays: NumPy itself can crash on a damaged pickle."""

    def find_class(self, module: str, name: str) -> Any:
        package = "numpy" if module.startswith(("numpy.core.", "numpy._core.")) else module
        if (package, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _STAND_INS[package, name]


def _unpickle(content: bytes) -> Any:
    # One wrong bit can make the memo's index huge, and the unpickler then takes gigabytes for it.
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name.endswith("PUT") and not 0 <= cast(int, argument) <= len(content):
            raise pickle.UnpicklingError("it is damaged")
    return _BatchUnpickler(io.BytesIO(content), encoding="bytes").load()


def _locate(path: Path) -> tuple[_Layout, Path] | None:
    """The layout of `path` and where its batches are: a folder or a tar.gz."""
    for layout in _LAYOUTS:
        for folder in (path, path / layout.folder):
            batches = [batch for split in layout.batches.values() for batch in split]
            if any((folder / batch).is_file() for batch in batches):
                return layout, folder
        for archive in (path, path / layout.archive):
            if archive.name == layout.archive and archive.is_file():
                return layout, archive
    return None


def found(path: Path) -> bool:
    """Whether `path` is a CIFAR folder, its parent, or a CIFAR tar.gz under its published name."""
    return _locate(path) is not None


def load(path: Path, split: str) -> Dataset:
    """The split in the batches at `path`; 32x32x3, fine labels for CIFAR-100.

    The names of the classes are in a file beside the batches, and unknown without it.
    """
    located = _locate(path)
    if located is None:
        raise InputError(f"{path}: no CIFAR-10 or CIFAR-100 python batches")
    layout, place = located
    read = _from_folder if place.is_dir() else _from_archive
    images, labels = [], []
    for batch in layout.batches[split]:
        where, content = read(place, layout, batch)
        pixels, classes = _parse(where, content, layout)
        images.append(pixels)
        labels.append(classes)
    return Dataset(
        name=layout.name,
        images=np.concatenate(images),
        labels=np.concatenate(labels),
        classes=layout.classes,
        preprocessing={"dataset": layout.name, "bytes": "as stored"},
        class_names=_class_names(place, layout, read),
    )


class _Missing(InputError):
    """A file of the data set is not there."""


def _class_names(place: Path, layout: _Layout, read: _Read) -> tuple[str, ...]:
    """Of all classes, () where the file that has them is missing."""
    try:
        where, content = read(place, layout, layout.meta)
    except _Missing:
        return ()
    names = _field(_unpickled(where, content), layout.label_names)
    if isinstance(names, list):
        names = [name.decode() if isinstance(name, bytes) else name for name in names]
    if (
        not isinstance(names, list)
        or len(names) != layout.classes
        or not all(isinstance(name, str) for name in names)
    ):
        raise InputError(f"{where}: {layout.label_names.decode()}: expected {layout.classes} names")
    return tuple(names)


def _from_folder(folder: Path, layout: _Layout, batch: str) -> tuple[str, bytes]:
    path = folder / batch
    try:
        return str(path), path.read_bytes()
    except FileNotFoundError as error:
        raise _Missing(f"{path}: {error.strerror}; {layout.name} needs it") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; {layout.name} needs it") from error


def _from_archive(archive: Path, layout: _Layout, batch: str) -> tuple[str, bytes]:
    where = f"{archive}: {layout.folder}/{batch}"
    try:
        with tarfile.open(archive) as tar:
            # Packed as `tar czf ARCHIVE ./FOLDER`, names begin with ./
            wanted = PurePosixPath(layout.folder, batch)
            member = next((one for one in tar if PurePosixPath(one.name) == wanted), None)
            if member is None:
                raise _Missing(f"{where}: missing; {layout.name} needs it")
            file = tar.extractfile(member)
            if file is None:
                raise InputError(f"{where}: not a file")
            return where, file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{where}: cannot be read ({error}); fetch it anew") from error


_BROKEN: tuple[type[Exception], ...] = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
)
"""What unpickling damaged bytes can end in."""


def _unpickled(where: str, content: bytes) -> dict[Any, Any]:
    try:
        batch = _unpickle(content)
    except _BROKEN as error:
        raise InputError(f"{where}: not a CIFAR batch ({error}); fetch it anew") from error
    if not isinstance(batch, dict):
        raise InputError(f"{where}: not a CIFAR batch; fetch it anew")
    return batch


def _parse(where: str, content: bytes, layout: _Layout) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) and labels (N,) of one batch."""
    batch = _unpickled(where, content)
    data, labels = (_field(batch, key) for key in (b"data", layout.labels))
    label_name = layout.labels.decode()
    if not isinstance(data, _Bytes) or data.array is None:
        raise InputError(f"{where}: data: missing, or no array of bytes")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise InputError(f"{where}: {label_name}: missing, or no list of integers")
    pixels = data.array
    if pixels.shape[1] != 3 * 32 * 32 or not len(pixels):
        raise InputError(f"{where}: data: shape {pixels.shape}; expected (images, 3072)")
    if len(labels) != len(pixels):
        raise InputError(f"{where}: {label_name}: {len(labels)} labels for {len(pixels)} images")
    if not 0 <= min(labels) <= max(labels) < layout.classes:
        raise InputError(
            f"{where}: {label_name}: [{min(labels)}, {max(labels)}]; "
            f"{layout.name} has classes 0 to {layout.classes - 1}"
        )
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, np.int64)


def _field(batch: dict[Any, Any], key: bytes) -> Any:
    """What is under `key`: bytes as Python 2 wrote it, or text."""
    return batch.get(key, batch.get(key.decode()))
