"""First weights from another training: to fine-tune it, or to turn real weights into shift weights.

A network takes over the weights and batch norms of one of the same structure, layer by layer. Shift
weights of the same kind are taken as they are, P and S; all others by their values: each becomes
the nearest that the new kind has. A classifier for another number of classes begins anew.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from hw.errors import InputError
from hw.networks import parts
from nas import checkpoint
from nas.checkpoint import CHECKPOINT
from nas.model import GraphModel, bias_of, weight_of
from nas.shift import IncrementalWeight, RealWeight, ShiftWeight
from nas.task import Task, task_of


@dataclass(frozen=True)
class Beginning:
    """Where a training's first weights come from.

    Parameters
    ----------
    path: the checkpoint
    digest: SHA-256 of its content, by which it is known again
    task: that it is of
    state: of its network
    """

    path: Path
    digest: str
    task: Task
    state: dict[str, torch.Tensor]


@dataclass(frozen=True)
class Weights:
    """First weights that are no run's.

    Parameters
    ----------
    place: what they are of, for people to read
    source: a model with real weights of the structure of the one that is trained
    """

    place: str
    source: GraphModel

    @property
    def digest(self) -> str:
        """SHA-256 of all of them, by which they are known again."""
        total = hashlib.sha256()
        for name, tensor in sorted(self.source.state_dict().items()):
            array = tensor.detach().cpu().contiguous().numpy()
            total.update(f"{name}\0{array.dtype.str} {list(array.shape)}\0".encode())
            total.update(array.tobytes())
        return total.hexdigest()


@dataclass(frozen=True)
class Conversion:
    """What became of the weights taken over by their values.

    Parameters
    ----------
    weights: so many were no powers of two that the new kind has, and became the nearest; none of
        INQ's, which stay real
    larger: above 1 in size, the largest shift weight, and 1 in size now
    lost: not zero before, zero now
    new: layers that begin anew
    """

    weights: int
    larger: int
    lost: int
    new: tuple[str, ...]

    def __str__(self) -> str:
        parts = []
        if self.weights:
            larger, lost = (f"{100 * n / self.weights:.2g} %" for n in (self.larger, self.lost))
            parts.append(
                f"{self.weights:,} weights became the nearest powers of two; {self.larger:,} "
                f"({larger}) were above 1, the largest; {self.lost:,} ({lost}) became 0"
            )
        elif self.larger:
            parts.append(f"{self.larger:,} weights above 1, the largest, became 1 in size")
        if self.new:
            parts.append(f"{', '.join(self.new)}: another number of classes, begins anew")
        return "; ".join(parts) or "weights as they were"


def read(place: str | Path) -> Beginning:
    """A run's newest checkpoint, or a checkpoint.

    Raises
    ------
    InputError: no checkpoint of a training, or a damaged one
    """
    path = Path(place)
    path = path / CHECKPOINT if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; give a run of `train`, or its checkpoint")
    state = checkpoint.read(path)
    task = task_of(state, path)
    if task.kind != "train":
        raise InputError(f"{path}: of a {task.kind}; give a run of `train`, or its checkpoint")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Beginning(path, digest, task, state["model"])


@torch.no_grad()
def take_over(model: GraphModel, source: GraphModel, place: str | Path) -> Conversion:
    """Give `model` the weights and batch norms of `source`; `place` names it in errors.

    Raises
    ------
    InputError: the two have not the same structure
    """
    _require_same_structure(model, source, place)
    counts, new = [0, 0, 0], []
    for name, unit in model.units.items():
        theirs = source.units[name]
        ours, given = weight_of(unit), weight_of(theirs)
        if ours is not None and given is not None:
            if _shape(ours) != _shape(given):
                new.append(name)
                continue
            for k, n in enumerate(_take_weights(ours, given)):
                counts[k] += n
        bias, given = bias_of(unit), bias_of(theirs)
        if bias is not None and given is not None:
            bias.copy_(given)
        norm, given = (getattr(one, "norm", None) for one in (unit, theirs))
        if norm is not None:
            assert given is not None
            norm.load_state_dict(_norm_state(norm, given))
    weights, larger, lost = counts
    return Conversion(weights, larger, lost, tuple(new))


def _norm_state(ours: nn.Module, theirs: nn.Module) -> dict[str, torch.Tensor]:
    """What a norm takes over: all but the factors held, where they are sums of other numbers of
    terms."""
    state = theirs.state_dict()
    if getattr(ours, "terms", 0) == getattr(theirs, "terms", 0):
        return state
    state.pop("held", None)
    return {name: torch.zeros_like(b) for name, b in ours.named_buffers() if name == "held"} | state


def _take_weights(
    ours: ShiftWeight | RealWeight, theirs: ShiftWeight | RealWeight
) -> tuple[int, int, int]:
    """As `Conversion` counts them: weights, larger, lost."""
    values = theirs()
    if type(ours) is type(theirs) and not isinstance(ours, IncrementalWeight):
        ours.load_state_dict(theirs.state_dict())
        if isinstance(ours, ShiftWeight):
            # A code of fewer exponents than theirs changes weights all the same.
            ours.clamp_(ours.settings, *ours.latents)
    else:
        ours.assign(values)
    now = ours()
    rounded = 0 if isinstance(ours, IncrementalWeight) else int((now != values).sum())
    larger, lost = (values.abs() > now.abs().clamp(min=1)).sum(), ((values != 0) & (now == 0)).sum()
    return rounded, int(larger), int(lost)


def _shape(weight: nn.Module) -> tuple[int, ...]:
    return tuple(next(weight.parameters()).shape)


def _require_same_structure(model: GraphModel, source: GraphModel, place: str | Path) -> None:
    """InputError unless each layer of `model` has its like in `source`, classes aside."""
    classifier = parts.classifier(model.graph)
    for name, unit in model.units.items():
        theirs = source.units[name] if name in source.units else None
        ours, given = weight_of(unit), None if theirs is None else weight_of(theirs)
        if type(unit) is not type(theirs):
            raise InputError(
                f"{place}: has no layer like {name}; train the same genotype with the same "
                "train.cells, or the same --model, with the same train.stem"
            )
        if ours is None or given is None or name == classifier:
            continue
        if _shape(ours) != _shape(given):
            raise InputError(
                f"{place}: {name} has weights {_shape(given)}, here {_shape(ours)}; train the same "
                "genotype with the same train.channels, or the same --model with the same --width, "
                "on images of as many channels"
            )
