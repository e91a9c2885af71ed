"""What a trained network is like inside, as its run keeps it: `inside.json`.

    {"exponents": {"stem/conv": {"zeros": 3, "powers": {"-2": [5, 4], "0": [1, 0]}}, ...},
     "confusion": [[97, 3], [1, 99]]}

`exponents` counts -2**p and +2**p of each layer whose weights are powers of two; `confusion` counts
test images, a row a class, a column the class found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hw.networks.exponents import Exponents

INSIDE = "inside.json"
"""Its file in the run's folder."""


@dataclass(frozen=True)
class Inside:
    """See above.

    Parameters
    ----------
    exponents: by the names of layers; empty for real weights
    confusion: (classes, classes), see `hw.networks.confusion`
    """

    exponents: Mapping[str, Exponents]
    confusion: np.ndarray

    def to_mapping(self) -> dict[str, Any]:
        return {
            "exponents": {name: layer.to_mapping() for name, layer in self.exponents.items()},
            "confusion": self.confusion.tolist(),
        }

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Inside":
        """ValueError, with a reason, where `values` is not what `to_mapping` makes."""
        try:
            exponents = {
                name: Exponents(
                    int(layer["zeros"]),
                    {int(p): (int(n), int(m)) for p, (n, m) in layer["powers"].items()},
                )
                for name, layer in values["exponents"].items()
            }
            confusion = np.array(values["confusion"], np.int64)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not exponents and confusion ({error})") from error
        if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
            raise ValueError(f"confusion has the shape {confusion.shape}, expected a square")
        return cls(exponents, confusion)
