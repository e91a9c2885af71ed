"""What holds for every test."""

import gc
import os
import shutil
import signal
import sys

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # One worker a core: threads of a numeric library would only get in the other workers' way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Signals that were ignored when pytest began, by nohup or in a shell's background, would be ignored
# by all that the tests start.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGTERM, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


def pytest_collection_modifyitems(items):
    """Tests with Icarus Verilog run where it is found: no package of PyPI brings it."""
    if shutil.which("iverilog") and shutil.which("vvp"):
        return
    missing = pytest.mark.skip(reason="no iverilog on PATH; apt-get install iverilog")
    for item in items:
        if item.get_closest_marker("icarus"):
            item.add_marker(missing)


def pytest_collection_finish():
    """What the imports have made stays."""
    _freeze()


@pytest.fixture(autouse=True)
def pin_unused_elaboratables():
    """Amaranth warns of a component never elaborated when it is collected: in its own test."""
    yield
    if "amaranth" in sys.modules:
        _freeze()


@pytest.fixture(autouse=True, scope="module")
def thaw():
    """Cycles that a module's tests have left behind are collected at its end."""
    yield
    gc.unfreeze()
    _freeze()


def _freeze():
    """Collect what has been made since, and keep the rest out of the next collection.

    Looking through all that imports and fixtures have made after each test took most of a test.
    """
    gc.collect()
    gc.freeze()
