"""For the tests of the proofs: which proofs there are, and designs changed to be wrong."""

import inspect
import textwrap
from types import FunctionType

from sim.formal.proofs import PROOFS


def proofs_of(module: str) -> list[str]:
    """Names of the proofs whose bench is made in sim.formal's `module`."""
    return [name for name, proof in PROOFS.items() if module in proof.bench.__code__.co_names]


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
