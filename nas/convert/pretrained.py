"""Weights of a user's model: from a file into the module, and from the module into a training."""

import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from hw.errors import InputError
from nas.beginning import Weights
from nas.importer import Imported, copy_weights
from nas.model import GraphModel

EXPECTED = "expected what torch.save(model.state_dict(), FILE) writes"


def load_into(module: nn.Module, path: Path) -> None:
    """Give the module the state dict in a file; nothing in the file is run.

    Raises
    ------
    InputError: no such file, other things in it, or a state dict of another model
    """
    state = _read(path)
    try:
        module.load_state_dict(state)
    except (RuntimeError, KeyError, ValueError) as error:
        raise InputError(
            f"{path}: not the weights of this model: {_unlike(module, state)}"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; {EXPECTED}") from error
    except (
        EOFError, RuntimeError, KeyError, ValueError, AttributeError, UnpicklingError,
        zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise InputError(f"{path}: not a file of tensors alone; {EXPECTED}") from error
    if not isinstance(state, dict):
        raise InputError(f"{path}: holds a {type(state).__name__}; {EXPECTED}")
    inner = [str(key) for key, value in state.items() if isinstance(value, dict)]
    if inner or not any(isinstance(value, Tensor) for value in state.values()):
        holds = ", ".join(map(str, list(state)[:5])) or "nothing"
        raise InputError(f"{path}: holds {holds}; {EXPECTED}, the state dict alone")
    return state


def _unlike(module: nn.Module, state: dict[str, Any]) -> str:
    """The first thing by which a state dict is not the module's."""
    own = module.state_dict()
    for name in own:
        if name not in state:
            near = next((one for one in state if one.endswith(f".{name}")), None)
            more = "" if near is None else f" (it has {near}: remove the prefix)"
            return f"it has no {name}{more}"
    for name, value in state.items():
        if name not in own:
            return f"the model has no {name}"
        shapes = [list(getattr(one, "shape", ())) for one in (value, own[name])]
        if shapes[0] != shapes[1]:
            return f"{name} has the shape {shapes[0]}, in the model {shapes[1]}"
    return "it is refused by the model's own load_state_dict"


def first_weights(place: str, found: Imported) -> Weights:
    """The weights, biases and batch norms that the module has, as what a training begins with.

    Raises
    ------
    InputError: some of them are no finite numbers
    """
    for name, layer in found.sources.items():
        for part in filter(None, (layer.layer, layer.norm)):
            if not all(torch.isfinite(tensor).all() for tensor in part.state_dict().values()):
                raise InputError(
                    f"{place}: {layer.path or name} ({type(part).__name__}): holds nan or inf; "
                    "mend its weights, or give --from-scratch"
                )
    source = GraphModel(found.graph, "real")
    copy_weights(source, found.sources)
    return Weights(place, source)
