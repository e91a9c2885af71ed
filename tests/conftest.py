"""What holds for every test."""

import gc
import os
import sys

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # One worker a core: a numeric library with threads of its own would only get in the others' way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def pin_unused_elaboratables():
    """Amaranth warns of a component that was never elaborated when it is collected: have that in its own test."""
    yield
    if "amaranth" in sys.modules:
        gc.collect()
