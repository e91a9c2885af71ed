"""What a run keeps of its network's inside."""

import json

import numpy as np
import pytest

from hw.networks.exponents import Exponents
from hw.networks.inside import Inside

INSIDE = Inside({"a": Exponents(2, {-3: (1, 0), 0: (4, 5)})}, np.array([[3, 1], [0, 2]]))


def test_round_trip_by_json():
    found = Inside.from_mapping(json.loads(json.dumps(INSIDE.to_mapping())))
    assert found.exponents == INSIDE.exponents
    assert np.array_equal(found.confusion, INSIDE.confusion)


@pytest.mark.parametrize(
    "damage",
    [
        {"exponents": None},
        {"exponents": {"a": {"zeros": 1}}},
        {"exponents": {"a": {"zeros": 1, "powers": {"x": [1, 2]}}}},
        {"confusion": [[1, 2]]},
        {"confusion": [[1, 2], [3]]},
        {"confusion": "none"},
    ],
)
def test_something_else_is_refused(damage):
    with pytest.raises(ValueError, match=r"exponents|confusion"):
        Inside.from_mapping({**INSIDE.to_mapping(), **damage})
