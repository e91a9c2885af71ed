"""An image file as RGB bytes: what a person sees who looks at it.

Pillow's own conversion shows every brightness above 255 of 16 as white, pixels that are
transparent in whatever colour lies beneath, and photographs as the camera was held.
"""

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hw.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

MEANING = "as stored; upright by EXIF, transparency over white, high byte of 16 bits"
"""How the bytes come about, for the record of a network's `preprocessing`."""

ORIENTATION = 0x0112
"""EXIF's tag."""

_BROKEN: tuple[type[Exception], ...] = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, AttributeError,
    OverflowError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
"""What decoding damaged bytes can end in."""


_decoding = threading.Lock()
_filters: list[warnings.catch_warnings] = []


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings, which name no file.

    The filters are the process's own, and several threads decode: the first one in saves them, the
    last one out puts them back.
    """
    with _decoding:
        _filters.append(warnings.catch_warnings())
        if len(_filters) == 1:
            _filters[0].__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        yield
    finally:
        with _decoding:
            # Only the first has saved anything.
            if len(_filters) == 1:
                _filters[0].__exit__(None, None, None)
            _filters.pop()


def rgb(file: Path) -> "Image":
    """The image in `file`, RGB.

    Turned as its EXIF orientation says; transparent pixels over white; of 16 bits the high byte.

    Raises
    ------
    InputError: it cannot be read; it holds several images, or numbers whose range is not known
    """
    from PIL import Image

    try:
        with _quiet(), Image.open(file) as opened:
            opened.load()
            # An MPO is a JPEG with more views or thumbnails behind the picture.
            if getattr(opened, "is_animated", False) and opened.format != "MPO":
                raise InputError(f"{file}: holds several images; keep one")
            return _upright(_colours(opened, file), opened)
    except (*_BROKEN, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: not an image that can be read ({error})") from error


def _colours(image: "Image", file: Path) -> "Image":
    from PIL import Image

    # Grey images of 16 bits are I;16, or I in older Pillows and in PGM.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        if "transparency" in image.info:
            raise InputError(f"{file}: 16 bits with a transparent grey; convert it to 8 bits")
        grey = np.asarray(image).astype(np.int64) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise InputError(
            f"{file}: pixels are numbers of 32 bits, of no known range; convert it to 8 bits"
        )
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA"):
        pixels = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), pixels).convert("RGB")
    return image.convert("RGB")


def _upright(image: "Image", opened: "Image") -> "Image":
    """`image` turned as EXIF says of `opened`; a TIFF has been turned when it was loaded."""
    from PIL import Image

    try:
        orientation = opened.getexif().get(ORIENTATION, 1)
    except _BROKEN:  # a damaged note turns nothing, as in any viewer
        orientation = 1
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)
