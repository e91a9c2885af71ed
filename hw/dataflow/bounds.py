"""Bounds of a plan: what it may take, programs moved between logic and block RAM to keep to that,
and what is said of one that does not."""

from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

from hw.dataflow import cost
from hw.dataflow.design.design import Design, LayerDesign
from hw.dataflow.design.engine import EngineDesign
from hw.dataflow.design.joins import JoinDesign
from hw.dataflow.fabric import Device
from hw.dataflow.ladder import extra_blocks, near, saved_luts
from hw.dataflow.plan import ElementKind, Place
from hw.errors import InputError

SHARE = 0.8
"""Of a board's LUT sites, flip-flops and block RAMs that a network may take: the rest is for the
board's own logic, for what estimates leave out, and for the router."""

NAMED = 3
"""Layers that an error names."""


class Taken(NamedTuple):
    """LUT sites, flip-flops and block RAMs."""

    lut: float
    ff: float
    ram_blocks: float

    @classmethod
    def of(cls, design: Design) -> "Taken":
        """What a design takes, by the cost model."""
        return cls(*cost.logic(design), cost.ram_blocks(design))

    def within(self, most: "Taken") -> bool:
        """Whether nothing is more than in `most`."""
        return all(own <= bound for own, bound in zip(self, most, strict=True))


UNITS = ("LUT", "flip-flops", "block RAMs")


@dataclass(frozen=True)
class Bounds:
    """What a network may take.

    Parameters
    ----------
    most: of each resource
    device: that the plan is for
    """

    most: Taken
    device: Device

    @classmethod
    def of(cls, device: Device, luts: int | None = None) -> "Bounds":
        """A share of the device, `luts` LUT sites instead if they are given.

        Raises
        ------
        InputError: the device has fewer
        """
        if luts is not None and device.luts is not None and luts > device.luts:
            raise InputError(
                f"--luts: {luts} are more than the {device.luts} that {device.board} has; choose a"
                " larger board, or --board none"
            )
        shares = (
            inf if there is None else int(SHARE * there)
            for there in (device.luts, device.flip_flops, device.ram_blocks)
        )
        most = Taken(*shares)
        return cls(most if luts is None else most._replace(lut=luts), device)

    def __str__(self) -> str:
        """The bounds there are."""
        parts = [
            f"{most} {unit}" for most, unit in zip(self.most, UNITS, strict=True) if most < inf
        ]
        return ", ".join(parts[:-1]) + " and " * (len(parts) > 1) + "".join(parts[-1:])

    def allow(self, design: Design) -> bool:
        """Whether a design keeps to all of them."""
        return Taken.of(design).within(self.most)

    def placed(self, design: Design) -> Design:
        """The design with programs moved, where it takes too much, to what it leaves free.

        From block RAM into logic (LUT RAM if they are loadable) those first that cost the fewest
        LUT a block, or from there into block RAM those that save the most; none while it fits.
        """
        taken = Taken.of(design)
        if taken.ram_blocks > self.most.ram_blocks:
            return self._out_of_blocks(design, taken)
        if taken.lut > self.most.lut:
            return self._into_blocks(design, taken)
        return design

    def _out_of_blocks(self, design: Design, taken: Taken) -> Design:
        moves = _moves(design, from_blocks=True)
        excess, moved = taken.ram_blocks - self.most.ram_blocks, {}
        for name, _, blocks in sorted(moves, key=lambda move: move[1] / move[2]):
            if excess > 0:
                moved[name] = near(design.engines[name])
                excess -= blocks
        return design.with_places(moved)

    def _into_blocks(self, design: Design, taken: Taken) -> Design:
        moves = _moves(design, from_blocks=False)
        excess, free = taken.lut - self.most.lut, self.most.ram_blocks - taken.ram_blocks
        moved = {}
        for name, luts, blocks in sorted(moves, key=lambda move: -move[1] / max(move[2], 0.5)):
            if excess > 0 and luts > 0 and blocks <= free:
                moved[name] = Place.BLOCK
                excess, free = excess - luts, free - blocks
        return design.with_places(moved)

    def shortage(self, design: Design) -> str:
        """What a `placed` design takes too much of, the layers that take most of it, their fields.

        LUT that are short because block RAMs are, programs lying in logic instead, are told so.
        """
        told, there = [], self._with_more_blocks(design)
        # Named once, and first: without --plan or --board nobody has chosen it.
        named = there is not None or self.device.luts is None
        on = "" if named else f" on {self.device.board}"
        if there is not None:
            too = f", and {there.lut} LUT, more than the {self.most.lut} allowed"
            told.append(
                f"{there.ram_blocks} block RAMs, more than the {self.most.ram_blocks} allowed of "
                f"the {self.device.ram_blocks} that {self.device.board} has"
                f"{too if there.lut > self.most.lut else ''}; with no more weights there than "
                "these hold it takes"
            )
        for key, own, most, unit in zip(
            Taken._fields, Taken.of(design), self.most, UNITS, strict=True
        ):
            if own > most:
                share = _largest(design, key)
                told.append(
                    f"{own} {unit}, more than the {most} allowed{on}, most of them in {share}"
                )
                on = ""
        if there is not None:
            told[:2] = [" about ".join(told[:2])]
        return "; and ".join(told)

    def _with_more_blocks(self, design: Design) -> Taken | None:
        """What a `placed` design would take with as many block RAMs as it can use against its LUT;
        None where it does not lack those, or block RAMs are not what hinders."""
        taken = Taken.of(design)
        if taken.lut <= self.most.lut or taken.ram_blocks > self.most.ram_blocks:
            return None
        unlimited = replace(self, most=self.most._replace(ram_blocks=inf))
        there = Taken.of(unlimited.placed(design))
        return there if there.ram_blocks > self.most.ram_blocks else None

    def advice(self, design: Design) -> str:
        """What to choose instead of a design that takes too much."""
        taken, luts = Taken.of(design), self.device.luts
        others = taken._replace(lut=0).within(self.most)
        choices = ["a smaller network (fewer channels or cells)"]
        if luts is not None:
            choices.insert(0, "a larger board")
        if others and (luts is None or taken.lut <= luts):
            choices.insert(0, "a larger --luts")
        return "choose " + ", ".join(choices[:-1]) + " or " * (len(choices) > 1) + choices[-1]


def _moves(design: Design, from_blocks: bool) -> list[tuple[str, int, int]]:
    """Programs that can be moved: layer, LUT sites and block RAMs that it costs or saves."""
    found = []
    for name, engine in design.engines.items():
        if design.plan.layers[name].element == ElementKind.POOL:
            continue
        if (engine.place == Place.BLOCK) != from_blocks:
            continue
        blocks = extra_blocks(engine)
        if blocks > 0 or not from_blocks:
            found.append((name, saved_luts(engine), blocks))
    return found


def _largest(design: Design, key: str) -> str:
    """The fields of a plan on which most of a resource hangs, and how much of it their layers
    take."""
    sizes = {name: _size(layer, key) for name, layer in design.layers.items()}
    names = sorted(sizes, key=lambda name: -sizes[name])[:NAMED]
    told = (f"{_field(name, design.layers[name], key)} ({sizes[name]})" for name in names)
    return ", ".join(told)


def _size(layer: LayerDesign, key: str) -> int:
    if key == "ram_blocks":
        return cost.layer_blocks(layer)
    return getattr(cost.layer_logic(layer), key)


def _field(name: str, layer: LayerDesign, key: str) -> str:
    """The field of a plan that a layer's size hangs on most; a global pool has none."""
    match layer:
        case JoinDesign():
            return f"fifos: {name}"
        case EngineDesign():
            return f"layers: {name}: {_engine_field(layer, key)}"
    return name


def _engine_field(engine: EngineDesign, key: str) -> str:
    if key == "ram_blocks":
        parts = cost.block_parts(engine)
        return max(parts, key=lambda name: parts[name])
    if engine.pe > 1:
        return "pe"
    return "weights" if key == "lut" and engine.place != Place.BLOCK else "element"
