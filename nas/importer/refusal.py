"""What an importer cannot turn into nodes, said layer by layer."""

from collections.abc import Iterable
from dataclasses import dataclass

from hw.errors import InputError


@dataclass(frozen=True)
class Refusal:
    """A layer, or a call of a function, that has no nodes.

    Parameters
    ----------
    layer: path of the module, as in `named_modules`; of a function that which calls it
    kind: class of the module, or name of the function
    place: file and line of the model that calls it
    reason: why not, and what to do
    """

    layer: str
    kind: str
    place: str
    reason: str

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.kind, self.place) if part)
        if not self.layer:
            return f"{where}: {self.reason}"
        return f"{self.layer} ({where}): {self.reason}" if where else f"{self.layer}: {self.reason}"


class Unsupported(Exception):
    """Raised by the reader of a layer; the message is a `Refusal.reason`."""


class NotConvertible(InputError):
    """A module that cannot become a graph: every layer that is to blame, in `refusals`."""

    def __init__(self, refusals: Iterable[Refusal]):
        self.refusals = tuple(refusals)
        count = len(self.refusals)
        some = f"{count} layers cannot" if count > 1 else "a layer cannot"
        super().__init__(f"{some} be converted: " + "; ".join(map(str, self.refusals)))
