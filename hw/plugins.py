"""Plug-ins: modules of one's own that register operations, strategies, data sets and presets.

A plug-in is a Python module that calls the functions of `docs/plugins.md` when it is imported. It
is named by `--plugin MODULE|FILE`, or belongs to an installed package that has it as an entry point
of the group `shiftnas.plugins`. Each process that needs it loads it anew.
"""

import hashlib
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from hw.console import note
from hw.errors import InputError
from hw.import_advice import advice

GROUP = "shiftnas.plugins"
"""Of entry points."""

PREFIX = "shiftnas_plugin_"
"""What the modules of files are called in `sys.modules`: the same in every process."""


@dataclass(frozen=True)
class Plugin:
    """A plug-in that was loaded, or that a run recorded.

    Parameters
    ----------
    place: the module's name, or the file
    sha256: of the file's content; of a package all its Python files'
    """

    place: str
    sha256: str

    def __str__(self) -> str:
        return f"--plugin {self.place} (SHA-256 {self.sha256[:12]}…)"

    def as_dict(self) -> dict[str, str]:
        """For YAML; `read` takes it back."""
        return {"place": self.place, "sha256": self.sha256}


_loaded: dict[str, Plugin] = {}
"""By the name of their modules."""

_installed: set[str] = set()
"""Modules of `_loaded` that are entry points: every process finds them by itself."""


def loaded() -> tuple[Plugin, ...]:
    """The plug-ins of this process, in the order that they were loaded."""
    return tuple(_loaded.values())


def words() -> list[str]:
    """Options that make another process load the same ones; it must begin in the same folder."""
    given = (plugin for name, plugin in _loaded.items() if name not in _installed)
    return [word for plugin in given for word in ("--plugin", plugin.place)]


def load(place: str) -> Plugin:
    """Load the plug-in at `place`, a module's name or a file; at most once.

    Raises
    ------
    InputError: there is none, it cannot be imported, or what it registers is refused
    """
    is_file = place.endswith(".py") or "/" in place
    return _load_file(place) if is_file else _load_module(place)


def load_all(places: Iterable[str]) -> None:
    """Load those that installed packages bring, then those at `places`."""
    for point in entry_points(group=GROUP):
        _load_installed(point)
    for place in places:
        load(place)


def _load_file(place: str) -> Plugin:
    path = Path(place).resolve()
    if not path.is_file():
        raise InputError(f"--plugin {place}: no such file; give a Python file, or a module's name")
    name = PREFIX + re.sub(r"\W", "_", path.stem)
    known = sys.modules.get(name)
    if known is not None and name in _loaded:
        if known.__file__ != str(path):
            raise InputError(
                f"--plugin {place}: {_loaded[name].place} is called the same; rename one of the two"
            )
        return _loaded[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"--plugin {place}: expected a Python file, its name ending in .py")
    module = importlib.util.module_from_spec(spec)
    # Before it runs: what pickles its classes, and dataclasses, look the module up here.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        del sys.modules[name]
        raise
    except BaseException as error:  # SystemExit too
        del sys.modules[name]
        raise _refused(place, error) from error
    return _register(place, module)


def _load_module(place: str) -> Plugin:
    if place in _loaded:
        return _loaded[place]
    try:
        module = importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{place}.".startswith(f"{error.name}."):
            raise InputError(
                f"--plugin {place}: no such module; give one that is installed or on PYTHONPATH, "
                "or a FILE.py"
            ) from error
        raise _refused(place, error) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too
        raise _refused(place, error) from error
    return _register(place, module)


def _load_installed(point: EntryPoint) -> None:
    if point.module in _loaded:
        return
    try:
        _load_module(point.module)
    except InputError as error:
        if not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        # Installed for the commands that have what it needs.
        note(f"{error}; the plug-in is left out")
        return
    _installed.add(point.module)


def _register(place: str, module: ModuleType) -> Plugin:
    plugin = Plugin(place, _digest(module))
    _loaded[module.__name__] = plugin
    return plugin


def _digest(module: ModuleType) -> str:
    assert module.__file__ is not None
    path = Path(module.__file__)
    if path.name != "__init__.py":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(path.parent.rglob("*.py")):
        content = file.read_bytes()
        name = file.relative_to(path.parent).as_posix()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _refused(place: str, error: BaseException) -> InputError:
    """One line: where in the plug-in, and what."""
    frames = traceback.extract_tb(error.__traceback__)
    own = Path(place).stem if place.endswith(".py") else place.rpartition(".")[2]
    inside = [frame.lineno for frame in frames if Path(frame.filename).stem == own]
    line = error.lineno if isinstance(error, SyntaxError) else next(reversed(inside), None)
    where = f"--plugin {place}: " + ("" if line is None else f"line {line}: ")
    if isinstance(error, InputError):
        return InputError(f"{where}{error}")
    if isinstance(error, ModuleNotFoundError):
        return InputError(f"{where}it needs {error.name}, which is not installed")
    if isinstance(error, SystemExit):
        return InputError(f"{where}it ends the process ({error.code!r}); take that out")
    said = advice(error) or f"{type(error).__name__}: {error}"
    return InputError(" ".join(f"{where}{said}".split()))


# --- what runs record --------------------------------------------------------------------


def read(content: object) -> tuple[Plugin, ...]:
    """The plug-ins that a run recorded: a list of `Plugin.as_dict`, or None.

    Raises
    ------
    ValueError: something else
    """
    entries = [] if content is None else content
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict)
        and set(entry) == {"place", "sha256"}
        and all(isinstance(value, str) for value in entry.values())
        for entry in entries
    ):
        raise ValueError("plugins: expected a list of place and sha256")
    return tuple(Plugin(**entry) for entry in entries)


def missing(recorded: Iterable[Plugin], here: Iterable[Plugin]) -> str | None:
    """What to say where a plug-in that a run recorded is not one of those here; else None."""
    digests, names = {one.sha256 for one in here}, {Path(one.place).name for one in here}
    for one in recorded:
        if one.sha256 not in digests:
            changed = Path(one.place).name in names
            todo = "has changed since; put it back" if changed else "is not loaded; pass it"
            return f"it was made with {one}, which {todo}"
    return None


def unlike(recorded: Iterable[Plugin], here: Iterable[Plugin]) -> str | None:
    """What to say where the plug-ins that a run recorded are not those here; else None."""
    known = {one.sha256 for one in recorded}
    more = next((one for one in here if one.sha256 not in known), None)
    advice = None if more is None else f"it was made without {more}; leave that out"
    return missing(recorded, here) or advice


@contextmanager
def told(recorded: Iterable[Plugin]) -> Iterator[None]:
    """Around what reads a run: an error says which of its plug-ins is not loaded."""
    try:
        yield
    except InputError as error:
        advice = missing(recorded, loaded())
        if advice is None:
            raise
        raise InputError(f"{error}; {advice}") from error
