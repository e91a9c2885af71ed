"""Networks with random weights and sensible formats, for hardware work without training.

Weights are drawn as a freshly initialised network's, rounded to powers of two. Batch norms are
given the statistics of a few seeded images, so that every layer's output is spread over its range,
and formats are chosen from the same images, layer after layer, as the reference computes them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce

import numpy as np

from hw.errors import CheckFailed, InputError
from hw.ir.arithmetic import Accumulation, accumulation
from hw.ir.calibrate import choose_frac
from hw.ir.clip import clipped, clipped_format
from hw.ir.fold import Scales, fixed_point, fold, power_terms, unit_scales
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Graph,
    Input,
    Linear,
    MaxPool,
    Node,
    Rounded,
    Select,
    Shape,
    Weighted,
)
from hw.ir.integers import Integers
from hw.ir.network import Network
from hw.ir.paper import PAPER, PAPER_FORMAT
from hw.ir.parameters import Arithmetic, LayerParams, Rounding
from hw.ir.reference import accumulate, operation, requantise
from hw.ir.validate import validate, weight_shape
from hw.ir.weights import P_MIN, encode

ZERO_SHARE = 0.25
"""Share of the weights that are zero, unless asked otherwise."""

EPS = 1e-5
"""Added to a batch norm's variance, as PyTorch does."""

LEAST_RANGE = 0.5
MOST_SATURATED = 0.05

REDRAWS = 8


def random_network(
    graph: Graph,
    *,
    seed: int,
    act_bits: int = 8,
    scale_terms: int = 3,
    guard: int | None = None,
    weight_bits: int = 5,
    rounding: Rounding = Rounding.HALF_UP,
    paper: bool = False,
    formats: Mapping[str, Format] | None = None,
    zeros: float = ZERO_SHARE,
) -> Network:
    """A network of random weights on `graph` (its unread nodes are left out).

    Parameters
    ----------
    act_bits: width of the activations, 2 to 32
    scale_terms: K, 1 to 4
    guard: bits kept below the input's last one, None for exact products
    weight_bits: 5 or 6
    rounding: of requantisations, additions and concatenations
    paper: the paper's number formats (32 bits, 16 of them fractional, 6-bit weights, no guard
        bits, rounding down); then `act_bits`, `guard`, `weight_bits` and `rounding` do not count
    formats: of all tensors but the logits, instead of fitting ones; how well they are used is then
        not looked at
    zeros: share of the weights that are zero, of each layer on average; 0 to less than 1

    Raises
    ------
    InputError: a setting out of range, or a graph that is not well formed
    CheckFailed: a tensor that uses less than half of its range or saturates on 5 % or more
    """
    check_settings(act_bits, scale_terms, guard, weight_bits)
    if not 0 <= zeros < 1:
        raise InputError(f"zeros: {zeros}; expected a share of 0 to less than 1")
    arithmetic = arithmetic_of(scale_terms, guard, weight_bits, paper, rounding)
    rng = np.random.default_rng(seed)
    maker = _Maker(graph.pruned(), arithmetic, act_bits, paper, rng, formats, zeros)
    maker.run()
    network = maker.network
    network.meta.update(random_seed=seed)
    validate(network)
    return network


def arithmetic_of(
    scale_terms: int,
    guard: int | None,
    weight_bits: int,
    paper: bool,
    rounding: Rounding = Rounding.HALF_UP,
) -> Arithmetic:
    """The settings of a network that all of its layers share."""
    if paper:
        return replace(PAPER, scale_terms=scale_terms)
    return Arithmetic(
        weight_bits=weight_bits, guard=guard, rounding=rounding, scale_terms=scale_terms
    )


def check_settings(act_bits: int, scale_terms: int, guard: int | None, weight_bits: int) -> None:
    """Raise InputError for a setting that is out of range."""
    for field, value, low, high in (
        ("act_bits", act_bits, 2, 32),
        ("scale_terms", scale_terms, 1, 4),
        ("guard", 0 if guard is None else guard, 0, 32),
        ("weight_bits", weight_bits, 5, 6),
    ):
        if not low <= value <= high:
            raise InputError(f"{field}: {value}; expected an integer {low} to {high}")


def calibration_images(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """A few full-range images, uint8 NHWC: half of them noise, half soft shapes.

    Noise reaches every value next to every other; it averages away in pools, soft shapes do not.
    """
    height, width, channels = shape
    count = int(np.clip(8192 // (height * width), 2, 32))
    noise = rng.integers(0, 256, (count, height, width, channels))
    coarse = rng.normal(size=(count, 4, 4, channels))
    rows, columns = _interpolation(height), _interpolation(width)
    soft = np.einsum("yi,xj,nijc->nyxc", rows, columns, coarse)
    low = soft.min(axis=(1, 2, 3), keepdims=True)
    span = np.maximum(np.ptp(soft, axis=(1, 2, 3), keepdims=True), 1e-12)
    soft = np.floor((soft - low) / span * 255.0 + 0.5).astype(np.int64)
    return np.concatenate([noise, soft]).astype(np.uint8)


def _interpolation(side: int, points: int = 4) -> np.ndarray:
    """Weights (side, points) that interpolate linearly between evenly spaced points."""
    at = np.linspace(0, points - 1, side)[:, None]
    return np.clip(1 - np.abs(at - np.arange(points)), 0, 1)


def saturated_share(values: np.ndarray, target: Format) -> float:
    """Share of the values that a format clamps."""
    codes = np.floor(values * 2.0**target.frac + 0.5)
    return float(np.mean((codes < target.qmin) | (codes > target.qmax)))


class _Maker:
    """Walks the graph once: draws, measures and fixes one node after the other."""

    def __init__(
        self,
        graph: Graph,
        arithmetic: Arithmetic,
        act_bits: int,
        paper: bool,
        rng: np.random.Generator,
        formats: Mapping[str, Format] | None,
        zeros: float,
    ) -> None:
        self.graph = graph
        self.width = PAPER_FORMAT.width if paper else act_bits
        self.paper = paper
        self.rng = rng
        self.formats = formats
        self.zeros = zeros
        self.network = Network(graph=graph, formats={}, params={}, arithmetic=arithmetic, meta={})
        self.tensors: dict[str, Integers] = {}

    def run(self) -> None:
        images = calibration_images(self.rng, self.graph.input.shape)
        last = {source: node.name for node in self.graph for source in node.inputs}
        for node in self.graph:
            sources = [self.tensors[name] for name in node.inputs] or [images]
            self.tensors[node.name] = self.make(node, sources)
            for name in set(node.inputs):
                if last[name] == node.name:
                    del self.tensors[name]

    def make(self, node: Node, sources: list[Integers]) -> Integers:
        """Fix the node's parameters and format; its output for the calibration images."""
        formats, name = self.network.formats, node.name
        match node:
            case Input():
                formats[name] = IMAGE_FORMAT
            case MaxPool() | AvgPool() | GlobalPool() | Select():
                formats[name] = formats[node.inputs[0]]
            case Linear():
                self.draw(node)
            case Conv() | FactorizedReduce():
                acc, total = self.draw_live(node, sources)
                self.scale(node, acc, total.astype(np.float64) * 2.0**-acc.frac)
                return self.checked(node, lambda net: requantise(net, name, acc)(total))
            case Add():
                real = reduce(np.add, (self.real(source) for source in node.inputs))
                formats[name] = self.choose(node, real)
                return self.checked(node, lambda net: operation(net, name)(sources))
            case Concat():
                real = np.concatenate([self.real(source) for source in node.inputs], axis=3)
                formats[name] = self.choose(node, real)
                return self.checked(node, lambda net: operation(net, name)(sources))
        return operation(self.network, name)(sources)

    def real(self, name: str) -> np.ndarray:
        """Values that the codes of a tensor stand for."""
        return self.tensors[name].astype(np.float64) * 2.0 ** -self.network.formats[name].frac

    def choose(self, node: Rounded, values: np.ndarray) -> Format:
        """Format of a node's tensor that takes these values before they are clipped, unless given.

        It has the least squared error of those that saturate on few enough (of all, but for
        formats of two to four bits).
        """
        if self.formats is not None:
            return self.formats[node.name]
        if self.paper:
            return clipped_format(node.clip, PAPER_FORMAT.width, PAPER_FORMAT.frac)
        values = clipped(values, node.clip)
        frac = choose_frac(values, self.width, signed=node.clip is None)
        found = clipped_format(node.clip, self.width, frac)
        while saturated_share(values, found) >= MOST_SATURATED:
            frac -= 1
            found = clipped_format(node.clip, self.width, frac)
        return found

    def draw_live(
        self, node: Conv | FactorizedReduce, sources: list[Integers]
    ) -> tuple[Accumulation, Integers]:
        """`draw` and the accumulators; a few times over where small shapes leave them all zero."""
        for _ in range(REDRAWS):
            acc = self.draw(node)
            total = accumulate(self.network, node.name, acc)(sources)
            if total.any():
                break
        return acc, total

    def draw(self, node: Weighted) -> Accumulation:
        """Random weights, and a Linear's bias."""
        shape = weight_shape(self.network, node)
        bits = self.network.arithmetic.weight_bits
        values = self.rng.normal(size=shape) * np.sqrt(2.0 / np.prod(shape[1:]))
        sign = np.where(self.rng.random(shape) < self.zeros, 0, np.sign(values))
        power = np.rint(np.log2(np.maximum(np.abs(values), 2.0**-40)))
        codes = encode(sign, np.clip(power, P_MIN[bits], 0), bits)
        channels = shape[0]
        params = LayerParams(
            codes=codes,
            scale_sign=np.zeros((channels, 0), np.int8),
            scale_exp=np.zeros((channels, 0), np.int16),
            bias=(0,) * channels,
        )
        self.network.params[node.name] = params
        acc = accumulation(self.network, node.name)
        if isinstance(node, Linear):
            drawn = self.rng.normal(size=channels) / 8
            bias = tuple(fixed_point(value, acc.frac) for value in drawn.tolist())
            self.network.params[node.name] = replace(params, bias=bias)
        return acc

    def scale(self, node: Conv | FactorizedReduce, acc: Accumulation, real: np.ndarray) -> None:
        """Random batch norm around the accumulators' statistics, folded; the output's format."""
        channels = node.shape[2]
        if isinstance(node, Conv) and not node.batch_norm:
            bias = np.zeros(0)
            if node.bias:
                # Each channel around zero, as a batch norm would have it: none is cut off whole.
                spread = self.rng.normal(size=channels) / 4
                bias = spread * real.std() - real.mean(axis=(0, 1, 2))
            self.network.formats[node.name] = self.choose(node, real + bias if node.bias else real)
            self.fix(node, unit_scales(channels, bias.tolist(), acc.frac))
            return
        mean, var = real.mean(axis=(0, 1, 2)), real.var(axis=(0, 1, 2))
        # A channel that never changes has nothing to normalise: it stays dead.
        gamma = np.where(var > 0, self.rng.uniform(0.5, 1.5, channels), 0.0)
        beta = self.rng.uniform(-0.5, 0.5, channels)
        terms = self.network.arithmetic.scale_terms
        factor = (gamma / np.sqrt(var + EPS)).tolist()
        scale = [
            sum(sign * 2.0**exp for sign, exp in power_terms(value, terms)) for value in factor
        ]
        target = self.choose(node, (real - mean) * scale + beta)
        self.network.formats[node.name] = target
        self.fix(node, fold(factor, beta, mean, acc=acc, out=target, terms=terms))

    def fix(self, node: Node, scales: Scales) -> None:
        self.network.params[node.name] = replace(
            self.network.params[node.name],
            scale_sign=scales.sign,
            scale_exp=scales.exp,
            bias=scales.bias,
        )

    def checked(self, node: Rounded, compute: Callable[[Network], Integers]) -> Integers:
        """Output of a node whose format was chosen; CheckFailed if the format does not suit it."""
        target = self.network.formats[node.name]
        codes = compute(self.network)
        if self.paper or self.formats is not None:
            return codes
        # The same tensor with more bits to the left shows what the format cuts off.
        wide = Format(True, target.width + 32, target.frac)
        unbounded = replace(self.network, formats={**self.network.formats, node.name: wide})
        # What is cut off by intention does not count.
        real = compute(unbounded).astype(np.float64) * 2.0**-target.frac
        saturated = saturated_share(clipped(real, node.clip), target)
        # Of the half on the larger side: a tensor may well have one sign only.
        used = int(codes.max()) / target.qmax
        if target.signed:
            used = max(used, int(codes.min()) / target.qmin)
        if used < LEAST_RANGE or saturated >= MOST_SATURATED:
            raise CheckFailed(
                f"{node.name}: {used:.0%} of its {target} range used (at least "
                f"{LEAST_RANGE:.0%} wanted), {saturated:.1%} saturated (less than "
                f"{MOST_SATURATED:.0%}); try another seed or more act_bits"
            )
        return codes
