"""A run cut short, as by Ctrl-C, and what must be equal in a run that was not."""

from typing import Any

import pytest
import torch

from nas.journal import UNREPEATABLE


class InterruptedRun(Exception):
    """Stands for Ctrl-C in the middle of a run."""


def interrupt_after(monkeypatch: pytest.MonkeyPatch, owner, name: str, calls: int) -> None:
    """Let method `name` of the class `owner` run `calls` times and raise InterruptedRun then."""
    original, seen = getattr(owner, name), []

    def wrapper(*arguments, **keywords):
        if len(seen) == calls:
            raise InterruptedRun
        seen.append(None)
        return original(*arguments, **keywords)

    monkeypatch.setattr(owner, name, wrapper)


def without_times(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A run's log without what differs between equal runs."""
    return [{k: v for k, v in entry.items() if k not in UNREPEATABLE} for entry in log]


def tensors_of(state: Any, name: str = "") -> dict[str, torch.Tensor]:
    """Every tensor in nested containers, by its path."""
    if isinstance(state, torch.Tensor):
        return {name: state}
    parts = {}
    if isinstance(state, dict):
        parts = state
    elif isinstance(state, list | tuple):
        parts = dict(enumerate(state))
    found = {}
    for key, part in parts.items():
        found |= tensors_of(part, f"{name}/{key}")
    return found
