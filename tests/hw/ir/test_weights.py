import numpy as np
import pytest

from hw.ir.weights import P_MIN, are_codes, decode, encode


@pytest.mark.parametrize("bits", [5, 6])
def test_every_code_once(bits):
    """All weights of the code: zero and ±2**p for p from P_MIN to 0."""
    wanted = [(0, 0)] + [(s, p) for p in range(P_MIN[bits], 1) for s in (-1, 1)]
    sign, power = np.array(wanted).T
    codes = encode(sign, power, bits)
    assert codes.dtype == np.uint8
    assert codes.max() < 1 << bits
    assert len(set(codes.tolist())) == len(wanted)
    found = decode(codes, bits)
    assert found[0].tolist() == sign.tolist()
    assert found[1].tolist() == power.tolist()


def test_five_bits_are_sign_and_magnitude():
    assert encode(np.array([1, 1, -1, 0]), np.array([0, -14, 0, -3]), 5).tolist() == [1, 15, 17, 0]


def test_exponents_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"span \[-15, 1\]"):
        encode(np.array([1, -1]), np.array([1, -15]), 5)


@pytest.mark.parametrize("bits", [5, 6])
def test_a_code_is_what_encode_can_give(bits):
    """Of all bytes: magnitudes of powers below P_MIN are none, nor is a sign without one."""
    wanted = [(0, 0)] + [(s, p) for p in range(P_MIN[bits], 1) for s in (-1, 1)]
    given = set(encode(*np.array(wanted).T, bits).tolist())
    found = {one for one in range(256) if are_codes(np.array([one], np.uint8), bits)}
    assert found == given
    assert not are_codes(np.array([0, 1, 1 << (bits - 1)], np.uint8), bits)
