"""Images that are not those of the run or the network, at every command that reads them again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from hw import data
from hw.ir import serialize
from nas.cli import COMMANDS
from nas.runs import Run
from shiftnas import subcommand

SETTINGS = ("folder.size=8", "train.batch=8", "train.epochs=1")


def photos(folder: Path) -> Path:
    """Three classes in train, val and test: 8, 2 and 4 images each."""
    rng = np.random.default_rng(5)
    for split, count in (("train", 8), ("val", 2), ("test", 4)):
        for number, name in enumerate(("cat", "dog", "owl")):
            (folder / split / name).mkdir(parents=True)
            for picture in range(count):
                pixels = rng.integers(0, 80, (8, 8, 3), np.uint8) + np.uint8(80 * number)
                Image.fromarray(pixels).save(folder / split / name / f"{picture}.png")
    return folder


def train_words(data: Path, run: Path, *more: str) -> list[str]:
    settings = [f"--set={setting}" for setting in SETTINGS]
    task = ("--genotype", "GDAS_V1", "--data", str(data), "--config", "tiny", "--out", str(run))
    return [*task, *settings, *more]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Data, a training on it, and its network."""
    folder = tmp_path_factory.mktemp("made")
    words = train_words(photos(folder / "data"), folder / "run")
    for command, arguments in (
        ("train", words),
        ("export", [str(folder / "run"), "--out", str(folder / "net")]),
    ):
        result = CliRunner().invoke(COMMANDS[command], arguments)
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def elsewhere(made, tmp_path):
    """A copy of the data, to be changed."""
    shutil.copytree(made / "data", tmp_path / "data")
    return tmp_path / "data"


def call(command: str, made: Path, place: Path, copy: Path):
    if command == "eval":
        return CliRunner().invoke(subcommand("eval"), [str(made / "net"), "--data", str(place)])
    if command == "export":
        words = [str(made / "run"), "--data", str(place), "--out", str(copy / "net")]
        return CliRunner().invoke(COMMANDS["export"], words)
    shutil.copytree(made / "run", copy / "run")
    words = train_words(place, copy / "run", "--resume")
    return CliRunner().invoke(COMMANDS["train"], words)


def empty_class(place):
    """Before all others: each label would be one more."""
    (place / "train" / "aaa").mkdir()


def renamed_class(place):
    for split in ("train", "val", "test"):
        (place / split / "dog").rename(place / split / "wolf")


def deleted_images(place):
    for split in ("train", "val", "test"):
        (place / split / "dog" / "1.png").unlink()


def another_class(place):
    for split in ("train", "val", "test"):
        shutil.copytree(place / split / "owl", place / split / "pig")


def one_class_less(place):
    for split in ("train", "val", "test"):
        shutil.rmtree(place / split / "owl")


def images_of_two_classes_swapped(place):
    for split in ("train", "val", "test"):
        (place / split / "dog").rename(place / split / "x")
        (place / split / "owl").rename(place / split / "dog")
        (place / split / "x").rename(place / split / "owl")


ELSE = {
    empty_class: "4 classes, expected 3; class 0 is 'aaa', expected 'cat'",
    renamed_class: "class 1 is 'owl', expected 'dog'",
    deleted_images: "",
    another_class: "4 classes, expected 3; class 3 is 'pig', expected none",
    one_class_less: "2 classes, expected 3; class 2 is none, expected 'owl'",
    images_of_two_classes_swapped: "",
}


@pytest.mark.parametrize("command", ["eval", "export", "resume"])
@pytest.mark.parametrize("change", ELSE)
def test_other_images_are_refused_in_a_line(made, elsewhere, tmp_path, command, change):
    change(elsewhere)
    result = call(command, made, elsewhere, tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    run = tmp_path / "run"
    heads = {
        "eval": f"{elsewhere}: not the classes that {made / 'net'} tells apart: {ELSE[change]}",
        "export": f"{elsewhere}: not the data of the run: {ELSE[change]}",
        "resume": f"{elsewhere}: not the data that {run} began with, once at {made / 'data'} "
        f"({ELSE[change] or 'its training images differ'}); give --data, where that is now",
    }
    if not ELSE[change]:
        heads["eval"] = (
            f"{elsewhere}: not the test images that {made / 'net'} was exported with: other "
            "content; --other-images evaluates on others of the same classes"
        )
        heads["export"] += "its test images differ"
    if (command, change) == ("resume", empty_class):
        heads["resume"] = (
            f"{elsewhere}/train/aaa: a class without images; add some (.jpg, .jpeg, .png, .ppm, "
            ".bmp, .pgm, .tif, .tiff, .webp) or remove the folder"
        )
    assert result.stderr == f"shiftnas: error: {heads[command]}\n"


SAYS = {
    "eval": "not the {0} images that {net} was exported with: it has {1} images in their place; "
    "--other-images evaluates on others of the same classes",
    "export": "not the data of the run: it has {1} images in place of the {0} images",
}


@pytest.mark.parametrize("command", SAYS)
def test_validation_images_are_not_taken_for_the_test_images_of_the_run(
    made, elsewhere, tmp_path, command
):
    shutil.rmtree(elsewhere / "test")
    result = call(command, made, elsewhere, tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    says = SAYS[command].format("test", "validation", net=made / "net")
    assert result.stderr == f"shiftnas: error: {elsewhere}: {says}\n"
    assert not (tmp_path / "net").exists()


def test_test_images_are_not_taken_for_the_validation_images_of_the_run(made, elsewhere, tmp_path):
    shutil.rmtree(elsewhere / "test")
    words = train_words(elsewhere, tmp_path / "run")
    assert CliRunner().invoke(COMMANDS["train"], words).exit_code == 0
    words = [str(tmp_path / "run"), "--out", str(tmp_path / "net"), "--json"]
    result = CliRunner().invoke(COMMANDS["export"], words)
    assert json.loads(result.stdout)["split"] == "validation"
    shutil.copytree(made / "data/test", elsewhere / "test")
    result = CliRunner().invoke(COMMANDS["export"], [*words, "--force"])
    assert json.loads(result.stdout)["split"] is None
    says = SAYS["export"].format("validation", "test")
    assert f"{elsewhere}: {says}; no accuracy is measured" in result.stderr
    words = [str(tmp_path / "net"), "--data", str(elsewhere)]
    result = CliRunner().invoke(subcommand("eval"), words)
    says = SAYS["eval"].format("validation", "test", net=tmp_path / "net")
    assert (result.exit_code, result.stderr) == (2, f"shiftnas: error: {elsewhere}: {says}\n")
    result = CliRunner().invoke(subcommand("eval"), [*words, "--other-images"])
    assert (result.exit_code, "over 12 test images" in result.stdout) == (0, True)


@pytest.mark.parametrize("command", ["eval", "export", "resume"])
def test_a_hidden_folder_is_no_class_and_another_place_is_no_other_data(
    made, elsewhere, tmp_path, command
):
    for split in ("train", "val", "test"):
        (elsewhere / split / ".aaa").mkdir()
    result = call(command, made, elsewhere, tmp_path)
    assert result.exit_code == 0, result.output
    meta = serialize.load(made / "net").meta
    if command == "eval":
        assert f"{100 * meta['accuracy_integer']:.2f} % over 12 test images" in result.stdout
    if command == "export":
        assert serialize.load(tmp_path / "net").meta == meta
    if command == "resume":
        figures = [
            json.loads((p / "metrics.json").read_text()) for p in (made / "run", tmp_path / "run")
        ]
        assert figures[0] == figures[1]


def test_run_and_network_know_the_classes_and_the_images(made):
    record, meta = Run.open(made / "run").task.data, serialize.load(made / "net").meta
    assert record.class_names == ("cat", "dog", "owl")
    assert meta["class_names"] == ["cat", "dog", "owl"] and meta["digests"] == record.digests
    for split in data.SPLITS:
        assert record.digests[split] == data.find(made / "data", split).digest


def test_other_images_where_they_are_asked_for(made, elsewhere):
    deleted_images(elsewhere)
    words = [str(made / "net"), "--data", str(elsewhere), "--other-images", "--json"]
    result = CliRunner().invoke(subcommand("eval"), words)
    assert result.exit_code == 0 and json.loads(result.stdout)["images"] == 11
    renamed_class(elsewhere)
    assert CliRunner().invoke(subcommand("eval"), words).exit_code == 2


def test_a_missing_split_is_told(made, elsewhere, tmp_path):
    shutil.rmtree(elsewhere / "val")
    result = call("resume", made, elsewhere, tmp_path)
    assert result.exit_code == 2
    assert "(it has train, test, expected train, validation, test)" in result.stderr


def test_what_an_older_version_wrote_is_read(made, elsewhere, tmp_path):
    """Neither names nor digests: classes are compared by number, images not at all."""
    shutil.copytree(made / "net", tmp_path / "old")
    document = json.loads((tmp_path / "old/network.json").read_text())
    for key in ("class_names", "digests"):
        del document["meta"][key]
    (tmp_path / "old/network.json").write_text(json.dumps(document))
    renamed_class(elsewhere)
    words = [str(tmp_path / "old"), "--data", str(elsewhere)]
    assert CliRunner().invoke(subcommand("eval"), words).exit_code == 0
    another_class(elsewhere)
    result = CliRunner().invoke(subcommand("eval"), words)
    assert result.exit_code == 2 and result.stderr.endswith(": 4 classes, expected 3\n")
    shutil.copytree(made / "run", tmp_path / "run")
    values = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    del values["content"]["class_names"]
    (tmp_path / "run/config.yaml").write_text(yaml.safe_dump(values))
    assert Run.open(tmp_path / "run").task.data.class_names == ()


@pytest.mark.parametrize("names", ["cat", [1, 2, 3], ["cat", "dog"]])
def test_damaged_names_in_a_network(made, tmp_path, names):
    shutil.copytree(made / "net", tmp_path / "net")
    document = json.loads((tmp_path / "net/network.json").read_text())
    document["meta"]["class_names"] = names
    (tmp_path / "net/network.json").write_text(json.dumps(document))
    result = call("eval", tmp_path, made / "data", tmp_path)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "net/network.json: meta: " in result.stderr
