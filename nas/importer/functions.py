"""What becomes of functions and methods: most are the layer of the same name, written otherwise."""

import operator
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hw.ir.graph import Add, Concat, GlobalPool
from nas.importer import layers
from nas.importer.building import Building, Call, read, shown
from nas.importer.refusal import Unsupported
from nas.importer.trace import BATCH
from nas.importer.view import View, flat_view

Function = Callable[..., Any]
"""Takes the graph under construction, the call, and the arguments; gives the result."""


def _as_layer(kind: type[nn.Module], *names: str) -> Function:
    """A function as the layer that computes it; `names` of its arguments behind the tensor."""

    def read_as_layer(build: Building, call: Call, x: View, *values: Any, **named: Any) -> View:
        options = {**dict(zip(names, values, strict=False)), **named}
        options = {name: value for name, value in options.items() if name in names}
        return layers.READERS[kind](build, call, kind(**options).eval(), x)

    return read_as_layer


_POOL = ("kernel_size", "stride", "padding")
_max_pool = _as_layer(nn.MaxPool2d, *_POOL, "dilation", "ceil_mode", "return_indices")
_avg_pool = _as_layer(nn.AvgPool2d, *_POOL, "ceil_mode", "count_include_pad", "divisor_override")
_relu = _as_layer(nn.ReLU)
_relu6 = _as_layer(nn.ReLU6)
_hardtanh = _as_layer(nn.Hardtanh, "min_val", "max_val")
_softmax = _as_layer(nn.Softmax, "dim")
_log_softmax = _as_layer(nn.LogSoftmax, "dim")


def _dropout(
    build: Building,
    call: Call,
    x: View,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> View:
    del inplace
    return layers.dropout(build, call, nn.Dropout(p).train(training), x)


def _clamp(build: Building, call: Call, x: View, min: Any = None, max: Any = None) -> View:
    return layers.clamp(build, call, x, min, max)


def _clamp_min(build: Building, call: Call, x: View, min: Any) -> View:
    return layers.clamp(build, call, x, min, None)


def _add(build: Building, call: Call, x: Any, y: Any, *, alpha: Any = 1) -> View:
    if alpha != 1:
        raise Unsupported(f"multiplies by alpha={alpha}; sums have factors of 1")
    terms = [one for one in (x, y) if isinstance(one, View)]
    if len(terms) == 1 and (x if terms[0] is y else y) == 0:  # where `sum` begins
        return terms[0]
    if len(terms) != 2:
        raise Unsupported("adds a constant; a bias of the layer before it can hold one")
    if terms[0].shape != terms[1].shape:
        both = " and ".join(shown(one.shape) for one in terms)
        raise Unsupported(f"adds tensors of different shapes: {both}")
    return _joined(build, call, Add, terms)


def _cat(build: Building, call: Call, tensors: Sequence[View], dim: int = 0, **named: Any) -> View:
    dim = named.get("axis", dim)
    ranks = {len(one.shape) for one in tensors}
    if ranks not in ({2}, {4}) or dim not in (1, 1 - max(ranks)):
        raise Unsupported(f"concatenates along dimension {dim}; only channels can be joined")
    return tensors[0] if len(tensors) == 1 else _joined(build, call, Concat, tensors)


def _joined(build: Building, call: Call, kind: type, tensors: Sequence[View]) -> View:
    """Nodes of maps, or of vectors that are flattened maps of equal sides."""
    if len(tensors[0].shape) == 4:
        return build.node(kind, call, [build.as_map(call, one) for one in tensors])
    names = [build.as_flat(call, one) for one in tensors]
    shapes = [build.net.shape(name) for name in names]
    if len({shape if kind is Add else shape[:2] for shape in shapes}) != 1:
        raise Unsupported(f"joins vectors made of maps of different shapes: {shapes}")
    made = build.node(kind, call, names)
    return flat_view(made.node, made.of)


def _mean(
    build: Building, call: Call, x: View, dim: Any = None, keepdim: bool = False, **_: Any
) -> View:
    rank = len(read(x).shape)
    dims = range(rank) if dim is None else [dim] if isinstance(dim, int) else dim
    reduced = sorted(d % rank for d in dims)
    kept = rank - len(reduced)
    pixels = prod(x.of[:2])
    if reduced != list(range(kept, rank)) or prod(x.shape[kept:]) != pixels or kept < 2:
        raise Unsupported(
            f"averages dimensions {dim} of {shown(x.shape)}; means are over all pixels"
        )
    maps = x.index.reshape(BATCH, -1, *x.of[:2])
    made = build.node(GlobalPool, call, (build.as_map(call, x.moved(maps)),))
    ones = [1] * len(reduced) if keepdim else []
    return View(made.node, made.of, (*x.shape[:kept], *ones))


def moved(build: Building, call: Call, function: Callable[..., Any], *args: Any, **named: Any):
    """A function that moves elements, replayed on their numbers; a tuple for a tuple."""
    (x,) = [one for one in args if isinstance(one, View)]
    plain = [one.index if isinstance(one, View) else one for one in args]
    with torch.no_grad():
        result = function(*plain, **named)
    if isinstance(result, tuple | list):
        return tuple(build.selected(call, x.moved(one)) for one in result)
    return build.selected(call, x.moved(result))


_BY_WORD: dict[str, Function] = {
    "relu": _relu,
    "relu_": _relu,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    "hardtanh_": _hardtanh,
    "clamp": _clamp,
    "clamp_": _clamp,
    "clip": _clamp,
    "clip_": _clamp,
    "clamp_min": _clamp_min,
    "clamp_min_": _clamp_min,
    "add": _add,
    "add_": _add,
    "mean": _mean,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}
"""Methods of tensors, and functions of `torch` called the same."""

_MOVES = """
    view reshape permute transpose flatten unflatten squeeze unsqueeze contiguous chunk split
    tensor_split narrow select unbind movedim swapaxes swapdims index_select flip roll clone detach
    t expand_as view_as reshape_as channel_shuffle pixel_shuffle pixel_unshuffle
""".split()
"""Methods and functions of `torch` that only move elements."""

COPIES = ("clone",)
"""Of them, those whose result is memory of its own."""

METHODS: dict[str, Function] = {
    **{
        word: lambda build, call, *args, _word=word, **named: moved(
            build, call, getattr(torch.Tensor, _word), *args, **named
        )
        for word in _MOVES
        if hasattr(torch.Tensor, word)
    },
    **_BY_WORD,
}
"""By the name of a method of tensors."""

_moves = [getattr(torch, word) for word in _MOVES if hasattr(torch, word)]
_same = {getattr(torch, word): f for word, f in _BY_WORD.items() if hasattr(torch, word)}

FUNCTIONS: dict[Callable[..., Any], Function] = {
    **{
        f: lambda build, call, *args, _f=f, **named: moved(build, call, _f, *args, **named)
        for f in [*_moves, operator.getitem, getattr]
    },
    **_same,
    functional.relu: _relu,
    functional.relu_: _relu,
    functional.relu6: _relu6,
    functional.hardtanh: _hardtanh,
    functional.hardtanh_: _hardtanh,
    functional.max_pool2d: _max_pool,
    functional.max_pool2d_with_indices: _max_pool,
    torch.max_pool2d: _as_layer(nn.MaxPool2d, *_POOL, "dilation", "ceil_mode"),
    functional.avg_pool2d: _avg_pool,
    functional.adaptive_avg_pool2d: _as_layer(nn.AdaptiveAvgPool2d, "output_size"),
    functional.adaptive_max_pool2d: _as_layer(nn.AdaptiveMaxPool2d, "output_size"),
    functional.dropout: _dropout,
    functional.dropout2d: _dropout,
    functional.alpha_dropout: _dropout,
    functional.feature_alpha_dropout: _dropout,
    torch.dropout: lambda build, call, x, p, train: _dropout(build, call, x, p, train),
    functional.softmax: _softmax,
    functional.log_softmax: _log_softmax,
    torch.cat: _cat,
    torch.concat: _cat,
    torch.concatenate: _cat,
    operator.add: _add,
    operator.iadd: _add,
}
"""By the function that a model calls."""


def is_inplace(target: Any, named: dict[str, Any]) -> bool:
    """Whether a function or method changes the tensor that it is called with."""
    word = target if isinstance(target, str) else getattr(target, "__name__", "")
    in_name = word.endswith("_") and not word.endswith("__")
    return in_name or target is operator.iadd or bool(named.get("inplace"))
