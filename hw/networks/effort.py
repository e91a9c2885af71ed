"""What a network of powers of two takes: shifts, additions, storage, with its zeros and without."""

from collections.abc import Mapping
from dataclasses import dataclass

from hw.ir.network import Network
from hw.ir.parameters import LayerParams
from hw.networks.counts import Count, count
from hw.networks.exponents import Exponents, of_network

FLOAT_BITS = 32
"""Of a weight before it becomes a power of two."""


@dataclass(frozen=True)
class Operations:
    """For one image, padding counted as it is in `hw.networks.counts`.

    Parameters
    ----------
    shifts: one for each weight and output pixel it meets
    additions: as in `hw.networks.counts`
    needed_shifts, needed_additions: without those of weights that are 0
    """

    shifts: int
    additions: int
    needed_shifts: int
    needed_additions: int


@dataclass(frozen=True)
class Storage:
    """Bits that the parameters take.

    Parameters
    ----------
    before: of all trainable weights, as 32-bit numbers
    weights: of the codes, at the network's bits each
    scales: of the terms of scales: a sign, and an exponent in as few bits as the layer's take
    biases: each in as few bits as the layer's take, in two's complement
    """

    before: int
    weights: int
    scales: int
    biases: int

    @property
    def after(self) -> int:
        return self.weights + self.scales + self.biases


@dataclass(frozen=True)
class Effort:
    """Of a network.

    Parameters
    ----------
    size: its weights and additions, node by node
    layers: name of each layer with weights -> how these spread over the powers of two
    operations: node by node
    storage: of all parameters
    """

    size: Count
    layers: Mapping[str, Exponents]
    operations: Mapping[str, Operations]
    storage: Storage

    @property
    def total(self) -> Operations:
        each = self.operations.values()
        return Operations(
            sum(one.shifts for one in each),
            sum(one.additions for one in each),
            sum(one.needed_shifts for one in each),
            sum(one.needed_additions for one in each),
        )


def effort(network: Network) -> Effort:
    """What a network takes."""
    size, layers = count(network.graph), of_network(network)
    operations = {}
    for node in network.graph:
        additions, shifts, zeros = size.nodes[node.name].additions, 0, 0
        if node.name in layers:
            height, width, _ = node.shape
            shifts = layers[node.name].weights * height * width
            zeros = layers[node.name].zeros * height * width
        operations[node.name] = Operations(shifts, additions, shifts - zeros, additions - zeros)
    return Effort(size, layers, operations, _storage(network, size))


def _storage(network: Network, size: Count) -> Storage:
    params = network.params.values()
    return Storage(
        before=size.weights * FLOAT_BITS,
        weights=size.kernel * network.arithmetic.weight_bits,
        scales=sum(map(_scale_bits, params)),
        biases=sum(_bias_bits(layer) for layer in params),
    )


def _scale_bits(layer: LayerParams) -> int:
    """Of the terms of a layer, 0 where all scales are 1."""
    used = layer.scale_sign != 0
    if not used.any() or (used.all() and not layer.scale_exp.any() and used.shape[1] == 1):
        return 0
    exponents = layer.scale_exp[used]
    span = int(exponents.max()) - int(exponents.min())
    # A sign, which may be 0 as well, and the distance from the smallest exponent.
    return used.size * (2 + span.bit_length())


def _bias_bits(layer: LayerParams) -> int:
    most = max((bias if bias >= 0 else ~bias).bit_length() for bias in layer.bias)
    return len(layer.bias) * (1 + most) if any(layer.bias) else 0
