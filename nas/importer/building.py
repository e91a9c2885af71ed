"""The graph under construction, and what its nodes were made of."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from hw.ir.clip import Clip
from hw.ir.graph import Concat, Input, Node, Select
from hw.networks.conventional.wiring import IMAGE, Wiring
from nas.importer.names import node_name
from nas.importer.refusal import Unsupported
from nas.importer.view import View, map_view


@dataclass(frozen=True, kw_only=True)
class Opaque(Node):
    """In the place of what was refused, so that what follows can be looked at too."""


@dataclass(frozen=True)
class Source:
    """The modules that a node was made of.

    Parameters
    ----------
    path: of the layer, as in `named_modules`
    layer: with the weights
    norm: the batch norm behind it
    """

    path: str
    layer: nn.Conv2d | nn.Linear
    norm: nn.BatchNorm1d | nn.BatchNorm2d | None = None


@dataclass(frozen=True)
class Call:
    """One call of a layer or a function.

    Parameters
    ----------
    path: of the module that is called, or that calls the function
    word: what is called, where that is no module
    inplace: whether its result takes the place of its input
    """

    path: str
    word: str = ""
    inplace: bool = False


@dataclass
class Building:
    """Nodes so far, by `Wiring`, beside what an importer has to know of them.

    Parameters
    ----------
    net: of the images
    sources: of the nodes that have weights
    activations: nodes that only clip: Concats of one tensor, see `nas.importer.activations`
    notes: what the graph leaves out, in words
    """

    net: Wiring
    sources: dict[str, Source] = field(default_factory=dict)
    activations: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    _owners: dict[int, str] = field(default_factory=dict)
    _selected: dict[tuple[str, tuple[int, ...]], str] = field(default_factory=dict)

    def node(
        self, kind: type[Node], call: Call, inputs: Iterable[str], depth: int = 0, **fields: Any
    ) -> View:
        """A new node, and its tensor as a map."""
        name = node_name(call.path, call.word, self.net.nodes)
        self.net.node(kind, name, tuple(inputs), depth, **fields)
        return map_view(name, self.net.shape(name))

    def opaque(self, call: Call, shape: tuple[int, ...]) -> View:
        """Something of a shape (N, C, H, W) or (N, C)."""
        name = node_name(call.path, call.word, self.net.nodes)
        sides = shape[2:] if len(shape) == 4 else (1, 1)
        of = (sides[0], sides[1], shape[1])
        self.net.nodes[name] = Opaque(name=name, inputs=(), shape=of)
        return View(name, of, shape)

    def activation(self, call: Call, view: View, clip: Clip) -> View:
        """Clip the whole tensor that a view looks at."""
        read(view)
        made = self.node(Concat, call, (view.node,), clip=clip)
        self.activations.add(made.node)
        return view.anew(made.node)

    def as_map(self, call: Call, view: View) -> str:
        """Name of a node whose tensor is the view, (N, C, H, W).

        Raises
        ------
        Unsupported: the view is no map, or of something else than whole channels
        """
        if not read(view).is_map:
            raise Unsupported(f"reads a tensor of shape {shown(view.shape)}, which is no map")
        return self._selection(call, view)

    def as_flat(self, call: Call, view: View) -> str:
        """Name of a node whose tensor, flattened channel by channel, is the view, (N, C·H·W)."""
        if len(read(view).shape) != 2:
            raise Unsupported(
                f"reads a tensor of shape {shown(view.shape)}; flatten it to one vector an image"
            )
        return self._selection(call, view)

    def _selection(self, call: Call, view: View) -> str:
        channels = view.channels()
        if channels == tuple(range(view.of[2])):
            return view.node
        key = (view.node, channels)
        if key not in self._selected:
            word = "select" if call.word == "" else f"{call.word}_select"
            path = call.path if call.word else call.path.rpartition(".")[0]
            made = self.node(Select, Call(path, word), (view.node,), channels=channels)
            self._selected[key] = made.node
        return self._selected[key]

    def selected(self, call: Call, view: View) -> View:
        """A view of maps of other channels becomes that of a Select; others stay what they are."""
        if view.stale is not None or not view.is_map:
            return view
        try:
            node = self._selection(call, view)
        except Unsupported:
            return view
        if node == view.node:
            return view
        made = map_view(node, self.net.shape(node))
        return View(node, made.of, made.shape, None, view.memory)

    def claim(self, module: nn.Module, path: str) -> None:
        """A layer with weights has one node; Unsupported where another has the same weights."""
        own: dict[str, Tensor] = dict(module.named_parameters(recurse=False))
        for tensor in own.values():
            if id(tensor) in self._owners:
                user = self._owners[id(tensor)]
                again = "is called twice" if user == path else f"shares its weights with {user}"
                raise Unsupported(
                    f"{again}; each call has hardware and weights of its own here: give it a layer "
                    "of its own"
                )
        self._owners |= {id(tensor): path for tensor in own.values()}

    def readers(self, name: str) -> list[str]:
        return [node.name for node in self.net.nodes.values() if name in node.inputs]

    def change(self, name: str, **fields: Any) -> None:
        """Give a node other fields."""
        self.net.nodes[name] = replace(self.net.nodes[name], **fields)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def begin(net: Wiring) -> tuple[Building, View]:
    """An empty graph, and the image."""
    assert isinstance(net.nodes[IMAGE], Input)
    return Building(net), map_view(IMAGE, net.image)


def read(view: View) -> View:
    """The view, if it may be read; else Unsupported."""
    if view.stale is not None:
        raise Unsupported(view.stale)
    return view


def shown(shape: Iterable[int]) -> str:
    """A shape without its batch."""
    return "x".join(["N", *map(str, list(shape)[1:])])
