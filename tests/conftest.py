"""What holds for every test."""

import gc
import os
import sys

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # One worker a core: threads of a numeric library would only get in the other workers' way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def pin_unused_elaboratables():
    """Amaranth warns of a component never elaborated when it is collected: in its own test."""
    yield
    if "amaranth" in sys.modules:
        gc.collect()
