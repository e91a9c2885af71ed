"""Settings that make no sense are refused by the name of their field."""

import pytest

from hw.errors import InputError
from nas.config import load_config
from nas.shift import Layer, ShiftSettings

WRONG = {
    "layer": ("pss", "expected one of ('ps', 'q', 'inq'), found 'pss'"),
    "weight_bits": (4, "expected one of (5, 6), found 4"),
    "grad_rule": ("papr", "expected one of ('paper', 'exact'), found 'papr'"),
    "init": ("zero", "expected one of ('kaiming', 'uniform'), found 'zero'"),
    "scale_terms": (5, "expected one of (0, 1, 2, 3, 4), found 5"),
    "stem": ("no", "expected one of (True, False), found 'no'"),
    "classifier": (None, "expected one of (True, False), found None"),
    "inq_portions": ((0.5, 0.5, 1), "expected rising numbers above 0, the last 1, found (0.5, 0.5"),
}


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_value_is_named(field):
    value, message = WRONG[field]
    with pytest.raises(ValueError) as caught:
        ShiftSettings(**{field: value})
    assert str(caught.value).startswith(f"{field}: {message}")


@pytest.mark.parametrize("shift", [40, 16, -3, 2.5])
def test_a_shift_is_a_whole_number_that_a_code_has(shift):
    with pytest.raises(ValueError, match=r"^max_shift: expected a whole number from 0 to 15"):
        ShiftSettings(max_shift=shift)


def test_the_ends_are_taken():
    assert ShiftSettings(max_shift=0).power_min == 0
    assert ShiftSettings(max_shift=15, weight_bits=6).power_min == -15
    assert ShiftSettings(layer=Layer.INQ, inq_portions=(1.0,)).layer == "inq"


def test_a_configuration_names_its_own_field():
    for setting, message in (
        ("shift.max_shift=40", "--set: shift.max_shift: expected at most 15, found 40"),
        ("shift.weight_bits=4", "--set: shift.weight_bits: expected one of (5, 6), found 4"),
    ):
        with pytest.raises(InputError) as caught:
            load_config("tiny", (setting,))
        assert str(caught.value) == message
