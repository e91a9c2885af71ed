"""The user's code: found, called, and named with file and line where it fails."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from hw import import_advice, plugins
from hw.errors import InputError
from nas.convert import factory

SOURCE = """\
import random
import numpy
import torch
from torch import nn
from beside import WIDTH

def net():
    layer = nn.Linear(2, WIDTH)
    with torch.no_grad():
        layer.bias[:2] = torch.tensor([random.random(), numpy.random.rand()])
    return layer

def wrong():
    return WIDTH

def fails():
    raise RuntimeError("no\\nluck")

def ends():
    raise SystemExit(0)

def meta():
    return nn.Linear(2, 3, device="meta")

def scripted():
    import warnings
    with warnings.catch_warnings(action="ignore"):
        return torch.jit.script(nn.Linear(2, 3))

def parallel():
    return nn.DataParallel(nn.Linear(2, 3))

def compiled():
    layer = nn.Linear(2, 3)
    layer._orig_mod = layer.bias  # as torch.compile's has; itself it takes long to import
    return layer

def lazy():
    return nn.LazyLinear(3)

def settings():
    import os, tempfile
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    os.chdir(tempfile.gettempdir())
    return nn.Linear(2, 3)

constant = 3
MODEL = nn.Linear(2, 3)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(SOURCE)
    (tmp_path / "beside.py").write_text("WIDTH = 3\n")
    (tmp_path / "needs.py").write_text("import nothing_like_it\n")
    (tmp_path / "syntax.py").write_text("def net(:\n")
    (tmp_path / "import_fails.py").write_text("x = 1\n1 / 0\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "beside", raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("beside", "mine"):
        sys.modules.pop(name, None)


def test_a_file_with_what_lies_beside_it_draws_the_same_weights(folder):
    first, again, other = (factory.make("mine.py:net", seed) for seed in (5, 5, 2**63))
    assert isinstance(first, nn.Linear)
    states = [one.state_dict() for one in (first, again, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not any(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_a_module_on_the_path(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    assert isinstance(factory.make("mine:net", 1), nn.Linear)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("mine.py", r"mine\.py: expected MODULE:FACTORY"),
        (":net", "expected MODULE:FACTORY"),
        ("mine.py:", "expected MODULE:FACTORY"),
        ("there.py:net", r"there\.py:net: no such file: there\.py$"),
        ("there:net", "no such module: there; expected MODULE:FACTORY, of a module that is"),
        ("mine.py:constant", r"mine\.py has no function constant"),
        ("mine.py:net_2", r"mine\.py has no function net_2"),
        ("mine.py:wrong", r"wrong\(\) gives int; expected"),
        ("mine.py:fails", r"fails: \S+mine\.py:17: RuntimeError: no luck$"),
        ("mine.py:ends", r"ends: \S+mine\.py:20: SystemExit: 0$"),
        (
            "mine.py:scripted",
            r"scripted\(\) gives a module in torch\.jit\.script or torch\.jit\.trace; ",
        ),
        (
            "mine.py:parallel",
            r"parallel\(\) gives a module in DataParallel; give the module itself$",
        ),
        ("mine.py:MODEL", r"mine\.py:MODEL: MODEL is a module; write a function that gives it$"),
        ("mine.py:compiled", r"compiled\(\) gives a module in torch\.compile; give the module"),
        (
            "mine.py:lazy",
            r"weight has no shape yet: lazy\(\) gives a lazy layer; call the model once",
        ),
        ("mine.py:meta", "meta: .*NotImplementedError: Cannot copy out of meta tensor"),
        ("needs.py:net", r"it needs nothing_like_it, which is not installed$"),
        ("syntax.py:net", r"\S+syntax\.py:1: SyntaxError: "),
        ("import_fails.py:net", r"\S+import_fails\.py:2: ZeroDivisionError: "),
    ],
)
def test_refused_in_one_line(folder, place, said):
    with pytest.raises(InputError, match=said) as caught:
        factory.make(place, 1)
    assert "\n" not in str(caught.value)


def test_torchvision_of_another_build_than_torch(folder, monkeypatch):
    """What its import raises is told in words, with the command that mends it."""
    (folder / "torchvision.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')\n"
    )
    (folder / "vision.py").write_text("import torchvision\n\ndef net():\n    pass\n")
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.syspath_prepend(folder)
    versions = {"torch": "2.13.0+cpu", "torchvision": "0.28.0"}
    monkeypatch.setattr(import_advice, "version", versions.__getitem__)
    mend = (
        "torchvision 0.28.0 is of another build than torch 2.13.0+cpu and cannot be imported "
        "beside it; install that of the same build: pip install --force-reinstall --no-deps "
        "torchvision==0.28.0 --index-url https://download.pytorch.org/whl/cpu"
    )
    with pytest.raises(InputError) as caught:
        factory.make("vision.py:net", 1)
    assert str(caught.value) == f"vision.py:net: {mend}"
    with pytest.raises(InputError) as caught:
        plugins.load(str(folder / "vision.py"))
    assert str(caught.value) == f"--plugin {folder / 'vision.py'}: line 1: {mend}"
    versions |= {"torch": "2.13.0", "torchvision": "0.28.0+cpu"}
    with pytest.raises(InputError, match=r"torchvision==0\.28\.0$"):
        factory.make("vision.py:net", 1)


def test_what_a_factory_sets_ends_with_it(folder):
    """And its weights are in float32, whatever they were."""
    before = Path.cwd()
    made = factory.make("mine.py:settings", 1)
    assert isinstance(made, nn.Linear) and made.weight.dtype == torch.float32
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    assert Path.cwd() == before


def test_ctrl_c_stays_what_it_is(folder):
    (folder / "stopped.py").write_text("def net():\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        factory.make("stopped.py:net", 1)
