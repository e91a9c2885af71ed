"""A conventional network as a fuzz case describes it: a name and its sizes."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from hw.errors import InputError
from hw.ir.graph import GlobalPool, Graph, Linear, Shape
from hw.networks.cells import Stem
from hw.networks.conventional import MODELS, model
from hw.networks.conventional.sizes import Sizes
from sim.fuzz.lower import below

LEAST_WIDTH = 1 / 512
"""Share of the published channels at which every layer has one."""


@dataclass(frozen=True)
class Model:
    """A conventional network, made narrow.

    Parameters
    ----------
    name: one of `MODELS`
    stem, width: as in `Sizes`
    kept: so many of its first nodes, the image not among them, then a classifier; 0: all of it
    """

    name: str
    stem: str
    width: float
    kept: int = 0

    def graph(self, image: Shape, classes: int) -> Graph:
        """The graph; InputError where images are too small for it."""
        whole = model(self.name, Sizes(image, classes, Stem(self.stem), self.width))
        if not self.kept or self.kept + 1 >= len(whole):
            return whole
        nodes = whole.nodes[: self.kept + 1]
        depth = nodes[-1].shape[2]
        return Graph(
            (
                *nodes,
                GlobalPool(name="cut_pool", inputs=(nodes[-1].name,), shape=(1, 1, depth)),
                Linear(name="cut_classifier", inputs=("cut_pool",), shape=(1, 1, classes)),
            )
        )

    def as_dict(self) -> dict[str, Any]:
        """In plain lists and mappings, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Model":
        """What `as_dict` wrote; InputError for a network or a stem that is not known."""
        for field, known in (("name", tuple(MODELS)), ("stem", tuple(Stem))):
            if content[field] not in known:
                raise InputError(
                    f"case: net: {field}: {content[field]!r}; expected one of {', '.join(known)}"
                )
        return cls(**content)

    def simpler(self) -> Iterator["Model"]:
        """Less of the network, and less of each layer."""
        most = len(model(self.name, Sizes((64, 64, 1), 1, Stem(self.stem), LEAST_WIDTH))) - 1
        last = min(self.kept or most, most)
        # One node less may be a branch that what matters is not on.
        for kept in (*below(last), last - 2, last - 3):
            if kept > 0:
                yield replace(self, kept=kept)
        if self.stem != Stem.CIFAR:
            yield replace(self, stem=str(Stem.CIFAR), kept=0)
        for width in (LEAST_WIDTH, self.width / 2):
            if LEAST_WIDTH <= width < self.width:
                yield replace(self, width=width)
