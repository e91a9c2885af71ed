"""From a `torch.nn.Module` to the graph of the same network."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, fx, nn

from hw.errors import InputError
from hw.ir.graph import Conv, Graph, Input, Linear, Node, Shape
from hw.ir.validate import Reporter, check_graph
from hw.networks.conventional.wiring import Wiring
from nas.importer.activations import placed
from nas.importer.building import Call, Source, begin, read
from nas.importer.functions import COPIES, FUNCTIONS, METHODS, is_inplace
from nas.importer.layers import READERS, kind_of
from nas.importer.reasons import reason_of
from nas.importer.refusal import NotConvertible, Refusal, Unsupported
from nas.importer.trace import PLACE, VALUE, Trace, trace
from nas.importer.view import View


@dataclass(frozen=True)
class Imported:
    """A module as a graph.

    Parameters
    ----------
    graph: valid, pruned
    sources: of each node with weights, the modules that it was made of
    notes: what was left out, in words
    softmax: class of the softmax at the end, which the graph is without
    """

    graph: Graph
    sources: Mapping[str, Source]
    notes: tuple[str, ...] = ()
    softmax: type[nn.Module] | None = None


def import_module(module: nn.Module, image: Shape) -> Imported:
    """The graph that `module` computes in evaluation, for images (height, width, channels).

    The module is looked at and left as it is. Names of nodes follow those of its modules.

    Raises
    ------
    NotConvertible: naming every layer that has no nodes, and why
    """
    training = {one: one.training for one in module.modules()}
    module.eval()
    try:
        return _Importer(trace(module, image, _is_leaf), image).imported()
    finally:
        for one, mode in training.items():
            one.training = mode


def _is_leaf(module: nn.Module) -> bool:
    """Layers of torch's, and what computes as one of them."""
    own = type(module).__module__.startswith("torch.nn.")
    return kind_of(module) is not None or (own and not isinstance(module, nn.Sequential))


_UNKNOWN = object()
"""What comes of a refused layer that gives no map."""


class _Importer:
    def __init__(self, found: Trace, image: Shape):
        self.trace = found
        self.build, self.image = begin(Wiring(image))
        self.values: dict[fx.Node, Any] = {}
        self.refusals: list[Refusal] = []
        self.output: View | None = None
        self.met: set[str] = set()

    def imported(self) -> Imported:
        asked = self._asked()
        for node in self.trace.nodes:
            if node not in asked:
                self._read(node)
        if self.trace.stopped is not None:
            self.refusals += [self.trace.stopped, *self._unseen()]
        if self.refusals:
            raise NotConvertible(self.refusals)
        assert self.output is not None
        graph = self._graph(self.output)
        if isinstance(graph.output, Input):
            raise InputError("the model gives its image back; it has no layers to convert")
        check_graph(graph, Reporter())
        sources = {name: one for name, one in self.build.sources.items() if name in graph.by_name}
        self._note_unused(sources)
        return Imported(graph, sources, tuple(self.build.notes), self.output.end)

    def _asked(self) -> set[fx.Node]:
        """Functions for nothing but the value that stopped the tracer, numbers as it is."""
        found = set() if self.trace.asked is None else {self.trace.asked}
        for node in reversed(self.trace.nodes):
            if found and node.users and found.issuperset(node.users):
                found.add(node)
        return {one for one in found if getattr(one.meta.get(VALUE), "ndim", None) == 0}

    # --- one operation -------------------------------------------------------------------

    def _read(self, node: fx.Node) -> None:
        match node.op:
            case "placeholder":
                self.values[node] = self.image
            case "get_attr":
                self.values[node] = _attribute(self.trace.root, str(node.target))
            case "output":
                self._end(self._resolved(node.args[0]))
            case _ if VALUE in node.meta:  # else the tracer stopped here
                try:
                    self.values[node] = self._result(node)
                except Unsupported as error:
                    self._refuse(node, str(error))

    def _refuse(self, node: fx.Node, reason: str) -> None:
        kind, value = self._kind(node), node.meta[VALUE]
        call = self._call(node, {})
        self.refusals.append(Refusal(call.path, kind, node.meta.get(PLACE, ""), reason))
        if isinstance(value, Tensor) and value.ndim in (2, 4):
            self.values[node] = self.build.opaque(call, tuple(value.shape))
        else:
            self.values[node] = _UNKNOWN

    def _result(self, node: fx.Node) -> Any:
        args, named = self._resolved((node.args, node.kwargs))
        if node.target is operator.getitem and isinstance(args[0], tuple):
            return args[0][args[1]]
        if node.op == "call_module":
            self.met.add(str(node.target))
            return self._layer(node, args, named)
        call = self._call(node, named)
        target: Any = node.target
        function = METHODS.get(target) if node.op == "call_method" else FUNCTIONS.get(target)
        given = _flat((args, named))
        if function is None:
            raise Unsupported(reason_of(self._kind(node)))
        if _UNKNOWN in given:
            return self._passed_on(node)
        views = [one for one in given if isinstance(one, View)]
        tensors = any(isinstance(one, Tensor) for one in given)
        if not views or (tensors and target not in (operator.getitem, "index_select")):
            raise Unsupported("takes a constant tensor; fold it into the weights of a layer")
        made = function(self.build, call, *args, **named)
        if node.target in COPIES:
            return read(made).anew(made.node)
        return self._in_place(call, views[0], made)

    def _layer(self, node: fx.Node, args: Any, named: Any) -> Any:
        module = self.trace.root.get_submodule(str(node.target))
        kind = kind_of(module)
        if kind is None:
            raise Unsupported(reason_of(type(module).__name__))
        if module._forward_hooks or module._forward_pre_hooks:
            raise Unsupported("has a forward hook, which the conversion would lose; remove it")
        inputs = [*args, *named.values()]
        if _UNKNOWN in _flat(inputs):
            return self._passed_on(node)
        if len(inputs) != 1 or not isinstance(inputs[0], View):
            raise Unsupported("is called with something else than one tensor")
        call = self._call(node, {"inplace": getattr(module, "inplace", False)})
        return self._in_place(call, inputs[0], READERS[kind](self.build, call, module, inputs[0]))

    def _in_place(self, call: Call, x: View, made: Any) -> Any:
        """The result; of a call in place it is what `x` and its aliases are now."""
        if not call.inplace or made is x:
            return made
        x.replace(made.node, f"reads a tensor that {call.path or call.word} changes in place")
        return x

    def _passed_on(self, node: fx.Node) -> Any:
        """Behind what was refused, nothing more can be said."""
        value = node.meta[VALUE]
        if isinstance(value, Tensor) and value.ndim in (2, 4):
            return self.build.opaque(self._call(node, {}), tuple(value.shape))
        return _UNKNOWN

    def _call(self, node: fx.Node, named: Mapping[str, Any]) -> Call:
        if node.op == "call_module":
            return Call(str(node.target), inplace=bool(named.get("inplace")))
        stack = node.meta.get("nn_module_stack") or {}
        path = next((path for path, _ in reversed(stack.values())), "")
        return Call(path, self._kind(node), is_inplace(node.target, dict(named)))

    def _kind(self, node: fx.Node) -> str:
        if node.op == "call_module":
            return type(self.trace.root.get_submodule(str(node.target))).__name__
        if isinstance(node.target, str):
            return node.target
        name = getattr(node.target, "__name__", str(node.target))
        # What torch.jit makes of functions with and without indices.
        return "max_pool2d" if name == "fn" else name

    def _resolved(self, arguments: Any) -> Any:
        return fx.node.map_aggregate(
            arguments, lambda one: self.values[one] if isinstance(one, fx.Node) else one
        )

    # --- the whole -----------------------------------------------------------------------

    def _end(self, result: Any) -> None:
        """Logits: a vector an image, or a map of one pixel."""
        if not isinstance(result, View):
            if result is not _UNKNOWN and not self.refusals:
                count = f"{len(result)} values" if isinstance(result, tuple | list) else "no tensor"
                reason = f"returns {count}; expected one tensor of logits (N, classes)"
                self.refusals.append(Refusal("", "forward", "", reason))
            return
        view = result if result.end is None else replace(result, memory=[], stale=None)
        try:
            flat = view.moved(view.index.flatten(1)) if view.shape[2:] == (1, 1) else view
            name = self.build.as_flat(Call("", "output"), flat)
            self.output = View(name, self.build.net.shape(name), flat.shape, end=result.end)
        except Unsupported as error:
            self.refusals.append(Refusal("", "output", "", str(error)))
        if result.end is not None:
            self.build.note(
                f"the {result.end.__name__} at the end is left out: the largest logit is the same"
            )

    def _graph(self, output: View) -> Graph:
        net = self.build.net.nodes
        graph = Graph((*(one for one in net.values() if one.name != output.node), net[output.node]))
        graph = placed(graph.pruned(), self.build.activations)
        last = graph.output
        return Graph((*graph.nodes[:-1], self._classifier(graph, last)))

    def _classifier(self, graph: Graph, last: Node) -> Node:
        """A linear layer of a vector that nothing follows has logits of full width."""
        source = self.build.sources.get(last.name)
        if source is None or not isinstance(source.layer, nn.Linear):
            return last
        assert isinstance(last, Conv)
        if source.norm is not None or last.clip is not None or last.relu_in:
            return last
        height, width, channels = graph.in_shapes(last)[0]
        if (height, width) != (1, 1):
            self.build.note(
                f"{source.path}: a linear layer of {height}x{width} pixels of {channels} channels "
                "is a convolution: its logits are rounded to the width of other tensors"
            )
            return last
        return Linear(name=last.name, inputs=last.inputs, shape=last.shape)

    def _note_unused(self, sources: Mapping[str, Source]) -> None:
        used = {id(one) for s in sources.values() for one in (s.layer, s.norm)}
        unused = [
            path
            for path, one in self.trace.root.named_modules()
            if id(one) not in used and any(True for _ in one.parameters(recurse=False))
        ]
        if unused:
            self.build.note(f"not used in evaluation, left out: {', '.join(unused)}")

    def _unseen(self) -> list[Refusal]:
        """Layers without nodes that stand behind the place where the tracer stopped."""
        return [
            Refusal(path, type(one).__name__, "", reason_of(type(one).__name__))
            for path, one in self.trace.root.named_modules()
            if _is_leaf(one)
            and kind_of(one) is None
            and path not in self.met
            and not isinstance(one, nn.ModuleList | nn.ModuleDict | nn.ParameterList)
        ]


def _attribute(root: nn.Module, path: str) -> Any:
    for part in path.split("."):
        root = getattr(root, part)
    return root


def _flat(values: Any) -> list[Any]:
    if isinstance(values, Mapping):
        values = tuple(values.values())
    if isinstance(values, slice):
        values = (values.start, values.stop, values.step)
    if isinstance(values, tuple | list):
        return [inner for one in values for inner in _flat(one)]
    return [values]
