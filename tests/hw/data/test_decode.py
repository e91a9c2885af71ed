"""hw.data.decode: image files of every kind, as a person sees them."""

import threading
import time
import warnings

import numpy as np
import pytest
from PIL import Image

from hw.data import decode
from hw.errors import InputError

PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 14


def shown(path):
    image = decode.rgb(path)
    assert image.mode == "RGB"
    return np.asarray(image)


STORED = {
    1: PICTURE,
    2: PICTURE[:, ::-1],
    3: PICTURE[::-1, ::-1],
    4: PICTURE[::-1],
    5: PICTURE.transpose(1, 0, 2),
    6: np.rot90(PICTURE, 1),
    7: PICTURE[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(PICTURE, -1),
}
"""The rows and columns that a file has where its orientation tells how to see PICTURE: the 0th row
is the picture's top, right, bottom or left, as EXIF's table of tag 274 says."""


@pytest.mark.parametrize("ending", ["png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_turns_the_picture(tmp_path, ending, orientation):
    path = tmp_path / f"1.{ending}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(np.ascontiguousarray(STORED[orientation])).save(path, exif=exif, **lossless)
    assert np.array_equal(shown(path), PICTURE)


def test_a_photograph_held_upright(tmp_path):
    """JPEG: dark above, bright below, however the camera was held."""
    half = np.repeat(np.array([[20], [230]], np.uint8), 32, axis=0).repeat(32, axis=1)
    for orientation, turns in ((1, 0), (6, 1), (3, 2), (8, 3)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.jpg"
        Image.fromarray(np.ascontiguousarray(np.rot90(half, turns))).save(path, exif=exif)
        picture = shown(path).astype(int)
        assert picture.shape == (64, 32, 3)
        assert picture[:24].max() < 60 and picture[40:].min() > 190


def test_damaged_exif_turns_nothing(tmp_path):
    path = tmp_path / "1.png"
    Image.fromarray(PICTURE).save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\0")
    assert np.array_equal(shown(path), PICTURE)


GREY = np.array([[0, 255, 256, 257], [511, 512, 32768, 65535]], np.uint16)


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_the_high_byte_of_16_bits(tmp_path, ending):
    path = tmp_path / f"1.{ending}"
    Image.fromarray(GREY).save(path)
    expected = [[0, 0, 1, 1], [1, 2, 128, 255]]
    assert np.array_equal(shown(path), np.repeat(np.array(expected)[..., None], 3, axis=2))


def test_the_high_byte_of_16_bits_in_pgm(tmp_path):
    path = tmp_path / "1.pgm"
    path.write_bytes(b"P5 4 2 65535\n" + GREY.astype(">u2").tobytes())
    assert shown(path)[..., 1].tolist() == [[0, 0, 1, 1], [1, 2, 128, 255]]


def over_white(pixels):
    """Colour and opacity of each pixel to its colour on white paper, in plain numbers."""
    return np.array(
        [
            [[round((c * a + 255 * (255 - a)) / 255) for c in colour] for *colour, a in row]
            for row in pixels.tolist()
        ]
    )


def test_transparent_pixels_are_seen_over_white(tmp_path):
    alpha = np.array([[0, 255, 128], [1, 254, 77]], np.uint8)
    pixels = np.dstack([PICTURE, alpha])
    path = tmp_path / "1.png"
    Image.fromarray(pixels).save(path)
    found, expected = shown(path).astype(int), over_white(pixels)
    assert np.abs(found - expected).max() <= 1
    assert np.array_equal(found[alpha == 255], PICTURE[alpha == 255])
    assert np.all(found[alpha == 0] == 255)


@pytest.mark.parametrize(
    ("mode", "saved"),
    [
        ("LA", {}),
        ("L", {"transparency": 10}),
        ("RGB", {"transparency": (10, 10, 10)}),
        ("P", {"transparency": 0}),
    ],
)
def test_every_way_to_be_transparent(tmp_path, mode, saved):
    """One pixel is transparent, the other is a mid grey."""
    if mode == "P":
        image = Image.new("P", (2, 1))
        image.putpalette([10, 10, 10, 99, 99, 99])
        image.putdata([0, 1])
    else:
        image = Image.new(mode, (2, 1))
        transparent, opaque = {"LA": ((10, 0), (99, 255)), "L": (10, 99)}.get(
            mode, ((10, 10, 10), (99, 99, 99))
        )
        image.putdata([transparent, opaque])
    path = tmp_path / "1.png"
    image.save(path, **saved)
    assert shown(path).tolist() == [[[255] * 3, [99] * 3]]


@pytest.mark.parametrize(("mode", "white"), [("1", 1), ("L", 255), ("CMYK", (0, 0, 0, 0))])
def test_other_modes(tmp_path, mode, white):
    path = tmp_path / "1.tiff"
    Image.new(mode, (2, 1), white).save(path)
    assert shown(path).tolist() == [[[255] * 3] * 2]


def test_what_cannot_be_shown_is_refused(tmp_path):
    path = tmp_path / "1.tiff"
    for numbers in (np.ones((2, 2), np.float32), np.ones((2, 2), np.int32)):
        Image.fromarray(numbers).save(path)
        with pytest.raises(InputError, match=r"1.tiff: pixels are numbers of 32 bits"):
            decode.rgb(path)
    first, second = Image.new("RGB", (2, 2)), Image.new("RGB", (2, 2), "white")
    for path in (tmp_path / "2.tiff", tmp_path / "2.png"):
        first.save(path, save_all=True, append_images=[second])
        with pytest.raises(InputError, match=r"2.\w+: holds several images; keep one"):
            decode.rgb(path)
    path = tmp_path / "grey.png"
    Image.fromarray(GREY).save(path, transparency=3)
    with pytest.raises(InputError, match=r"grey.png: 16 bits with a transparent grey"):
        decode.rgb(path)


def test_damage_of_any_kind_is_one_error(tmp_path):
    rng = np.random.default_rng(5)
    picture = Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8))
    outcomes = set()
    for ending in ("png", "jpg", "tiff", "webp", "bmp", "ppm"):
        whole = tmp_path / f"whole.{ending}"
        picture.save(whole)
        content = np.frombuffer(whole.read_bytes(), np.uint8)
        for number in range(60):
            damaged = content.copy()
            if number % 2:
                damaged = damaged[: rng.integers(1, len(damaged))]
            damaged[rng.integers(0, min(len(damaged), 200), 3)] = rng.integers(0, 256, 3)
            path = tmp_path / f"damaged.{ending}"
            path.write_bytes(damaged.tobytes())
            try:
                decode.rgb(path)
                outcomes.add("read")
            except InputError as error:
                assert str(error).startswith(f"{path}: ")
                outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_threads_that_overlap_leave_the_warnings_as_they_were(tmp_path, monkeypatch):
    """The filters are the process's: the first in was not the last out."""
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    # Pillow warns of a bomb, and warnings are errors here.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    both, first_is_out = threading.Barrier(2, timeout=30), threading.Event()
    original = decode._colours

    def overlapping(image, file):
        both.wait()
        if threading.current_thread().name == "second":
            assert first_is_out.wait(30)
        return original(image, file)

    monkeypatch.setattr(decode, "_colours", overlapping)
    before, sizes = list(warnings.filters), []

    def work():
        sizes.append(decode.rgb(tmp_path / "a.png").size)

    threads = [threading.Thread(target=work, name=name) for name in ("first", "second")]
    threads[0].start()
    while not both.n_waiting:
        time.sleep(0.001)
    threads[1].start()
    threads[0].join()
    first_is_out.set()
    threads[1].join()
    assert sizes == [(9, 9)] * 2
    assert list(warnings.filters) == before
