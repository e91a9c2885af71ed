"""Models of a user's own: checked, trained with shift weights, taken to hardware; or refused."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from interrupted import InterruptedRun, interrupt_after, tensors_of
from torch.nn import functional

from hw import data
from hw.commands.build import emit
from hw.commands.inspect import evaluate as evaluate_command
from hw.commands.plan import plan
from hw.commands.report import report
from hw.ir import serialize
from nas import train as training
from nas.cli import COMMANDS
from nas.convert import factory
from nas.convert.command import convert
from nas.model import image_tensor
from nas.runs import Run
from sim.commands.cosim import cosim

MODELS = Path(__file__).parents[2] / "examples" / "convert" / "models.py"
SMALL, GATED = f"{MODELS}:small", f"{MODELS}:gated"
TINY = ("--data", "digits", "--config", "tiny")
SHORT = (*TINY, "--set", "train.epochs=1", "--set", "train.images=128")


def call(command, *arguments):
    return CliRunner().invoke(command, [str(one) for one in arguments])


def done(command, *arguments) -> dict:
    result = call(command, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(*arguments) -> str:
    result = call(convert, *arguments)
    assert result.exit_code == 2, result.output
    return result.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The example's model, one epoch; and the example is gone then."""
    folder = tmp_path_factory.mktemp("convert")
    shutil.copy(MODELS, folder / "models.py")
    place = f"{folder / 'models.py'}:small"
    metrics = done(convert, place, *TINY, "--set", "train.epochs=1", "--out", folder / "run")
    assert metrics["weights"] == 3586 and metrics["domain"] == "shift"
    (folder / "models.py").unlink()
    return folder / "run"


@pytest.mark.slow
def test_the_whole_way(run, tmp_path):
    """Check, training, export, plan, Verilog, co-simulation: every bit as the reference has it."""
    net = tmp_path / "net"
    exported = done(COMMANDS["export"], run, "--out", net)
    found = done(evaluate_command, net, "--data", "digits")
    assert found["accuracy"] == exported["accuracy_integer"]
    kinds = [type(node).__name__ for node in serialize.load(net).graph]
    assert kinds == ["Input", "Conv", "Conv", "Add", "MaxPool", "Conv", "Linear"]
    done(plan, net, "--board", "none", "--out", tmp_path / "plan.yaml")
    done(emit, net, "--plan", tmp_path / "plan.yaml", "--out", tmp_path / "rtl")
    words = ("--rtl", tmp_path / "rtl", "--plan", tmp_path / "plan.yaml")
    compared = done(cosim, net, *words, "--data", "digits", "--frames", 3, "--stall", 0.2)
    assert compared["mismatches"] == 0 and compared["bits"] > 0
    assert compared["frames"] == 2 * 3  # without stalls, and with them


def test_the_run_needs_no_code_of_the_users(run, tmp_path):
    task = Run.open(run).task
    assert task.genotype is None and task.start is not None
    done(COMMANDS["export"], run, "--out", tmp_path / "net")
    meta = serialize.load(tmp_path / "net").meta
    assert meta["own"] == f"{run.parent / 'models.py'}:small"
    assert not meta.keys() & {"model", "genotype", "stem", "channels"}
    assert call(report, run, "--out", tmp_path / "page.html").exit_code == 0
    page = (tmp_path / "page.html").read_text()
    assert f"{meta['own']}, 7 nodes" in page
    assert not re.search(r"train\.(stem|cells)|model\.nodes", page) and "train.lr" in page


def test_check_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = done(convert, SMALL, "--data", "digits", "--check", "--quantiser", "q")
    rows = {row["node"]: row for row in found["layers"]}
    assert found["weights"] == 3586 == sum(row["weights"] for row in rows.values())
    assert rows["block/conv"]["layer"] == "block.conv" and rows["block/conv"]["weights"] == 160
    assert rows["hidden"]["becomes"] == "shift (q, 5 bits)" and rows["pool"]["becomes"] == ""
    assert found["notes"] == ["drop: dropout of 0.1 is left out, in training too"]
    words = ("--data", "digits", "--check", "--set", "shift.stem=false")
    text = call(convert, SMALL, *words).stdout
    assert re.search(r"^stem\.0 .* 80 +real$", text, re.MULTILINE)
    assert re.search(r"^classifier .*Linear +1x1x10 +250 +shift \(ps, 5 bits\)$", text, re.M)
    real = call(convert, SMALL, *words, "--domain", "real").stdout
    assert "shift" not in real and real.count("  real\n") == 4
    assert list(tmp_path.iterdir()) == []


LINES = (
    "norm (LayerNorm, {}:48): takes statistics",
    "sigmoid, {}:49: is no activation function",
    "mul, {}:49: multiplies or divides",
    "abs, {}:50: has no nodes",
    "{}:50: what is computed depends on the values of a tensor",
)


@pytest.mark.parametrize("more", [("--check",), ("--out", "run")])
def test_every_reason_at_once_and_nothing_written(tmp_path, monkeypatch, more):
    monkeypatch.chdir(tmp_path)
    said = refused(GATED, "--data", "digits", *more).splitlines()
    assert len(said) == len(LINES) + 1
    for line, expected in zip(said, LINES, strict=False):
        assert line.startswith(expected.format(MODELS))
    assert said[-1].endswith("5 layers cannot be converted")
    assert list(tmp_path.iterdir()) == []
    result = call(convert, GATED, "--data", "digits", *more, "--json")
    reasons = json.loads(result.stdout)["refused"]
    assert [one["kind"] for one in reasons[:4]] == ["LayerNorm", "sigmoid", "mul", "abs"]


def trained_in_floats() -> torch.nn.Module:
    """The example's model after some epochs of plain torch."""
    module, split = factory.make(SMALL, 1), data.load("digits", "train")
    images, labels = image_tensor(torch.from_numpy(split.images)), torch.from_numpy(split.labels)
    optimiser = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(6):
        for part in torch.randperm(len(images)).split(64):
            optimiser.zero_grad()
            functional.cross_entropy(module(images[part]), labels[part].long()).backward()
            optimiser.step()
    return module


def test_pretrained_weights_are_worth_something(tmp_path):
    """One epoch of a rate at which nothing moves: what is left is what was taken over."""
    torch.save(trained_in_floats().state_dict(), tmp_path / "weights.pt")
    still = (*SHORT, "--set", "train.lr=1e-9")
    given = ("--pretrained", tmp_path / "weights.pt")
    real = done(convert, SMALL, *still, *given, "--domain", "real", "--out", tmp_path / "real")
    shift = done(convert, SMALL, *still, *given, "--out", tmp_path / "shift")
    further = done(
        convert, SMALL, *still, "--from", tmp_path / "real", "--out", tmp_path / "further"
    )
    assert further["accuracy"] == shift["accuracy"]
    scratch = done(convert, SMALL, *still, "--from-scratch", "--out", tmp_path / "scratch")
    assert real["accuracy"] > 0.9 and shift["accuracy"] > 0.6 > 0.3 > scratch["accuracy"]
    assert Run.open(tmp_path / "scratch").task.start is None


@pytest.mark.parametrize("quantiser", ["ps", "q", "inq"])
def test_a_run_cut_short_ends_as_one_in_a_piece(tmp_path, monkeypatch, quantiser):
    words = (SMALL, *SHORT[:-4], "--set", "train.images=128", "--set", "train.epochs=2")
    words = (*words, "--quantiser", quantiser)
    done(convert, *words, "--out", tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt_after(patch, training._Trainer, "_epoch", 1)
        with pytest.raises(InterruptedRun):
            raise call(convert, *words, "--out", tmp_path / "parts").exception or AssertionError
    done(convert, *words, "--out", tmp_path / "parts", "--resume")
    states = [
        tensors_of(torch.load(tmp_path / name / "checkpoint.pt", weights_only=True))
        for name in ("whole", "parts")
    ]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_resumed_with_another_model_or_other_weights(run, tmp_path):
    out = ("--out", run, "--resume")
    same = (*TINY, "--set", "train.epochs=1")
    torch.save(trained_in_floats().state_dict(), tmp_path / "weights.pt")
    for other, now in (
        (("--from-scratch",), "drawn anew"),
        (("--pretrained", tmp_path / "weights.pt"), "of SHA-256 [0-9a-f]{12}…"),
    ):
        line = refused(SMALL, *same, *other, *out).splitlines()[-1]
        assert re.search(
            rf"config.yaml: not the run asked for \(it began with other weights: of SHA-256 "
            rf"[0-9a-f]{{12}}… there, {now} here\); resume with the same call",
            line,
        )
    (tmp_path / "other.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    said = refused(f"{tmp_path / 'other.py'}:net", *same, *out)
    assert re.search("model is 'own, [0-9a-f]{12}' there, 'own, [0-9a-f]{12}' here", said)
    done(convert, SMALL, *same, *out)  # the same model from elsewhere goes on


def test_a_classifier_of_several_pixels_is_told(tmp_path):
    (tmp_path / "flat.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    print('hello')\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    found = done(convert, f"{tmp_path / 'flat.py'}:net", "--data", "digits", "--check")
    assert found["layers"][0]["kind"] == "Conv"
    (note,) = found["notes"]
    assert note.startswith("1: a linear layer of 8x8 pixels of 1 channels is a convolution")


@pytest.mark.slow
@pytest.mark.thorough
def test_seeds(tmp_path):
    torch.save(factory.make(SMALL, 5).state_dict(), tmp_path / "weights.pt")
    starts = {}
    for more in ((), ("--from-scratch",), ("--pretrained", tmp_path / "weights.pt")):
        words = (SMALL, *SHORT, *more, "--seeds", 2, "--jobs", 2, "--force")
        found = done(convert, *words, "--out", tmp_path / "run")
        assert found["kind"] == "train" and [r["seed"] for r in found["runs"].values()] == [1, 2]
        starts[more[:1]] = [Run.open(tmp_path / f"run/seed{n}").task.start for n in (1, 2)]
    drawn, scratch, given = starts.values()
    assert drawn[0] != drawn[1] and None not in drawn
    assert scratch == [None, None] and given[0] == given[1] not in drawn


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((SMALL, "--data", "digits"), "Missing option '--out'"),
        (
            (SMALL, "--data", "digits", "--check", "--from-scratch", "--pretrained", "x"),
            "--from-scratch: not beside --pretrained",
        ),
        (
            (SMALL, "--data", "digits", "--check", "--from", "y", "--pretrained", "x"),
            "--pretrained: not beside --from",
        ),
        (
            (SMALL, "--data", "digits", "--check", "--quantiser", "q", "--set", "shift.layer=ps"),
            "--quantiser: --set shift.layer says the same",
        ),
        ((SMALL, "--data", "digits", "--check", "--set", "train.stem=cifar"), "--set train.stem"),
        ((SMALL, "--data", "digits", "--check", "--pretrained", "none.pt"), "none.pt: No such"),
        ((SMALL, "--data", "mnist5k", "--check"), "hidden"),
        ((f"{MODELS}:large", "--data", "digits", "--check"), "has no function large"),
        ((SMALL, *SHORT, "--set", "train.auxiliary=0.4", "--out", "o"), "train.auxiliary: 0.4"),
        ((SMALL, *SHORT, "--set", "train.epochs=0", "--out", "o"), "train.epochs"),
        (
            (SMALL, *SHORT, "--quantiser", "inq", "--out", "o"),
            "expected at least 2, or layer ps or q",
        ),
        ((SMALL, *SHORT, "--out", MODELS), "is an input of this command"),
    ],
)
def test_wrong_calls(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    assert said in refused(*words)
    assert list(tmp_path.iterdir()) == []


MISFITS = """\
import torch
from torch import nn

class Asserts(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x):
        assert x.shape[1] == 3, "three channels"
        return self.layer(x.flatten(1))

def colour():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))

def large():
    body = nn.Sequential(nn.MaxPool2d(4), nn.Sequential(nn.Conv2d(1, 4, 3)))
    return nn.Sequential(body, nn.Flatten(), nn.Linear(4, 10))

def flat():
    return nn.Sequential(nn.Flatten(), nn.Sigmoid(), nn.Linear(784, 10))

def asserting():
    return Asserts()
"""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("colour", "at 0 (Conv2d), which gets Nx1x8x8: RuntimeError: .* 3 channels"),
        ("large", "at 0.1.0 (Conv2d), which gets Nx1x2x2: RuntimeError: .*[Kk]ernel"),
        ("flat", "at 2 (Linear), which gets Nx64: RuntimeError: mat1"),
        ("asserting", ": AssertionError: three channels"),
    ],
)
def test_a_model_for_other_images_is_one_line(tmp_path, monkeypatch, name, said):
    """Before anything is written, whatever else there is to say of the model."""
    monkeypatch.chdir(tmp_path)
    Path("misfits.py").write_text(MISFITS)
    for more in (("--check",), ("--out", "run")):
        (line,) = refused(f"misfits.py:{name}", "--data", "digits", *more).splitlines()
        assert line.startswith(
            f"shiftnas: error: misfits.py:{name}: fails on images of 8x8x1, as digits has them"
        )
        assert re.search(said.replace("(", r"\(").replace(")", r"\)"), line)
        assert line.endswith("; give a model for such images, or other data")
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == [
        "misfits.py"
    ]


def test_a_model_of_other_classes(tmp_path):
    (tmp_path / "few.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))\n"
    )
    said = refused(f"{tmp_path / 'few.py'}:net", "--data", "digits", "--check")
    assert "the model has 7 logits, digits has 10 classes" in said
