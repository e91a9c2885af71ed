"""What commands write: whole or not at all, and in place of what they wrote themselves only.

A folder that a command makes holds a list of its files, `MARKER`, and the command's name. `--force`
replaces a folder that the same command made and that has no other file in it, or an empty one; a
file is replaced where its content shows that it is of the kind that is written. What is, holds or
lies in an input of the command is refused whatever is in it.
"""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from hw.errors import InputError

MARKER = ".shiftnas"
"""The list of the files in a folder that a command made, and the command's name."""

ONLY_OURS = (
    "--force replaces only what the same command wrote; choose another path or remove it yourself"
)

HEAD = 1 << 16
"""Bytes at the beginning of a file by which its kind is known."""

ADVICE = {
    errno.ENOSPC: "free some space there or choose another place",
    errno.EDQUOT: "free some space there or choose another place",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
}
"""What to do about an error of the system, where it is not just another path."""


# --- Parameters


class Output(click.Path):
    """Type of a parameter that names what a command writes; all other paths are its inputs."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)


class NameOrPath(click.ParamType):
    """Type of a parameter with a known name, or the path of an input.

    Parameters
    ----------
    names: that are known, and no path; None: the path is one of a file
    """

    name = "text"

    def __init__(self, names: Collection[str] | None = None):
        self.names = names

    def path(self, value: str) -> Path | None:
        """The path that `value` is, if it is one."""
        path = Path(value)
        if self.names is not None:
            return path if value not in self.names and path.exists() else None
        # FILE:NAME is the one called NAME in a file that has several.
        places = (path, Path(value.rpartition(":")[0]))
        return next((one for one in places if one.is_file()), None)


def _inputs() -> Iterator[tuple[Path, bool]]:
    """The paths that the command which runs reads; and whether nothing of ours belongs in there.

    A data set may lie in a folder in which everything else lies too.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Path) and not isinstance(parameter.type, Output):
                yield one, True
            elif isinstance(one, str) and isinstance(parameter.type, NameOrPath):
                path = parameter.type.path(one)
                if path is not None:
                    yield path, False


def _maker() -> str:
    """The command that runs."""
    context = click.get_current_context(silent=True)
    return "" if context is None else context.command.name or ""


# --- What may be written


def require_apart(path: Path, *, inside: bool = False) -> None:
    """InputError where an output is, holds or, unless `inside`, lies in an input of the command."""
    ours = path.resolve()
    for source, closed in _inputs():
        theirs = source.resolve()
        if ours == theirs or (path.exists() and source.exists() and path.samefile(source)):
            raise InputError(f"{path}: is an input of this command; choose another path")
        if ours in theirs.parents:
            raise InputError(f"{path}: holds {source}, an input of this command; choose another")
        if theirs in ours.parents and closed and not inside:
            raise InputError(f"{path}: lies in {source}, an input of this command; choose another")


def require_absent(
    path: str | Path, force: bool, marks: Sequence[bytes] = (), *, inside: bool = False
) -> Path:
    """`path`, or InputError where it must not be written: ask before long work.

    Parameters
    ----------
    force: what is there may be replaced, if the same command wrote it
    marks: bytes that the head of every file of this kind has; none: the output is a folder
    inside: an output that lies in an input is no mistake
    """
    path = Path(path)
    if path.name in ("", ".."):
        path = path.resolve()
    require_apart(path, inside=inside or bool(marks))
    if not (path.exists() or path.is_symlink()):
        return path
    if not force:
        raise InputError(
            f"{path}: exists already; choose another --out or pass --force to replace it"
        )
    _require_own(path, marks, _maker())
    return path


def _require_own(path: Path, marks: Sequence[bytes], maker: str) -> None:
    """InputError where something is there that `--force` must not replace."""
    foreign = ""
    if path.is_symlink():
        foreign = "is a symbolic link"
    elif Path.cwd().resolve().is_relative_to(path.resolve()):
        foreign = "is or holds the folder you are in"
    elif marks:
        foreign = _foreign_file(path, marks)
    elif not path.is_dir():
        foreign = "expected a folder, found a file"
    else:
        foreign = _foreign_folder(path, maker)
    if foreign:
        raise InputError(f"{path}: {foreign}; {ONLY_OURS}")


def _foreign_file(path: Path, marks: Sequence[bytes]) -> str:
    if not path.is_file():
        return "expected a file"
    with path.open("rb") as file:
        head = file.read(HEAD)
    ours = not head or all(mark in head for mark in marks)
    return "" if ours else "is another kind of file than the one to be written"


def _foreign_folder(path: Path, maker: str) -> str:
    there = _files(path)
    if not there:
        return ""
    try:
        content = json.loads((path / MARKER).read_text(encoding="utf-8"))
        by, listed = str(content["made_by"]), frozenset(content["files"])
    except FileNotFoundError:
        return f"has no {MARKER}, the mark of a folder that a command made"
    except (ValueError, KeyError, TypeError):
        return f"{MARKER} is damaged"
    if by != maker:
        return f"was made by `{by}`"
    others = [name for name in there if name not in listed and name != MARKER]
    return f"{others[0]} is not a file that `{by}` wrote there" if others else ""


def _files(folder: Path) -> list[str]:
    """Relative names of the files in a folder, links included, sorted."""
    found = []
    for place, folders, files in os.walk(folder, onerror=_raise):
        links = [name for name in folders if Path(place, name).is_symlink()]
        found += [str(Path(place, name).relative_to(folder)) for name in [*files, *links]]
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


# --- Writing


@contextmanager
def folder(path: str | Path, force: bool = False, *, maker: str | None = None) -> Iterator[Path]:
    """A temporary folder beside `path`, renamed to it when the block succeeds, removed when not.

    `maker`: the command that is told to have made it; default: the one that runs.
    """
    path = Path(path)
    maker = _maker() if maker is None else maker
    _require_replaceable(path, force, maker)
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            temporary.chmod(0o777 & ~_umask())
            yield temporary
            content = {"made_by": maker, "files": _files(temporary)}
            (temporary / MARKER).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            _require_replaceable(path, force, maker)
            _move(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _require_replaceable(path: Path, force: bool, maker: str) -> None:
    if path.exists() or path.is_symlink():
        if not force:
            require_absent(path, force)
        _require_own(path, (), maker)


def _move(temporary: Path, path: Path) -> None:
    """Rename, in place of the folder that is there, if there is one."""
    if not path.exists():
        temporary.rename(path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    old = aside / path.name
    try:
        path.rename(old)
        temporary.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_atomic(path: str | Path, content: str | bytes) -> None:
    """Write a file whole or not at all, replacing what is there. Creates the folders above it."""
    path = Path(path)
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                temporary.unlink()
            raise


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for files that nobody wants to keep, removed after the block.

    Raises
    ------
    InputError: there is no room for them, or no place
    """
    name = ""
    try:
        with tempfile.TemporaryDirectory(prefix="shiftnas-") as name:
            yield Path(name)
    except OSError as error:
        if name and not _concerns(error, name):
            raise
        # Without a name: there is no place at all, and `tempfile` says where it has looked.
        where = f"temporary files in {tempfile.gettempdir()}: " if name else ""
        advice = ADVICE.get(error.errno or 0, "choose another place")
        variable = "" if error.errno == errno.EFBIG else " (the variable TMPDIR)"
        raise InputError(f"{where}{error.strerror}; {advice}{variable}") from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the system in the block name the output `path`.

    They have no name where a write fails, and a name that nobody knows in its temporary folder or
    file, or where that cannot be made.
    """
    try:
        yield
    except OSError as error:
        if not _concerns(error, path):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _concerns(error: OSError, place: str | Path) -> bool:
    """Whether an error is about a file in `place`, or in what is made beside it until it is whole,
    as far as it says: a failed write names none."""
    if not isinstance(error.filename, str | bytes):
        return error.errno in ADVICE
    ours, theirs = Path(place).absolute(), Path(os.fsdecode(error.filename)).absolute()
    if theirs.is_relative_to(ours):
        return True
    if not theirs.is_relative_to(ours.parent) or theirs == ours.parent:
        return False
    return theirs.relative_to(ours.parent).parts[0].startswith(f".{ours.name}.")


def explain(error: OSError) -> str:
    """One line about an error of the system."""
    advice = ADVICE.get(error.errno or 0, "choose a path that can be used")
    return f"{error.filename}: {error.strerror}; {advice}"


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
