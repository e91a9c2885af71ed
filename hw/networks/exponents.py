"""How the weights of a layer spread over the powers of two, and how many are zero."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hw.ir.network import Network
from hw.ir.weights import decode


@dataclass(frozen=True)
class Exponents:
    """The weights of a layer, or of several, counted.

    Parameters
    ----------
    zeros: how many are 0
    powers: exponent p to how many are -2**p and how many +2**p, in rising order; only p that occur
    """

    zeros: int
    powers: Mapping[int, tuple[int, int]]

    @property
    def weights(self) -> int:
        return self.zeros + sum(map(sum, self.powers.values()))

    @property
    def zero_share(self) -> float:
        """Share of weights that are 0: those cost no addition."""
        return self.zeros / self.weights if self.weights else 0.0

    def to_mapping(self) -> dict[str, Any]:
        """In plain numbers and texts, for JSON."""
        powers = {str(p): list(counts) for p, counts in self.powers.items()}
        return {"zeros": self.zeros, "powers": powers}


def exponents(sign: np.ndarray, power: np.ndarray) -> Exponents:
    """Of weights sign·2**power, arrays of one shape; the power of a zero means nothing."""
    found = np.unique(power[sign != 0]).tolist()
    powers = {
        p: (int(np.sum((power == p) & (sign < 0))), int(np.sum((power == p) & (sign > 0))))
        for p in found
    }
    return Exponents(int(np.sum(sign == 0)), powers)


def of_network(network: Network) -> dict[str, Exponents]:
    """By the name of each layer that has weights, in the network's order."""
    bits = network.arithmetic.weight_bits
    return {
        node.name: exponents(*decode(network.params[node.name].codes, bits))
        for node in network.graph
        if node.name in network.params
    }


def together(layers: Iterable[Exponents]) -> Exponents:
    """Of all these layers."""
    zeros, powers = 0, {}
    for layer in layers:
        zeros += layer.zeros
        for p, (negative, positive) in layer.powers.items():
            before = powers.get(p, (0, 0))
            powers[p] = (before[0] + negative, before[1] + positive)
    return Exponents(zeros, dict(sorted(powers.items())))
