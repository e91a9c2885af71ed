"""The function that makes a user's model, by MODULE:FACTORY or FILE.py:FACTORY."""

import contextlib
import importlib
import importlib.util
import os
import random
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from hw.errors import InputError
from hw.import_advice import advice

EXPECTED = (
    "expected MODULE:FACTORY, of a module that is installed or on PYTHONPATH, or FILE.py:FACTORY, "
    "whose FACTORY() gives a torch.nn.Module"
)


def make(place: str, seed: int) -> nn.Module:
    """The model that the factory at `place` makes, on the CPU, in float32.

    Parameters
    ----------
    seed: of what it draws from the generators of torch, NumPy and Python: the same weights each
        time

    Raises
    ------
    InputError: there is no such factory; its code fails (file and line are named); it gives
        something else
    """
    module_name, colon, name = place.rpartition(":")
    if not (colon and module_name and name):
        raise InputError(f"{place}: {EXPECTED}")
    with _settings_kept():
        return _made(place, module_name, name, seed)


@contextlib.contextmanager
def _settings_kept() -> Iterator[None]:
    """What the user's code sets for the whole process, and its working folder, end with it."""
    dtype, grad, threads = (
        torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()
    )  # fmt: skip
    device, folder = torch.get_default_device(), Path.cwd()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        os.chdir(folder)


def _made(place: str, module_name: str, name: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    module = _guarded(place, lambda: _imported(place, module_name))
    factory = getattr(module, name, None)
    if not callable(factory):
        raise InputError(f"{place}: {module_name} has no function {name}; {EXPECTED}")
    if isinstance(factory, nn.Module):
        raise InputError(f"{place}: {name} is a module; write a function that gives it")
    made = _guarded(place, factory)
    if not isinstance(made, nn.Module):
        raise InputError(f"{place}: {name}() gives {type(made).__name__}; {EXPECTED}")
    wrapper = _wrapper(made)
    if wrapper is not None:
        raise InputError(f"{place}: {name}() gives a module in {wrapper}; give the module itself")
    lazy = next((key for key, value in made.named_parameters() if is_lazy(value)), None)
    if lazy is not None:
        raise InputError(
            f"{place}: {lazy} has no shape yet: {name}() gives a lazy layer; call the model once, "
            "on an image, before it is given"
        )
    # Models of half or double precision too: training and what it is compared by are float32.
    return _guarded(place, lambda: made.cpu().float())


def _wrapper(module: nn.Module) -> str | None:
    """What keeps the module's layers from being looked at, by name."""
    match module:
        case torch.jit.ScriptModule():
            return "torch.jit.script or torch.jit.trace"
        case nn.DataParallel() | nn.parallel.DistributedDataParallel():
            return type(module).__name__
        case _ if hasattr(module, "_orig_mod"):
            return "torch.compile"
    return None


def _imported(place: str, name: str) -> ModuleType:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = Path(name).resolve()
    if not path.is_file():
        raise InputError(f"{place}: no such file: {name}")
    spec = importlib.util.spec_from_file_location(f"shiftnas_model_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # What lies beside it can be imported, as where Python runs it; what is installed comes first.
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    # Before it runs: dataclasses look their module up here.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _guarded(place: str, call: Callable[[], Any]) -> Any:
    """The user's code; what it raises becomes one line with the place in it."""
    try:
        return call()
    except (InputError, KeyboardInterrupt):
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and f"{place.rpartition(':')[0]}.".startswith(f"{error.name}."):
            raise InputError(f"{place}: no such module: {error.name}; {EXPECTED}") from error
        raise InputError(f"{place}: it needs {error.name}, which is not installed") from error
    except BaseException as error:  # SystemExit too
        raise InputError(_line(place, error)) from error


def _line(place: str, error: BaseException) -> str:
    """File and line of the user's innermost frame, and what was raised there, or what to do."""
    helpful = advice(error)
    if helpful is not None:
        return f"{place}: {helpful}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and frame.filename not in (__file__, importlib.__file__)
    ]
    if isinstance(error, SyntaxError):
        where = f"{error.filename}:{error.lineno}: "
    else:
        where = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    return " ".join(f"{place}: {where}{type(error).__name__}: {error}".split())
