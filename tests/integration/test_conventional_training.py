"""Conventional networks as a user trains them: both domains, cut short and gone on with, exported,
evaluated, reported and compared, by the same commands as networks of cells."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from exact_model import ExactModel
from interrupted import InterruptedRun, interrupt_after, tensors_of, without_times

from hw import data
from hw.commands.inspect import evaluate as evaluate_command
from hw.commands.report import report
from hw.ir import reference, serialize
from hw.networks.conventional import Conventional
from hw.report.folder import read as read_folder
from nas import beginning
from nas import train as training
from nas.cli import COMMANDS
from nas.compare.command import compare
from nas.config import load_config
from nas.model import weight_of
from nas.runs import Run
from nas.train import load_trained, train

ROOT = Path(__file__).parents[2]
RESNET = Conventional("resnet8", 0.25)
SETTINGS = ("train.epochs=8", "train.lr=0.1", "train.batch=32")
SHORT = ("train.images=128", "train.epochs=2", "train.quantise_epochs=1", "train.crop=1")


def invoke(command, *arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result


def read_log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """ResNet-8 of a quarter of its width on digits, in each domain."""
    folder = tmp_path_factory.mktemp("runs")
    for domain in ("shift", "real"):
        train(RESNET, "digits", folder / domain, load_config("tiny", SETTINGS), domain=domain)
    return {domain: folder / domain for domain in ("shift", "real")}


@pytest.mark.parametrize("domain", ["shift", "real"])
def test_it_learns_and_the_run_knows_what_it_is(runs, domain):
    metrics = json.loads((runs[domain] / "metrics.json").read_text())
    assert metrics["accuracy"] > 0.5 and metrics["domain"] == domain
    task = Run.open(runs[domain]).task
    assert task.model == RESNET and task.genotype is None
    assert not (runs[domain] / "genotype.yaml").exists()
    assert metrics["weights"] == 44 + 304 + 944 + 3680 + 170  # stem, three stages, classifier


def test_export_and_eval_are_of_the_same_network(runs, tmp_path):
    words = (runs["shift"], "--out", tmp_path / "net", "--json")
    exported = json.loads(invoke(COMMANDS["export"], *words).stdout)
    network = serialize.load(tmp_path / "net")
    assert network.meta["model"] == "resnet8" and network.meta["width"] == 0.25
    assert "genotype" not in network.meta and "channels" not in network.meta
    images = data.load("digits", "test").images[:100]
    exact = ExactModel(load_trained(runs["shift"]), network).codes(images)
    for name, codes in reference.run(network, images).items():
        assert (exact[name] == codes).all(), name
    found = invoke(evaluate_command, tmp_path / "net", "--data", "digits", "--json").stdout
    assert json.loads(found)["accuracy"] == exported["accuracy_integer"]
    assert abs(exported["accuracy_integer"] - exported["accuracy_float"]) < 0.03
    refused = CliRunner().invoke(
        COMMANDS["export"], [str(runs["real"]), "--out", str(tmp_path / "real")]
    )
    assert refused.exit_code == 2 and "stem/conv: has real weights" in refused.output


def test_the_report_names_it(runs, tmp_path):
    assert read_folder(runs["shift"]).runs[0].model == {"name": "resnet8", "width": 0.25}
    invoke(report, runs["shift"], "--out", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "resnet8, width 0.25, stem cifar" in page and "The two cells" not in page
    assert "train.cells" not in page and "train.lr" in page


@pytest.mark.parametrize("domain", ["shift", "real"])
@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_0"])
def test_a_run_cut_short_ends_as_one_in_a_piece(tmp_path, monkeypatch, name, domain):
    """Every tensor of the last checkpoint, random generators and optimiser included."""
    network, config = Conventional(name, 1 / 16), load_config("tiny", SHORT)
    train(network, "digits", tmp_path / "whole", config, domain=domain)
    with monkeypatch.context() as patch:
        interrupt_after(patch, training._Trainer, "_epoch", 1)
        with pytest.raises(InterruptedRun):
            train(network, "digits", tmp_path / "parts", config, domain=domain)
    torch.rand(1)
    train(network, "digits", tmp_path / "parts", config, domain=domain, resume=True)
    places = [tmp_path / name / "checkpoint.pt" for name in ("whole", "parts")]
    whole, parts = (tensors_of(torch.load(place, weights_only=True)) for place in places)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())
    logs = [without_times(read_log(place.parent)) for place in places]
    assert logs[0] == logs[1] and len(logs[0]) == 2


def test_real_weights_become_shift_weights(runs, tmp_path, capsys):
    """Classifier of another number of classes, and biases of convolutions, too."""
    settings = ("train.epochs=1", "train.lr=1e-9", "train.images=64")
    train(RESNET, "digits", tmp_path / "run", load_config("tiny", settings), start=runs["real"])
    assert "weights became the nearest powers of two" in capsys.readouterr().err
    net = Conventional("squeezenet1_0", 1 / 16)
    source, model, other = (
        training.GraphModel(net.graph((8, 8, 1), classes, "cifar"), domain)
        for classes, domain in ((4, "real"), (4, "shift"), (7, "shift"))
    )
    bias = source.units["fire2/squeeze"].conv.bias
    torch.nn.init.normal_(bias)
    assert beginning.take_over(model, source, "there").new == ()
    assert torch.equal(model.units["fire2/squeeze"].conv.bias, bias)
    before = weight_of(other.units["classifier"])().clone()
    assert beginning.take_over(other, source, "there").new == ("classifier",)
    assert torch.equal(weight_of(other.units["classifier"])(), before)


def test_drop_path_without_cells_is_told(tmp_path, capsys):
    config = load_config("tiny", ("train.images=64", "train.epochs=1", "train.drop_path=0.2"))
    train(RESNET, "digits", tmp_path / "run", config)
    said = "train.drop_path: 0.2: of the edges of cells; this network has none"
    assert said in capsys.readouterr().err


@pytest.mark.thorough
def test_seeds_of_a_conventional_network(tmp_path):
    words = "--model resnet8 --width 0.125 --data digits --config tiny --seeds 2 --jobs 1"
    more = ("--set", "train.images=64", "--set", "train.epochs=1", "--out", tmp_path / "run")
    found = json.loads(invoke(COMMANDS["train"], *words.split(), *more, "--json").stdout)
    assert [run["seed"] for run in found["runs"].values()] == [1, 2]
    assert Run.open(tmp_path / "run/seed2").task.model == Conventional("resnet8", 0.125)


SPEC = """\
data: digits
config: tiny
set: {train: {images: 64, epochs: 1, channels: 2, cells: 1}}
domains: {shift: , real: {train: {lr: 0.001}}}
arms:
  cells: {genotype: GDAS_V1}
  plain: {model: resnet8, width: 0.25}
hardware: {board: none}
"""


@pytest.mark.slow
@pytest.mark.thorough
def test_compared_with_cells_on_equal_terms(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    result = invoke(compare, tmp_path / "spec.yaml", "--out", tmp_path / "out", "--json")
    found = json.loads(result.stdout)
    assert (found["done"], found["unequal"]) == (4, {})
    assert found["arms"]["plain"]["model"] == "resnet8" and found["arms"]["plain"]["width"] == 0.25
    rows = {(row["arm"], row["domain"]): row for row in found["runs"]}
    assert "skips" not in rows["plain", "shift"] and "skips" in rows["cells", "shift"]
    assert rows["plain", "shift"]["cycles_per_frame"] > 0
    for domain in ("shift", "real"):
        alone = tmp_path / f"alone-{domain}"
        words = f"--model resnet8 --width 0.25 --data digits --config tiny --domain {domain}"
        sets = ["train.images=64", "train.epochs=1", "threads=1"]
        sets += ["train.lr=0.001"] if domain == "real" else []
        more = [word for one in sets for word in ("--set", one)]
        invoke(COMMANDS["train"], *words.split(), *more, "--out", alone)
        states = [
            tensors_of(torch.load(place / "checkpoint.pt", weights_only=True))
            for place in (alone, tmp_path / f"out/runs/plain/seed1/train-{domain}")
        ]
        assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_images_too_small_end_a_comparison_before_it_begins(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC.replace("resnet8", "vgg16"))
    words = [str(tmp_path / "spec.yaml"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(compare, words)
    assert result.exit_code == 2 and not (tmp_path / "out").exists()
    assert "arms.plain: image: 8x8 is too small" in result.output


@pytest.mark.slow
@pytest.mark.thorough
def test_two_processes_train_what_one_does(tmp_path):
    words = "train --model mobilenet_v2 --width 0.0625 --data digits --config tiny".split()
    for one in (
        "train.images=96",
        "train.batch=32",
        "train.epochs=1",
        "train.crop=1",
        "device=cpu",
    ):
        words += ["--set", one]
    launch = "torch.distributed.run --standalone --nproc-per-node 2 -m nas".split()
    for name, head in (("two", launch), ("one", ["nas"])):
        command = [sys.executable, "-m", *head, *words, "--out", str(tmp_path / name)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = (Run.open(tmp_path / name).load() for name in ("one", "two"))
    assert one is not None and two is not None
    for name, value in one["model"].items():
        torch.testing.assert_close(two["model"][name], value, rtol=1e-3, atol=1e-3)
    losses = [[entry["loss"] for entry in read_log(tmp_path / name)] for name in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
