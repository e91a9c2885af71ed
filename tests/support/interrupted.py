"""A run cut short, as by Ctrl-C."""

import pytest


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
