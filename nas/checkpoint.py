"""Checkpoints of a run: the newest and the one before, each with the SHA-256 of its content in it.

A checkpoint is what torch.save writes, plain values and tensors only. The digest is the comment of
its zip archive: torch itself reads a file whose numbers have changed without a word.
"""

import hashlib
import io
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from hw.console import note
from hw.errors import InputError
from hw.outputs import write_atomic

CHECKPOINT, BEFORE = "checkpoint.pt", "checkpoint-before.pt"
"""The newest, and that of the epoch before it."""

_NEW = "checkpoint-new.pt"
SCHEMA_VERSION = 4

NAMES = (CHECKPOINT, BEFORE, _NEW)
"""Every file that this module writes."""

_DIGEST = 32
_COMMENT_LENGTH = _DIGEST.to_bytes(2, "little")
_NO_COMMENT = bytes(2)


class Damaged(InputError):
    """A checkpoint is not as it was written."""


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write the newest checkpoint; the newest until now becomes the one before.

    A process killed at any moment leaves one of the two whole.
    """
    buffer = io.BytesIO()
    torch.save({"schema_version": SCHEMA_VERSION, **state}, buffer)
    write_atomic(folder / _NEW, _sealed(buffer.getvalue()))
    if (folder / CHECKPOINT).exists():
        (folder / CHECKPOINT).replace(folder / BEFORE)
    (folder / _NEW).replace(folder / CHECKPOINT)


def read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU.

    Raises
    ------
    Damaged: a byte differs from what was written, or some are missing
    InputError: it was made by another version
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Damaged(f"{path}: damaged checkpoint ({error.strerror})") from error
    if not _is_sealed(content):
        raise Damaged(
            f"{path}: damaged checkpoint (its SHA-256 is not that of its content: cut short, "
            "changed, or of an older version)"
        )
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (EOFError, RuntimeError, KeyError, ValueError, UnpicklingError) as error:
        reason = " ".join(str(error).split())[:120]
        raise Damaged(f"{path}: damaged checkpoint ({reason})") from error
    if not isinstance(state, dict) or state.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema_version: expected {SCHEMA_VERSION}; made by another version, "
            "run again with --force"
        )
    return state


def newest(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint that is whole; one that is not is named on stderr.

    None where there is none at all.

    Raises
    ------
    Damaged: there is one, or two, but none is whole
    """
    damaged: Damaged | None = None
    for path in (folder / CHECKPOINT, folder / BEFORE):
        if not path.exists():
            continue
        try:
            state = read(path)
        except Damaged as error:
            damaged = damaged or error
            continue
        if damaged is not None:
            note(f"{damaged}; going on from the one before, {path.name}")
        return state
    if damaged is not None:
        raise Damaged(f"{damaged}, and none before it is whole; run again with --force")
    return None


def _sealed(archive: bytes) -> bytes:
    """A zip archive without a comment, its SHA-256 put in as the comment."""
    assert archive.endswith(_NO_COMMENT)
    return archive[: -len(_NO_COMMENT)] + _COMMENT_LENGTH + hashlib.sha256(archive).digest()


def _is_sealed(content: bytes) -> bool:
    body = memoryview(content)[: -_DIGEST - len(_COMMENT_LENGTH)]
    digest = hashlib.sha256(body)
    digest.update(_NO_COMMENT)
    return content[len(body) :] == _COMMENT_LENGTH + digest.digest()
