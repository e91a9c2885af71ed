"""The torch network of a graph, whatever made it: each node that computes is a unit, nothing is
wired here.

Feature maps are (N, C, H, W) tensors stored channels_last. Images enter as q·2**-8, as the
hardware sees them.
"""

import math
from collections.abc import Collection, Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from hw.ir.clip import Clip
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
)
from hw.ir.parameters import Rounding
from hw.networks import parts
from nas import distributed, shift
from nas.fake_quantise import Formats, rounded_tensor
from nas.norm import BatchNorm2d
from nas.padding import padded, torch_padding, window_sums
from nas.shift import Domain, RealWeight, ShiftSettings, ShiftWeight


def image_tensor(images: Tensor) -> Tensor:
    """Image bytes (N, H, W, C) as real values q·2**-8, (N, C, H, W) channels_last float32."""
    return images.permute(0, 3, 1, 2).to(torch.float32) * 2.0**-8


class ConvUnit(nn.Module):
    """A Conv node: convolution, then batch norm if it has one. Its ReLU is the caller's."""

    def __init__(
        self, node: Conv, channels: int, domain: str, affine: bool, settings: ShiftSettings
    ):
        super().__init__()
        self.node = node
        self.conv = shift.Conv2d(
            channels,
            node.shape[2],
            node.kernel,
            node.stride,
            torch_padding(node),
            node.dilation,
            node.groups,
            bias=node.bias,
            settings=settings,
            domain=domain,
        )
        self.norm = (
            _batch_norm(node.shape[2], domain, affine, settings)
            if node.batch_norm
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(padded(x, self.node)))


class ReduceUnit(nn.Module):
    """A FactorizedReduce node: two 1×1 stride-2 convolutions as one 2×2 convolution with zeros."""

    def __init__(
        self,
        node: FactorizedReduce,
        channels: int,
        domain: str,
        affine: bool,
        settings: ShiftSettings,
    ):
        super().__init__()
        self.conv = shift.Conv2d(
            channels, node.shape[2], 1, bias=False, settings=settings, domain=domain
        )
        self.norm = _batch_norm(node.shape[2], domain, affine, settings)

    def forward(self, x: Tensor) -> Tensor:
        kernel = factorized_kernel(self.conv.weight())
        return self.norm(functional.conv2d(pad_to_even(x), kernel, stride=2))


def _batch_norm(channels: int, domain: str, affine: bool, settings: ShiftSettings) -> BatchNorm2d:
    """Powers of two are for hardware: not for real weights, nor where nothing is scaled."""
    match domain:
        case Domain.SHIFT:
            terms = settings.scale_terms if affine else 0
        case Domain.REAL:
            terms = 0
        case _:
            raise ValueError(f"domain {domain!r}")
    return BatchNorm2d(channels, affine=affine, terms=terms)


def factorized_kernel(w: Tensor) -> Tensor:
    """2×2 kernel of a FactorizedReduce: half of `w` taps (2i, 2j), the rest (2i+1, 2j+1)."""
    half = w.shape[0] // 2
    return torch.cat(
        (functional.pad(w[:half], (0, 1, 0, 1)), functional.pad(w[half:], (1, 0, 1, 0)))
    )


def pad_to_even(x: Tensor) -> Tensor:
    """Zeros at the bottom and right where a side is odd."""
    height, width = x.shape[2:]
    return functional.pad(x, (0, width % 2, 0, height % 2)) if height % 2 or width % 2 else x


class PoolUnit(nn.Module):
    """A MaxPool or AvgPool node; in a supernet a batch norm follows it (`norm`)."""

    def __init__(self, node: MaxPool | AvgPool, norm: nn.Module | None = None):
        super().__init__()
        self.node = node
        self.norm = norm or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        node = self.node
        if isinstance(node, MaxPool):
            x = padded(x, node, -math.inf)
            x = functional.max_pool2d(x, node.kernel, node.stride, torch_padding(node))
        elif node.is_even:
            x = functional.avg_pool2d(
                x, node.kernel, node.stride, node.padding, count_include_pad=False
            )
        else:
            x = window_sums(x, node) / window_sums(torch.ones_like(x[:1, :1]), node)
        return self.norm(x)


class LinearUnit(nn.Module):
    """The classifier, on a (N, C, 1, 1) tensor; gives (N, classes)."""

    def __init__(self, node: Linear, channels: int, domain: str, settings: ShiftSettings):
        super().__init__()
        self.linear = shift.Linear(channels, node.shape[2], settings=settings, domain=domain)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1))


def make_unit(
    node: Node,
    channels: int,
    *,
    domain: str,
    settings: ShiftSettings,
    affine: bool = True,
    stem: bool = False,
    classifier: bool = False,
) -> nn.Module | None:
    """The unit of a node that reads `channels` channels; None where a node needs none.

    Parameters
    ----------
    domain: "shift" or "real", of the weights
    affine: whether batch norms have trainable gamma and beta
    stem: whether the node is of the stem, whose weights are real where `settings` says so
    classifier: whether it makes the logits, as a Linear always does; the same
    """
    if stem:
        domain = domain if settings.stem else Domain.REAL
    elif classifier or isinstance(node, Linear):
        domain = domain if settings.classifier else Domain.REAL
    match node:
        case Conv():
            return ConvUnit(node, channels, domain, affine, settings)
        case FactorizedReduce():
            return ReduceUnit(node, channels, domain, affine, settings)
        case MaxPool() | AvgPool():
            return PoolUnit(node)
        case Linear():
            return LinearUnit(node, channels, domain, settings)
    return None


def weight_of(unit: nn.Module) -> ShiftWeight | RealWeight | None:
    """The weights of a unit; None where it has none."""
    match unit:
        case ConvUnit() | ReduceUnit():
            return unit.conv.weight
        case LinearUnit():
            return unit.linear.weight
    return None


def bias_of(unit: nn.Module) -> nn.Parameter | None:
    """The bias of a unit; None where it has none, or a batch norm's."""
    match unit:
        case ConvUnit() | ReduceUnit():
            return unit.conv.bias
        case LinearUnit():
            return unit.linear.bias
    return None


def activated(x: Tensor, clip: Clip | None) -> Tensor:
    """`x` behind the activation function of a node, see `hw.ir.clip`."""
    if clip is None:
        return x
    return functional.relu(x) if clip.upper is None else x.clamp(0, clip.upper)


class Tensors(dict[str, Tensor]):
    """Tensors by node name; the ReLU of each is computed once, however many nodes read it."""

    def __init__(self, *args):
        super().__init__(*args)
        self._rectified: dict[str, Tensor] = {}

    def rectified(self, name: str) -> Tensor:
        if name not in self._rectified:
            self._rectified[name] = functional.relu(self[name])
        return self._rectified[name]


def evaluate_nodes(
    nodes: Iterable[Node],
    units: nn.ModuleDict,
    tensors: Tensors,
    drop_path: Mapping[str, float] | None = None,
    formats: Formats | None = None,
    rounding: Rounding = Rounding.HALF_UP,
) -> None:
    """Compute `nodes`, in topological order, into `tensors`.

    Parameters
    ----------
    drop_path: of each tensor that sums may go without, the rate at which they do, sample by sample;
        what is kept is divided by the keep rate
    formats: what every tensor is rounded to
    rounding: how
    """
    rates = drop_path or {}
    for node in nodes:
        match node:
            case Input():
                continue
            case Add():
                terms = [_dropped(tensors[name], rates.get(name, 0.0)) for name in node.inputs]
                tensors[node.name] = sum(terms[1:], terms[0])
            case Concat():
                tensors[node.name] = torch.cat([tensors[name] for name in node.inputs], 1)
            case Select():
                tensors[node.name] = tensors[node.inputs[0]][:, list(node.channels)]
            case GlobalPool():
                tensors[node.name] = tensors[node.inputs[0]].mean((2, 3), keepdim=True)
            case _:
                (source,) = node.inputs
                relu = isinstance(node, Conv | FactorizedReduce) and node.relu_in
                x = tensors.rectified(source) if relu else tensors[source]
                tensors[node.name] = units[node.name](x)
        if isinstance(node, Rounded):
            tensors[node.name] = activated(tensors[node.name], node.clip)
        if formats is not None:
            tensors[node.name] = rounded_tensor(tensors[node.name], node, formats, rounding)


def _dropped(x: Tensor, rate: float) -> Tensor:
    if not rate:
        return x
    drawn = torch.rand(x.shape[0] * distributed.world(), 1, 1, 1, device=x.device)
    keep = distributed.share(drawn) >= rate
    return x * keep / (1 - rate)


def count_weights(module: nn.Module) -> int:
    """Trainable weights of a module, as `hw.networks.counts` counts: a pair (P, S) is one."""
    weights = [weight.latents for weight in shift.shift_weights(module)]
    further = sum(latent.numel() for latents in weights for latent in latents[1:])
    return sum(p.numel() for p in module.parameters()) - further


class GraphModel(nn.Module):
    """A network of shift (or real) weights, ready to train.

    Parameters
    ----------
    graph: any; states that nobody reads keep their weights and are not computed
    domain: "shift" or "real"
    settings: of the shift weights
    edges: names of the tensors that `drop_path` drops, such as `hw.networks.parts.edge_ends`

    `units` has the module of each node that computes with numbers of its own, by the node's name:
    a `ConvUnit` or `ReduceUnit` with `conv` and `norm` (identity where the node has no batch norm),
    a `LinearUnit` with `linear`, a `PoolUnit`. `conv` and `linear` are `nas.shift` layers: their
    `weight` is a module, whose `assign` takes real numbers; their `bias`, if any, is real.

    `drop_path`, the rate at which each of `edges` is dropped, and `formats` with their `rounding`
    (see `nas.fake_quantise`) act in training alone.
    """

    def __init__(
        self,
        graph: Graph,
        domain: str = "shift",
        settings: ShiftSettings | None = None,
        edges: Collection[str] = (),
    ):
        super().__init__()
        if domain not in tuple(Domain):
            raise ValueError(f"domain {domain!r}: expected one of {', '.join(Domain)}")
        self.graph, self.live = graph, graph.pruned()
        self.domain, self.settings = domain, settings or ShiftSettings()
        self.drop_path = 0.0
        self.formats: Formats | None = None
        self.rounding = Rounding.HALF_UP
        self.edges = frozenset(edges)
        self.units = nn.ModuleDict()
        stem, classifier = parts.stem(graph), parts.classifier(graph)
        for node in graph:
            if isinstance(node, Input):
                continue
            channels = graph.in_shapes(node)[0][2]
            unit = make_unit(
                node,
                channels,
                domain=domain,
                settings=self.settings,
                stem=node.name in stem,
                classifier=node.name == classifier,
            )
            if unit is not None:
                self.units[node.name] = unit

    def tensors(self, x: Tensor) -> Tensors:
        """Every live tensor by name for images as of `image_tensor`."""
        tensors = Tensors({self.live.input.name: x})
        # In evaluation this is the float model; the integers have an evaluation of their own.
        drop_path, formats = None, None
        if self.training:
            drop_path, formats = dict.fromkeys(self.edges, self.drop_path), self.formats
        evaluate_nodes(self.live, self.units, tensors, drop_path, formats, self.rounding)
        return tensors

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes)."""
        return self.logits(self.tensors(x))

    def logits(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """(N, classes), of what `tensors` gave. Means may be the logits: (N, classes, 1, 1)."""
        return tensors[self.live.output.name].flatten(1)

    def shift_weights(self) -> dict[str, ShiftWeight]:
        """The shift weight of every weighted node that has one, by node name."""
        weights = {name: weight_of(unit) for name, unit in self.units.items()}
        return {name: one for name, one in weights.items() if isinstance(one, ShiftWeight)}
