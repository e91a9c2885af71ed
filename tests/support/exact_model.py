"""Evaluation of a quantised network in torch, equal to the integer reference in every bit.

An implementation of its own: real values in float64, convolved with the model's quantised weights,
scaled by the folded scales, rounded to each tensor's format. A float64 holds every value exactly as
long as the exact bound of what a layer computes has at most 53 bits; where it has more, that layer
computes shifts and additions of int64 (up to 63 bits) or of Python integers. Between layers all
tensors are real values in float64 again: formats have 32 bits at the most.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import assert_never

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hw.errors import InputError
from hw.ir.arithmetic import (
    Alignment,
    Requantisation,
    accumulation,
    alignment,
    alignments,
    average,
    requantisation,
)
from hw.ir.format import Format
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Input,
    Linear,
    MaxPool,
    Node,
    Select,
)
from hw.ir.integers import codes_of
from hw.ir.network import Network
from hw.ir.parameters import Rounding
from nas.model import GraphModel, pad_to_even
from nas.padding import padded, torch_padding, window_sums
from nas.shift import ShiftWeight

FLOAT_BITS, INT_BITS = 53, 63
"""Most bits of what is computed in float64 and in int64."""

TENSOR_BITS = 53
"""Most bits of what passes from layer to layer, and of a pool's sums: they stay in float64."""

BATCH = 250


class ExactModel:
    """A trained model with the formats, scales and biases of the network made of it.

    Parameters
    ----------
    model: its weights are used as they are, through `to_int`
    network: of `nas.quantise.quantise(model, ...)`
    """

    def __init__(self, model: GraphModel, network: Network):
        self.network, self.graph = network, network.graph
        self.weights: dict[str, ShiftWeight] = model.shift_weights()

    def codes(
        self, images: np.ndarray, keep: Collection[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Integer codes of the tensors in `keep` (default: all), NHWC.

        They are what `hw.ir.reference.run` gives. `images` is uint8, (N, H, W, C).
        """
        names = [node.name for node in self.graph] if keep is None else list(keep)
        parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for start in range(0, len(images), BATCH):
            for name, codes in self._batch(images[start : start + BATCH], names):
                parts[name].append(codes)
        return {name: np.concatenate(parts[name]) for name in names}

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Codes of the logits, (N, classes)."""
        name = self.graph.output.name
        return self.codes(images, [name])[name].reshape(len(images), -1)

    def _batch(self, images: np.ndarray, names: list[str]) -> Iterator[tuple[str, np.ndarray]]:
        values: dict[str, Tensor] = {}
        for node in self.graph:
            if isinstance(node, Linear):
                codes = self._linear(node, values[node.inputs[0]])
            else:
                values[node.name] = self._value(node, values, images)
                codes = self._format(node.name).codes(values[node.name])
            if node.name in names:
                yield node.name, codes

    def _format(self, name: str) -> "_Rounding":
        return _Rounding(self.network.formats[name])

    def _value(self, node: Node, values: dict[str, Tensor], images: np.ndarray) -> Tensor:
        """Real values of the node's tensor, float64, NCHW."""
        inputs = [values[name] for name in node.inputs]
        match node:
            case Input():
                pixels = torch.tensor(images)
                return pixels.permute(0, 3, 1, 2).double() * 2.0**-8
            case Conv() | FactorizedReduce():
                return self._convolution(node, inputs[0])
            case MaxPool():
                x = padded(inputs[0], node, -math.inf)
                return functional.max_pool2d(x, node.kernel, node.stride, torch_padding(node))
            case Select():
                return inputs[0][:, list(node.channels)]
            case AvgPool() | GlobalPool():
                return self._average(node, inputs[0])
            case Add():
                return self._aligned(node, node.inputs, inputs, alignment(self.network, node.name))
            case Concat():
                parts = zip(node.inputs, inputs, alignments(self.network, node.name), strict=True)
                return torch.cat([self._aligned(node, (n,), [x], a) for n, x, a in parts], 1)
        raise TypeError(f"{node.name}: {type(node).__name__} has no exact evaluation")

    # --- weighted layers -----------------------------------------------------------------

    def _weight(self, name: str) -> tuple[Tensor, Tensor, int]:
        """Sign and power (int64) of a layer's weights, and p0, its smallest power."""
        sign, power = self.weights[name].to_int()
        used = power[sign != 0]
        return sign, power, int(used.min()) if used.numel() else 0

    def _products(
        self, x: Tensor, sign: Tensor, power: Tensor, guard: int | None, frac: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs (input, kernel) whose convolutions add up to the real value of the accumulator."""
        w = sign.double() * torch.exp2(power.double())
        if guard is None:
            yield x, w
            return
        step = 2.0 ** (frac + guard)
        for p in power[sign != 0].unique().tolist():
            floored = torch.floor(x * (step * 2.0**p)) / step
            yield floored, torch.where(power == p, sign, 0).double()

    def _convolution(self, node: Conv | FactorizedReduce, x: Tensor) -> Tensor:
        network, name = self.network, node.name
        guard, params = network.arithmetic.guard, network.params[name]
        in_frac = network.formats[node.inputs[0]].frac
        sign, power, p0 = self._weight(name)
        acc_frac = in_frac - p0 if guard is None else in_frac + guard
        constants = requantisation(network, name)
        bits = max(accumulation(network, name).width, constants.width)
        if node.relu_in:
            x = functional.relu(x)
        target = _Rounding(network.formats[name], self._half_up(constants.shift))
        if bits > FLOAT_BITS:
            return target.decode(self._wide_convolution(node, x, in_frac))
        acc = sum(
            self._taps(node, floored, kernel)
            for floored, kernel in self._products(x, sign, power, guard, in_frac)
        )
        if isinstance(acc, int):  # every weight is zero
            acc = self._taps(node, x, torch.zeros(sign.shape, dtype=torch.float64))
        used = params.scale_sign != 0
        e_min = int(params.scale_exp[used].min()) if used.any() else 0
        scale = (params.scale_sign * np.exp2(params.scale_exp.astype(np.float64))).sum(1)
        bias = [float(b) * 2.0 ** -(acc_frac - e_min) for b in params.bias]
        v = acc * _per_channel(scale) + _per_channel(bias)
        return target.value(v)

    def _half_up(self, shift: int) -> bool:
        """Whether a right shift by `shift` rounds half up; a shift by nothing has nothing to."""
        match self.network.arithmetic.rounding:
            case Rounding.HALF_UP:
                return shift > 0
            case Rounding.FLOOR:
                return False
            case unknown:
                assert_never(unknown)

    @staticmethod
    def _taps(node: Conv | FactorizedReduce, x: Tensor, kernel: Tensor) -> Tensor:
        if isinstance(node, FactorizedReduce):
            x, half = pad_to_even(x), kernel.shape[0] // 2
            # A single channel is of the second kind; torch convolves to one or more.
            halves = ((x, kernel[:half]), (x[:, :, 1:, 1:], kernel[half:]))
            return torch.cat([functional.conv2d(q, w, stride=2) for q, w in halves if len(w)], 1)
        return functional.conv2d(
            padded(x, node),
            kernel,
            None,
            node.stride,
            torch_padding(node),
            node.dilation,
            node.groups,
        )

    def _wide_convolution(self, node: Conv | FactorizedReduce, x: Tensor, frac: int) -> np.ndarray:
        """Codes of the layer, by shifts and additions of integers as they stand in eq. 1 and 2."""
        network, params = self.network, self.network.params[node.name]
        guard, target = network.arithmetic.guard, network.formats[node.name]
        sign, power, p0 = self._weight(node.name)
        low_bit = p0 if guard is None else -guard
        constants = requantisation(network, node.name)
        q = _integers(x, frac, self._bits(node, constants))
        acc = np.zeros((len(q), *node.shape[2:], *node.shape[:2]), q.dtype)
        for out, position, window in _windows(node, q, sign):
            p = int(power[out][position]) - low_bit
            term = window << p if p >= 0 else window >> -p
            acc[:, out] += int(sign[out][position]) * term
        result = np.zeros_like(acc)
        for c, bias in enumerate(params.bias):
            for s, e in zip(
                params.scale_sign[c].tolist(), params.scale_exp[c].tolist(), strict=True
            ):
                if s:
                    result[:, c] += s * (acc[:, c] << (e - constants.e_min))
            result[:, c] += bias
        return _shifted(result, constants.shift, self._half_up(constants.shift), target)

    def _bits(self, node: Conv | FactorizedReduce, constants: Requantisation) -> int:
        """Of the accumulator, and of u term by term: those of both signs may reach further than
        their sum; and of v shifted, where that is to the left."""
        params, acc = self.network.params[node.name], accumulation(self.network, node.name)
        bits = acc.width
        for low, high, signs, exps, bias in zip(
            acc.low,
            acc.high,
            params.scale_sign.tolist(),
            params.scale_exp.tolist(),
            params.bias,
            strict=True,
        ):
            terms = zip(signs, exps, strict=True)
            scale = sum(1 << (e - constants.e_min) for s, e in terms if s)
            reach = max(abs(low), abs(high)) * scale + abs(bias) + constants.rounding
            bits = max(bits, reach.bit_length() + 1)
        return bits + max(0, -constants.shift)

    def _linear(self, node: Linear, x: Tensor) -> np.ndarray:
        """Codes of the logits, (N, 1, 1, classes)."""
        network, x = self.network, x.flatten(1)
        frac = network.formats[node.inputs[0]].frac
        sign, power, p0 = self._weight(node.name)
        constants, bias = accumulation(network, node.name), network.params[node.name].bias
        bits = max(constants.width, *(abs(b).bit_length() + 1 for b in bias)) + 1
        if bits <= FLOAT_BITS:
            w = sign.double() * torch.exp2(power.double())
            added = torch.tensor([b * 2.0 ** (p0 - frac) for b in bias], dtype=torch.float64)
            real = x @ w.T + added
            codes = (real * 2.0 ** (frac - p0)).numpy().astype(np.int64)
        else:
            q = _integers(x, frac, bits)
            shifted = [
                sum(
                    (int(s) * (q[:, c] << (int(p) - p0)) for c, (s, p) in _used(sign[o], power[o])),
                    np.zeros_like(q[:, 0]),
                )
                + bias[o]
                for o in range(len(bias))
            ]
            codes = np.stack(shifted, 1)
        return codes_of(codes, constants.width)[:, None, None, :]

    # --- averages and sums ---------------------------------------------------------------

    def _average(self, node: AvgPool | GlobalPool, x: Tensor) -> Tensor:
        """Sum of real pixels times a constant that stands for 1 / n (never a float division)."""
        target = self.network.formats[node.name]

        def sums(values: Tensor) -> Tensor:
            if isinstance(node, GlobalPool):
                return values.sum((2, 3), keepdim=True)
            return window_sums(values, node)

        counts = sums(torch.ones(1, 1, *x.shape[2:], dtype=torch.float64)).long()
        most = int(counts.max())
        if target.width + (most - 1).bit_length() > TENSOR_BITS:
            raise InputError(
                f"{node.name}: the sum of {most:,} values of {target.width} bits needs more than "
                f"the {TENSOR_BITS} bits of a float64; use fewer bits or smaller images"
            )
        total = sums(x) * 2.0**target.frac
        constants = {n: average(target.width, n) for n in counts.unique().tolist()}
        bits = max(
            target.width + n.bit_length() + multiplier.bit_length() + 1
            for n, (multiplier, _) in constants.items()
        )
        if bits <= FLOAT_BITS:
            multiplier, shift = (
                torch.tensor(
                    [constants[n][k] for n in counts.flatten().tolist()], dtype=torch.float64
                ).reshape(counts.shape)
                for k in (0, 1)
            )
            mean = torch.floor(total * multiplier / torch.exp2(shift) + 0.5)
            return mean.clamp(target.qmin, target.qmax) * 2.0**-target.frac
        q = _integers(total, 0, bits)
        result = np.zeros_like(q)
        for n, (multiplier, shift) in constants.items():
            here = np.broadcast_to((counts == n).numpy(), q.shape)
            result[here] = (q[here] * multiplier + (1 << (shift - 1))) >> shift
        return _Rounding(target).decode(np.clip(result, target.qmin, target.qmax))

    def _aligned(
        self, node: Add | Concat, names: Sequence[str], inputs: list[Tensor], constants: Alignment
    ) -> Tensor:
        """The sum of the inputs `names` in the format of the node."""
        target, shift = self.network.formats[node.name], constants.shift
        if constants.width <= FLOAT_BITS:
            exact = sum(inputs[1:], inputs[0])
            return _Rounding(target, self._half_up(shift)).value(exact)
        bits = constants.width + max(0, -shift)
        total = sum(
            _integers(x, self.network.formats[name].frac, bits) << left
            for name, x, left in zip(names, inputs, constants.left, strict=True)
        )
        assert isinstance(total, np.ndarray)
        return _Rounding(target).decode(_shifted(total, shift, self._half_up(shift), target))


class _Rounding:
    """Between real values and the codes of a format."""

    def __init__(self, target: Format, half_up: bool = False):
        self.target, self.half = target, 0.5 if half_up else 0.0

    def value(self, v: Tensor) -> Tensor:
        """`v` rounded to the format and saturated, still as real values."""
        q = torch.floor(v * 2.0**self.target.frac + self.half)
        return q.clamp(self.target.qmin, self.target.qmax) * 2.0**-self.target.frac

    def codes(self, value: Tensor) -> np.ndarray:
        """Codes of values that are the format's own, int64, NHWC."""
        return (value * 2.0**self.target.frac).permute(0, 2, 3, 1).numpy().astype(np.int64)

    def decode(self, codes: np.ndarray) -> Tensor:
        """Real values of NCHW codes."""
        return torch.from_numpy(codes.astype(np.float64)) * 2.0**-self.target.frac


def _per_channel(values) -> Tensor:
    return torch.tensor(np.asarray(values, np.float64))[:, None, None]


def _integers(x: Tensor, frac: int, bits: int) -> np.ndarray:
    """Codes x·2**frac, of 63 bits at the most, in a type that holds integers of `bits` bits."""
    integers = (x.double() * 2.0**frac).numpy().astype(np.int64)
    return integers if bits <= INT_BITS else integers.astype(object)


def _shifted(v: np.ndarray, shift: int, half_up: bool, target: Format) -> np.ndarray:
    if half_up:
        v = v + (1 << (shift - 1))
    return np.clip(v >> shift if shift >= 0 else v << -shift, target.qmin, target.qmax)


def _used(sign: Tensor, power: Tensor) -> Iterator[tuple[int, tuple[int, int]]]:
    pairs = zip(sign.tolist(), power.tolist(), strict=True)
    return ((c, pair) for c, pair in enumerate(pairs) if pair[0])


def _padded(q: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    """NCHW codes with zeros of their own kind around; np.pad would put NumPy's among Python's."""
    count, channels, height, width = q.shape
    padded = np.zeros((count, channels, height + sum(rows), width + sum(columns)), q.dtype)
    padded[:, :, rows[0] : rows[0] + height, columns[0] : columns[0] + width] = q
    return padded


def _windows(
    node: Conv | FactorizedReduce, q: np.ndarray, sign: Tensor
) -> Iterator[tuple[int, tuple[int, int, int], np.ndarray]]:
    """For every non-zero weight: output channel, index within it, what it sees of q."""
    height, width = node.shape[:2]
    if isinstance(node, FactorizedReduce):
        q = _padded(q, (0, q.shape[2] % 2), (0, q.shape[3] % 2))
    else:
        (sy, sx), (dy, dx) = node.stride, node.dilation
        rows, columns = zip(node.padding, node.end, strict=True)
        q = _padded(q, rows, columns)
    for out, i, ky, kx in sign.nonzero().tolist():
        if isinstance(node, FactorizedReduce):
            tap = 0 if out < len(sign) // 2 else 1
            window = q[:, i, tap::2, tap::2]
        else:
            group = out // (len(sign) // node.groups)
            window = q[:, group * sign.shape[1] + i, ky * dy :, kx * dx :]
            window = window[:, : sy * (height - 1) + 1 : sy, : sx * (width - 1) + 1 : sx]
        yield out, (i, ky, kx), window
