from hw.ir.format import IMAGE_FORMAT, Format, width_of


def test_range():
    assert (Format(True, 8, 4).qmin, Format(True, 8, 4).qmax) == (-128, 127)
    assert (Format(False, 8, 4).qmin, Format(False, 8, 4).qmax) == (0, 255)
    assert (IMAGE_FORMAT.qmin, IMAGE_FORMAT.qmax, IMAGE_FORMAT.frac) == (0, 255, 8)


def test_text():
    assert str(Format(True, 8, -2)) == "s8.-2"
    assert str(IMAGE_FORMAT) == "u8.8"


def test_width_is_the_smallest():
    for low in range(-20, 21):
        for high in range(low, 21):
            width = width_of(low, high)
            assert -(1 << (width - 1)) <= low and high < 1 << (width - 1)
            smaller = width - 1
            assert smaller == 0 or not (-(1 << (smaller - 1)) <= low and high < 1 << (smaller - 1))
