"""For the tests of the proofs: which proofs there are, and designs changed to be wrong."""

import inspect
import textwrap
from types import FunctionType

import pytest
from _pytest.mark import ParameterSet

from sim.formal.proof import Failure, prove
from sim.formal.proofs import PROOFS

SLOW = {"mean", "horner-8", "requantise-10", "requantise-load", "loader", "global-pool-8"}
"""Proofs of more than some seconds of processor time."""

THOROUGH = {"global-pool-8", "requantise-10", "requantise-load", "horner-8"}
"""Those whose kind others have too."""


def proofs_of(module: str) -> list[ParameterSet]:
    """Names of the proofs whose bench is made in sim.formal's `module`, as test parameters."""
    return [
        pytest.param(
            name,
            marks=[pytest.mark.slow] * (name in SLOW) + [pytest.mark.thorough] * (name in THOROUGH),
        )
        for name, proof in PROOFS.items()
        if module in proof.bench.__code__.co_names
    ]


def mutate(monkeypatch, function: FunctionType, old: str, new: str) -> None:
    """Replace the one place where `old` stands in the source of `function`, methods included.

    The code object is replaced, so that every module that imported the function runs the changed
    one.
    """
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{function.__qualname__}: {source.count(old)} × {old!r}"
    names = dict(function.__globals__)
    exec(compile(source.replace(old, new), f"<mutant of {function.__qualname__}>", "exec"), names)
    monkeypatch.setattr(function, "__code__", names[function.__name__].__code__)


def fails_from_reset(name: str) -> Failure:
    """Prove again and expect a run from reset that breaks a rule."""
    result, waves = prove(PROOFS[name], fresh=True)
    assert not result.proved
    failure = result.failure
    assert failure is not None
    assert failure.kind == "counterexample"
    assert set(failure.statements) & set(result.rules)
    assert waves is not None and waves.startswith(b"$version")
    return failure


def holds(name: str) -> None:
    """Prove, or take the result of an earlier run."""
    result, waves = prove(PROOFS[name])
    assert result.proved, result.failure
    assert waves is None
    assert result.covers
