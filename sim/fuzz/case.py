"""A fuzz case: a plain description that decides a network, its plan, its images and its stalls."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from hw.board.boards import device
from hw.dataflow.check import check
from hw.dataflow.design.design import Design
from hw.dataflow.planner import propose
from hw.errors import InputError
from hw.ir.graph import Graph
from hw.ir.network import Network
from hw.networks import genotypes
from hw.networks.cells import build
from hw.networks.random_network import random_network
from sim.fuzz import images, plan_edits
from sim.fuzz.plan_edits import PlanEdits

BOARD = "ulx3s-85f"
"""A proposed plan is for this board, with all the LUT it wants: nothing is placed here."""

LUTS = 10**9


@dataclass(frozen=True)
class Case:
    """What one run of the fuzzer does; everything follows from these fields.

    Parameters
    ----------
    genotype: the four keys of a genotype.yaml, in plain lists
    stem, channels, cells, image, classes: as in `hw.networks.cells.build`; image is [height, width,
    channels]
    act_bits, scale_terms, guard, weight_bits, paper: as in `hw.networks.random_network`
    seed: of the weights, the noise in the images and the stalls
    plan: what is changed in the proposed plan
    frames: kind of each image, see `sim.fuzz.images`
    stall: chance that a source or the sink pauses in a cycle, [0, 1)
    """

    genotype: Mapping[str, Any]
    stem: str
    channels: int
    cells: int
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


@dataclass(frozen=True)
class Hardware:
    """What a case describes: network, design, uint8 images (N, H, W, C)."""

    network: Network
    design: Design
    images: np.ndarray


def as_dict(case: Case) -> dict[str, Any]:
    """The case in plain lists and mappings, for JSON; `from_dict` reads it back."""
    content = asdict(case)
    content["genotype"] = {key: list(map(_plain, case.genotype[key])) for key in genotypes.KEYS}
    return content | {"image": list(case.image), "frames": list(case.frames)}


def _plain(edge: Any) -> Any:
    return list(edge) if isinstance(edge, list | tuple) else edge


def from_dict(content: Mapping[str, Any]) -> Case:
    """The case in a mapping that `as_dict` wrote; InputError naming the key that is wrong."""
    values: dict[str, Any] = _checked(Case, content, "case")
    values["genotype"] = genotypes.to_mapping(genotypes.from_mapping(content["genotype"]))
    values["plan"] = PlanEdits(**_checked(PlanEdits, content["plan"], "case: plan"))
    values["image"], values["frames"] = tuple(content["image"]), tuple(content["frames"])
    return Case(**values)


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
    return build(
        genotypes.from_mapping(case.genotype),
        channels=case.channels,
        cells=case.cells,
        image=case.image,
        classes=case.classes,
        stem=case.stem,
    ).pruned()


def network_of(case: Case) -> Network:
    """The network of a case.

    Raises
    ------
    CheckFailed: the formats do not suit the weights drawn: not a fault, another seed may do
    """
    return random_network(
        graph_of(case),
        seed=case.seed,
        act_bits=case.act_bits,
        scale_terms=case.scale_terms,
        guard=case.guard,
        weight_bits=case.weight_bits,
        paper=case.paper,
    )


def hardware_of(case: Case, network: Network) -> Hardware:
    """Plan and images of a case beside its network."""
    proposed = propose(network, device(BOARD), fps=case.plan.fps, luts=LUTS).plan
    plan = plan_edits.apply(case.plan, network, proposed)
    design = check(plan, network, "case: plan")
    shape = network.graph.input.shape
    return Hardware(network, design, images.make(case.frames, shape, case.seed))
