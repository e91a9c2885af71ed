"""Registers that words of a program go through, all at the same pace."""

from collections.abc import Collection, Sequence

from amaranth import *
from amaranth.hdl import ValueLike


class Pipeline:
    """What is known of the word in the stage under way, by name.

    Parameters
    ----------
    m: the module that gets the registers
    go: whether every word goes on to the next stage; another register that says the same may take
        its place for the stages that follow
    resets: names of what does something by itself: their registers have a reset. What they say is
        whether the others count
    """

    def __init__(self, m: Module, go: Value, resets: Collection[str], **known: ValueLike):
        self._m, self.go, self._resets = m, go, resets
        self._known = {name: Value.cast(value) for name, value in known.items()}

    def __getattr__(self, name: str) -> Value:
        try:
            return self._known[name]
        except KeyError:
            raise AttributeError(name) from None

    def advance(self, stage: str, keep: Sequence[str], **new: ValueLike) -> None:
        """A stage more: registers for what is kept and for what is new."""
        following = {name: self._known[name] for name in keep}
        following |= {
            name: value if isinstance(value, Value) else Value.cast(value)
            for name, value in new.items()
        }
        self._known = {}
        for name, value in following.items():
            reset_less = name not in self._resets
            held = Signal(value.shape(), name=f"{stage}_{name}", reset_less=reset_less)
            with self._m.If(self.go):
                self._m.d.sync += held.eq(value)
            self._known[name] = held
