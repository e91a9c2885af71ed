"""A fuzz case: a plain description that decides a network, its plan, its images and its stalls."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from hw.board.boards import NONE, device
from hw.dataflow.check import check
from hw.dataflow.design.design import Design
from hw.dataflow.planner import propose
from hw.errors import InputError
from hw.ir.format import Format
from hw.ir.graph import Conv, FactorizedReduce, Graph
from hw.ir.network import Network
from hw.ir.parameters import Rounding
from hw.networks.random_network import random_network
from sim.fuzz import images, plan_edits, widths
from sim.fuzz.cells import Cells
from sim.fuzz.dice import Dice
from sim.fuzz.grids import OVERLAYS
from sim.fuzz.layers import Layers
from sim.fuzz.models import Model
from sim.fuzz.plan_edits import PlanEdits
from sim.level import Level

NETS: dict[str, type[Cells] | type[Layers] | type[Model]] = {
    "cells": Cells,
    "layers": Layers,
    "model": Model,
}
"""Kind of network -> how a case describes it."""


@dataclass(frozen=True)
class Case:
    """What one run of the fuzzer does; everything follows from these fields.

    Parameters
    ----------
    net: what the network is made of
    image: height, width, channels
    classes: number of logits
    act_bits, scale_terms, guard, weight_bits, paper, rounding: as in `hw.networks.random_network`
    seed: of the weights, the noise in the images and the stalls
    plan: what is changed in the proposed plan
    frames: kind of each image, see `sim.fuzz.images`
    stall: chance that a source or the sink pauses in a cycle, [0, 1)
    negative: share of the channels whose scale is negative, which random batch norms never are
    loaded: the plan is loadable; at level `network` the RTL is emitted with other weights, and
    these are loaded into it
    level: of the co-simulation, one of `sim.level.Level`
    mixed: tensors of all widths from 2 to `act_bits` in one network
    overlay: the hardware is this one of `sim.fuzz.grids.OVERLAYS`; "": dataflow, by `plan`
    """

    net: Cells | Layers | Model
    image: tuple[int, int, int]
    classes: int
    act_bits: int = 8
    scale_terms: int = 3
    guard: int | None = None
    weight_bits: int = 5
    paper: bool = False
    seed: int = 1
    plan: PlanEdits = field(default_factory=PlanEdits)
    frames: tuple[str, ...] = ("noise",)
    stall: float = 0.0
    negative: float = 0.0
    loaded: bool = False
    level: str = "network"
    rounding: Rounding = Rounding.HALF_UP
    mixed: bool = False
    overlay: str = ""

    @property
    def kind(self) -> str:
        """One of `NETS`."""
        return next(name for name, kind in NETS.items() if isinstance(self.net, kind))

    @property
    def through_port(self) -> bool:
        """Whether weights are loaded in the run: parts of a network have no port."""
        return self.loaded and self.level == Level.NETWORK


@dataclass(frozen=True)
class Hardware:
    """What a case describes: network, design, uint8 images (N, H, W, C).

    `load`: the design is of a network with other weights, and the network's are loaded into it.
    """

    network: Network
    design: Design
    images: np.ndarray
    load: bool


def as_dict(case: Case) -> dict[str, Any]:
    """The case in plain lists and mappings, for JSON; `from_dict` reads it back."""
    net = {"kind": case.kind, **case.net.as_dict()}
    return asdict(case) | {"net": net, "image": list(case.image), "frames": list(case.frames)}


def from_dict(content: Mapping[str, Any]) -> Case:
    """The case in a mapping that `as_dict` wrote; InputError naming the key that is wrong."""
    values: dict[str, Any] = _checked(Case, content, "case")
    values["net"] = _net(content["net"])
    values["plan"] = PlanEdits(**_checked(PlanEdits, content["plan"], "case: plan"))
    values["image"], values["frames"] = tuple(content["image"]), tuple(content["frames"])
    if not values["frames"]:
        raise InputError("case: frames: expected one image or more")
    if content["level"] not in tuple(Level):
        raise InputError(f"case: level: {content['level']!r}; expected one of {', '.join(Level)}")
    if content["rounding"] not in tuple(Rounding):
        raise InputError(
            f"case: rounding: {content['rounding']!r}; expected one of {', '.join(Rounding)}"
        )
    if content["overlay"] not in ("", *OVERLAYS):
        known = ", ".join(OVERLAYS)
        raise InputError(f"case: overlay: {content['overlay']!r}; expected one of {known}, or none")
    values["rounding"] = Rounding(content["rounding"])
    return Case(**values)


def _net(content: Any) -> Cells | Layers | Model:
    if not isinstance(content, Mapping) or content.get("kind") not in NETS:
        raise InputError(f"case: net: kind: expected one of {', '.join(NETS)}")
    kind = NETS[content["kind"]]
    rest = {key: value for key, value in content.items() if key != "kind"}
    return kind.from_dict(_checked(kind, rest, "case: net"))


def _checked(kind: type, content: Any, where: str) -> dict[str, Any]:
    """The content, if its keys are the fields of the dataclass `kind`."""
    if not isinstance(content, Mapping):
        raise InputError(f"{where}: expected a mapping")
    names = {one.name for one in fields(kind)}
    for key in sorted(names ^ content.keys()):
        raise InputError(f"{where}: {key}: {'missing' if key in names else 'unknown'}")
    return dict(content)


def graph_of(case: Case) -> Graph:
    """The graph of a case, unread nodes left out."""
    return case.net.graph(case.image, case.classes).pruned()


def network_of(case: Case, like: Network | None = None) -> Network:
    """The network of a case; one that has the formats of `like`, where that is given.

    Raises
    ------
    CheckFailed: the formats do not suit the weights drawn: not a fault, another seed may do
    """
    found = _drawn(case, like.formats if like is not None else None)
    if case.mixed and like is None:
        found = _drawn(case, widths.mixed(found, case.seed))
    return _with_negative_scales(found, case) if case.negative else found


def _drawn(case: Case, formats: Mapping[str, Format] | None) -> Network:
    return random_network(
        graph_of(case),
        seed=case.seed,
        act_bits=case.act_bits,
        scale_terms=case.scale_terms,
        guard=case.guard,
        weight_bits=case.weight_bits,
        rounding=case.rounding,
        paper=case.paper,
        formats=formats,
    )


def _with_negative_scales(network: Network, case: Case) -> Network:
    """The network with scale and bias of some channels negated: what they give is mirrored."""
    params = dict(network.params)
    for node in network.graph:
        # Without batch norm the scale is one.
        if not isinstance(node, FactorizedReduce) and not (
            isinstance(node, Conv) and node.batch_norm
        ):
            continue
        dice, old = Dice(f"{case.seed}/{node.name}/negative"), params[node.name]
        turned = [-1 if dice.chance(case.negative) else 1 for _ in old.bias]
        params[node.name] = replace(
            old,
            scale_sign=old.scale_sign * np.array(turned, np.int8)[:, None],
            bias=tuple(bias * turn for bias, turn in zip(old.bias, turned, strict=True)),
        )
    return replace(network, params=params)


def hardware_of(case: Case, network: Network) -> Hardware:
    """Plan and images of a case beside its network."""
    load = case.through_port
    # Where weights are loaded the RTL has others: those of another seed.
    built = network_of(replace(case, seed=case.seed + 1), like=network) if load else network
    proposed = propose(
        built,
        device(NONE),
        fps=case.plan.fps,
        loadable=case.loaded,
        cover=[network] if load else (),
    ).plan
    plan = plan_edits.apply(case.plan, built, proposed)
    design = check(plan, built, "case: plan")
    made = images.make(case.frames, network.graph.input.shape, case.seed)
    return Hardware(network, design, made, load)
