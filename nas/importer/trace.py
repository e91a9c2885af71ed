"""A module's operations in the order in which it calls them, by `torch.fx`.

Shapes are concrete while a module is traced: each proxy knows the tensor it stands for, on the
meta device, for a batch of `BATCH` images. So `x.shape`, `x.size(0)` and what is decided by them
are plain Python, and only what depends on the values of a tensor cannot be followed.
"""

import operator
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call

from hw.ir.graph import Shape
from nas.importer.refusal import Refusal

BATCH = 2
"""Images of the batch that is followed: two, so that what mixes images is seen."""

VALUE, PLACE = "shiftnas_value", "shiftnas_place"
"""Keys of an fx node's `meta`: what it stands for, and the model's file and line."""

UNFOLLOWED = "cannot be followed"
"""What a refusal's reason begins with where the model, or torch, raises an error."""

_LIBRARIES = (str(Path(torch.__file__).parent), str(Path(__file__).parent))


@dataclass(frozen=True)
class Trace:
    """The operations, and what stopped the tracer, if something did.

    Parameters
    ----------
    nodes: in the order of execution
    root: the module whose submodules the nodes name, in evaluation mode
    stopped: None where the module was followed to its end
    asked: the node whose value the module asks for, if that stopped the tracer
    """

    nodes: tuple[fx.Node, ...]
    root: nn.Module
    stopped: Refusal | None = None
    asked: fx.Node | None = None


def trace(module: nn.Module, image: Shape, is_leaf: Callable[[nn.Module], bool]) -> Trace:
    """Follow `module`, which is in evaluation mode, over images (height, width, channels).

    Parameters
    ----------
    is_leaf: whether a module is one operation; all others are looked into
    """
    root = nn.Sequential(module) if is_leaf(module) else module
    more = _required(root)
    if more:
        reason = f"takes {', '.join(more)} beside the images; give what it takes besides a default"
        return Trace((), root, Refusal("", "forward", "", reason))
    tracer = _Tracer(image, is_leaf)
    stopped = asked = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tracer.trace(root, _defaults(root))
    except _ReadsValues as error:
        stopped, asked = _refusal(tracer, error.place, "", str(error)), error.node
    except Exception as error:  # the user's code, or torch's in its name
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        stopped = _refusal(tracer, _place_of(error), "", f"{UNFOLLOWED}: {reason}")
    return Trace(tuple(tracer.graph.nodes), root, stopped, asked)


def _required(root: nn.Module) -> list[str]:
    """Arguments of `forward` behind the first that have no default."""
    parameters = list(signature(root.forward).parameters.values())[1:]
    many = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is Parameter.empty and p.kind not in many]


def _defaults(root: nn.Module) -> dict[str, Any]:
    """Arguments of `forward` behind the first that are left at their defaults."""
    parameters = list(signature(root.forward).parameters.values())
    return {p.name: p.default for p in parameters[1:] if p.default is not Parameter.empty}


def _refusal(tracer: "_Tracer", place: str, kind: str, reason: str) -> Refusal:
    layers = [path for path, _ in tracer.module_stack.values()]
    return Refusal(layers[-1] if layers else "", kind, place, reason)


class _ReadsValues(Exception):
    """The model asks for the value of a tensor."""

    def __init__(self, place: str, node: fx.Node):
        super().__init__(
            "what is computed depends on the values of a tensor (if, while, bool, int, item); make"
            " it depend on shapes and settings alone"
        )
        self.place, self.node = place, node


def _place() -> str:
    """File and line of the innermost frame that is the model's own; "" where all are torch's, as
    of a plain Sequential."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not trace.__code__:
        if not frame.f_code.co_filename.startswith((*_LIBRARIES, "<")):
            return f"{_shown(frame.f_code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def _place_of(error: BaseException) -> str:
    """File and line of the innermost frame of a traceback that is the model's own."""
    place, step = "", error.__traceback__
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if not name.startswith((*_LIBRARIES, "<")):
            place = f"{_shown(name)}:{step.tb_lineno}"
        step = step.tb_next
    return place


def _shown(file: str) -> str:
    """A path below the working folder is shown from there."""
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


class _Proxy(fx.Proxy):
    """A proxy that knows what it stands for."""

    @property
    def value(self) -> Any:
        return self.node.meta[VALUE]

    def __getattr__(self, k: str) -> Any:
        found = getattr(self.value, k, None)
        if found is None or callable(found) or _has_tensor(found):
            return super().__getattr__(k)
        return found

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self):
        if isinstance(self.value, Tensor) and not self.value.ndim:
            raise TypeError("iteration over a 0-d tensor")
        create = self.tracer.create_proxy
        items = range(len(self.value))
        return iter([create("call_function", operator.getitem, (self, n), {}) for n in items])

    def __iadd__(self, other: Any) -> Any:
        # fx would record a sum that leaves this tensor as it is.
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})

    def _values(self, *_: Any) -> Any:
        raise _ReadsValues(_place(), self.node)

    __int__ = __float__ = __index__ = _values
    item = tolist = numpy = _values


class _Tracer(fx.Tracer):
    """Records operations, and computes the shape of what each gives."""

    def __init__(self, image: Shape, is_leaf: Callable[[nn.Module], bool]):
        # Functions of `math` stay as they are: torch.compile, first used meanwhile, would keep the
        # wrapped ones for what they are.
        super().__init__(autowrap_modules=())  # pyright: ignore[reportArgumentType]
        self.image, self._is_leaf = image, is_leaf
        self.graph = fx.Graph()
        self._computes = False

    def call_module(self, m: nn.Module, forward, args, kwargs) -> Any:
        # A shape is being computed, nothing is recorded.
        if self._computes:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return self._is_leaf(m)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)

    def to_bool(self, obj: fx.Proxy) -> bool:
        raise _ReadsValues(_place(), obj.node)

    def create_proxy(self, kind, target, args, kwargs, *rest, **named) -> Any:
        proxy = super().create_proxy(kind, target, args, kwargs, *rest, **named)
        node, value = proxy.node, self._value(kind, target, args, kwargs)
        node.meta |= {VALUE: value, PLACE: _place()}
        if kind != "output" and not _has_tensor(value):
            self.graph.erase_node(node)
            return value
        return proxy

    def _value(self, kind: str, target: Any, args: Any, kwargs: Any) -> Any:
        """On the meta device."""
        if kind == "placeholder":
            height, width, channels = self.image
            return torch.empty(BATCH, channels, height, width, device="meta")
        args, kwargs = fx.node.map_aggregate((args, kwargs), _on_meta)
        with torch.no_grad():
            match kind:
                case "call_function":
                    return target(*args, **kwargs)
                case "call_method":
                    return getattr(args[0], target)(*args[1:], **kwargs)
                case "call_module":
                    module = self.root.get_submodule(target)
                    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
                    meta = {name: tensor.to("meta") for name, tensor in state.items()}
                    self._computes = True
                    try:
                        return functional_call(module, meta, args, kwargs)
                    finally:
                        self._computes = False
        return None


def _on_meta(value: Any) -> Any:
    if isinstance(value, fx.Proxy):
        return value.node.meta[VALUE]
    return value.to("meta") if isinstance(value, Tensor) else value


def _has_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_tensor, value.values()))
    if isinstance(value, tuple | list):
        return any(map(_has_tensor, value))
    return isinstance(value, Tensor)
