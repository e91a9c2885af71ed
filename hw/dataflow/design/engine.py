"""What an engine is: window, element and requantiser, and all that is decided about them."""

from dataclasses import dataclass, replace
from functools import cached_property

from hw.dataflow.design.geometry import Geometry
from hw.dataflow.design.program import BarrelCode, Program, WordCode
from hw.dataflow.design.requantiser import End, RequantiseDesign
from hw.dataflow.plan import Place
from hw.ir.format import Format


@dataclass(frozen=True)
class BarrelDesign:
    """Shift, then add: `code.pe` accumulators of `width` bits."""

    code: BarrelCode
    width: int


@dataclass(frozen=True)
class HornerDesign:
    """Sorted Horner: one accumulator of `width` bits."""

    width: int


@dataclass(frozen=True)
class MaximumDesign:
    """Running maximum of the real taps."""


@dataclass(frozen=True)
class SumDesign:
    """Sum, `width` bits, of the real taps, of which there are as many as `counts` says."""

    counts: tuple[int, ...]
    width: int


Element = BarrelDesign | HornerDesign | MaximumDesign | SumDesign


@dataclass(frozen=True, eq=False)
class EngineDesign:
    """An engine: convolution, FactorizedReduce, classifier, max or average pool.

    Parameters
    ----------
    name: of the node
    geometry: of the window
    source, out: formats of the input and the output
    relu: whether negative inputs count as zero
    store: beats of the operand store
    program: taps of an output pixel
    place: where the program lies
    element: what is done with the taps
    end: what stands behind the element; None: nothing
    words: room for a program loaded at run time; 0: the weights are fixed
    """

    name: str
    geometry: Geometry
    source: Format
    out: Format
    relu: bool
    store: int
    program: Program
    place: Place
    element: Element
    end: End | None
    words: int = 0

    @property
    def pe(self) -> int:
        """Output channels computed at a time."""
        return self.element.code.pe if isinstance(self.element, BarrelDesign) else 1

    @property
    def loadable(self) -> bool:
        """Whether the weights are loaded at run time."""
        return self.words > 0

    @cached_property
    def code(self) -> WordCode:
        """How the program's words are encoded."""
        return WordCode(self.geometry, self.store, self.program.operation_bits)

    def placed(self, place: Place) -> "EngineDesign":
        """The same with program and digits in another place."""
        end = self.end
        if isinstance(end, RequantiseDesign):
            end = replace(end, place=place)
        return replace(self, place=place, end=end)
