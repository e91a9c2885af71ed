"""What becomes of torch's layers: for each class the nodes of a call.

Each reader takes the graph under construction, the call, the module and the tensor that it is
called with, and gives the result; Unsupported where there are no nodes for it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from hw.ir.clip import Clip
from hw.ir.graph import AvgPool, Conv, GlobalPool, MaxPool, Pair
from hw.networks.conventional.wiring import Wiring
from nas.importer.building import Building, Call, Opaque, Source, read, shown
from nas.importer.refusal import Unsupported
from nas.importer.view import View, flat_view

Reader = Callable[[Building, Call, Any, View], View]


def convolution(build: Building, call: Call, module: nn.Conv2d, x: View) -> View:
    _require_weights(module)
    build.claim(module, call.path)
    name = build.as_map(call, x)
    before, after = _conv_padding(module)
    if module.padding_mode != "zeros" and (any(before) or any(after)):
        raise Unsupported(f"pads with {module.padding_mode!r}; only zeros are padded")
    made = build.node(
        Conv,
        call,
        (name,),
        module.out_channels,
        kernel=_pair(module.kernel_size),
        stride=_pair(module.stride),
        padding=before,
        padding_end=None if after == before else after,
        dilation=_pair(module.dilation),
        groups=module.groups,
        batch_norm=False,
        bias=module.bias is not None,
    )
    build.sources[made.node] = Source(call.path, module)
    return made


def _conv_padding(module: nn.Conv2d) -> tuple[Pair, Pair]:
    """Above and left, below and right."""
    match module.padding:
        case "valid":
            return (0, 0), (0, 0)
        case "same":
            both = [
                step * (side - 1)
                for side, step in zip(module.kernel_size, module.dilation, strict=True)
            ]
            before = (both[0] // 2, both[1] // 2)
            return before, (both[0] - before[0], both[1] - before[1])
        case sides:
            return _pair(sides), _pair(sides)


def linear(build: Building, call: Call, module: nn.Linear, x: View) -> View:
    """A convolution over the whole map; the classifier becomes a Linear in the end."""
    _require_weights(module)
    build.claim(module, call.path)
    name = build.as_flat(call, x)
    made = build.node(
        Conv,
        call,
        (name,),
        module.out_features,
        kernel=build.net.shape(name)[:2],
        batch_norm=False,
        bias=module.bias is not None,
    )
    build.sources[made.node] = Source(call.path, module)
    return flat_view(made.node, made.of)


def _require_weights(module: nn.Module) -> None:
    if any(isinstance(p, nn.UninitializedParameter) for p in module.parameters()):
        raise Unsupported("has no weights yet; call the model once, on an image, in the factory")


def batch_norm(
    build: Building, call: Call, module: nn.BatchNorm1d | nn.BatchNorm2d, x: View
) -> View:
    """Becomes part of the convolution that it stands behind."""
    build.claim(module, call.path)
    if module.running_mean is None:
        raise Unsupported("keeps no running statistics; leave track_running_stats on")
    node = build.net.nodes[x.node]
    if isinstance(node, Opaque):
        return x
    source = build.sources.get(x.node)
    if source is None or source.norm or x.channels() != tuple(range(x.of[2])):
        raise Unsupported(
            "stands directly behind no convolution (or hidden linear layer), into which it could be"
            " folded"
        )
    if build.readers(x.node):
        raise Unsupported(f"what it reads is read by {', '.join(build.readers(x.node))} too")
    if isinstance(source.layer, nn.Linear) != isinstance(module, nn.BatchNorm1d):
        raise Unsupported("normalises the rows of a tensor that is no map")
    build.change(x.node, batch_norm=True, bias=False)
    build.sources[x.node] = Source(source.path, source.layer, module)
    x.forget(f"reads a tensor before its batch norm, {call.path}, which is folded into it")
    return x.anew(x.node)


def rectify(build: Building, call: Call, module: nn.Module, x: View) -> View:
    """ReLU, ReLU6, Hardtanh."""
    match module:
        case nn.Hardtanh():  # ReLU6 is one
            return clamp(build, call, x, module.min_val, module.max_val)
        case _:
            return clamp(build, call, x, 0, None)


def clamp(build: Building, call: Call, x: View, lower: Any, upper: Any) -> View:
    match lower, upper:
        case 0, None:
            return build.activation(call, x, Clip.RELU)
        case 0, 6:
            return build.activation(call, x, Clip.RELU6)
    low, high = ("any" if limit is None else limit for limit in (lower, upper))
    raise Unsupported(f"clips to {low} ... {high}; tensors are clipped by ReLU or ReLU6 (0 ... 6)")


def max_pool(build: Building, call: Call, module: nn.MaxPool2d, x: View) -> View:
    if module.return_indices:
        raise Unsupported("gives the places of its maxima too; leave return_indices off")
    if _pair(module.dilation) != (1, 1):
        raise Unsupported("has a dilation; pools have none")
    name = build.as_map(call, x)
    return build.node(MaxPool, call, (name,), **_window(module, build.net.shape(name)))


def avg_pool(build: Building, call: Call, module: nn.AvgPool2d, x: View) -> View:
    name = build.as_map(call, x)
    shape = build.net.shape(name)
    window = _window(module, shape)
    if any(window["padding"]) and module.count_include_pad:
        raise Unsupported("counts the padding; pass count_include_pad=False, or pad by nothing")
    if module.divisor_override is not None:
        raise Unsupported("divides by another number than that of its pixels: divisor_override")
    if window["kernel"] == shape[:2] and not any(window["padding"]):
        return build.node(GlobalPool, call, (name,))
    return build.node(AvgPool, call, (name,), **window)


def _window(module: nn.MaxPool2d | nn.AvgPool2d, shape: tuple[int, ...]) -> dict[str, Any]:
    kernel = _pair(module.kernel_size)
    stride = kernel if module.stride is None else _pair(module.stride)
    padding = end = _pair(module.padding)
    if module.ceil_mode:
        rows, columns = (Wiring.reach(shape[i], kernel[i], stride[i], padding[i]) for i in (0, 1))
        end = (rows, columns)
    return {
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "padding_end": None if end == padding else end,
    }


def adaptive_pool(
    build: Building, call: Call, module: nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d, x: View
) -> View:
    """A global pool, or one of equal windows side by side."""
    name = build.as_map(call, x)
    sides = build.net.shape(name)[:2]
    size: Any = module.output_size
    wanted = (size, size) if isinstance(size, int) else tuple(size)
    out = [side if want is None else want for side, want in zip(sides, wanted, strict=True)]
    if tuple(out) == sides:
        return x
    if any(side % want for side, want in zip(sides, out, strict=True)):
        raise Unsupported(
            f"makes {out[0]}x{out[1]} of {sides[0]}x{sides[1]} pixels by windows of different sizes"
        )
    kernel = (sides[0] // out[0], sides[1] // out[1])
    if isinstance(module, nn.AdaptiveMaxPool2d):
        if module.return_indices:
            raise Unsupported("gives the places of its maxima too; leave return_indices off")
        kind = MaxPool
    elif out == [1, 1]:
        return build.node(GlobalPool, call, (name,))
    else:
        kind = AvgPool
    return build.node(kind, call, (name,), kernel=kernel, stride=kernel, padding=(0, 0))


def dropout(build: Building, call: Call, module: Any, x: View) -> View:
    """Nothing, in evaluation; a model of ours has none in training either."""
    if module.training and module.p:
        raise Unsupported("drops values in evaluation too; pass training=self.training")
    if module.p:
        place = call.path or "forward"
        build.note(f"{place}: dropout of {module.p:g} is left out, in training too")
    return x


def identity(build: Building, call: Call, module: nn.Module, x: View) -> View:
    return x


def softmax(build: Building, call: Call, module: nn.Softmax | nn.LogSoftmax, x: View) -> View:
    """The class is the same without it, so the last one is left out."""
    if len(x.shape) != 2 or module.dim not in (1, -1, None):
        raise Unsupported(f"over another dimension than the classes of {shown(x.shape)}")
    stale = "reads a softmax; only one at the end can be left out"
    return View(read(x).node, x.of, x.shape, x.order, stale=stale, end=type(module))


def moved(build: Building, call: Call, module: nn.Module, x: View) -> View:
    """Layers that reshape or permute, replayed on the numbers of the elements."""
    with torch.no_grad():
        return build.selected(call, x.moved(module(x.index)))


def _pair(value: Any) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


READERS: dict[type[nn.Module], Reader] = {
    nn.Conv2d: convolution,
    nn.Linear: linear,
    nn.BatchNorm2d: batch_norm,
    nn.BatchNorm1d: batch_norm,
    nn.ReLU: rectify,
    nn.ReLU6: rectify,
    nn.Hardtanh: rectify,
    nn.MaxPool2d: max_pool,
    nn.AvgPool2d: avg_pool,
    nn.AdaptiveAvgPool2d: adaptive_pool,
    nn.AdaptiveMaxPool2d: adaptive_pool,
    nn.Dropout: dropout,
    nn.Dropout2d: dropout,
    nn.AlphaDropout: dropout,
    nn.FeatureAlphaDropout: dropout,
    nn.Identity: identity,
    nn.Softmax: softmax,
    nn.LogSoftmax: softmax,
    nn.Flatten: moved,
    nn.Unflatten: moved,
    nn.ChannelShuffle: moved,
    nn.PixelShuffle: moved,
    nn.PixelUnshuffle: moved,
}
"""Classes of layers that can be converted."""


def kind_of(module: nn.Module) -> type[nn.Module] | None:
    """The class of `READERS` that a module computes as; None where it is none of them.

    A class derived from one of them counts as long as it computes the same.
    """
    for kind in type(module).__mro__:
        if kind in READERS:
            same = all(
                getattr(type(module), method, None) is getattr(kind, method, None)
                for method in ("forward", "_conv_forward", "__call__")
            )
            return kind if same else None
    return None
