"""The folder of a run."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from hw.errors import InputError
from hw.networks import genotypes
from hw.networks.conventional import Conventional
from nas import checkpoint
from nas.config import load_config
from nas.data_record import DataRecord
from nas.runs import Run, pick_device
from nas.task import Task

DIGITS = DataRecord(
    "digits",
    "digits",
    (8, 8, 1),
    10,
    {"bytes": "x * 255 // 16"},
    {"train": "1" * 64, "test": "2" * 64},
)
OTHER = replace(DIGITS, place="fashion", digests={"train": "3" * 64, "test": "2" * 64})
SEARCH = Task("search", DIGITS, load_config("tiny"))
MODEL = Task(
    "train", DIGITS, load_config("tiny"), domain="real", model=Conventional("resnet8", 0.25)
)
TRAIN = Task("train", DIGITS, load_config("tiny"), genotypes.get("GDAS_V1"), "real")


def start(folder, task=SEARCH, *, resume=False, force=False):
    """A run whose folder is left to others at once."""
    run = Run.start(folder, task, resume=resume, force=force)
    run.close()
    return run


@pytest.mark.parametrize("task", [SEARCH, TRAIN, MODEL])
def test_a_run_knows_its_task(tmp_path, task):
    start(tmp_path / "run", task)
    assert Run.open(tmp_path / "run").task == task


def test_an_existing_folder_is_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="exists already"):
        start(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_force_drops_the_old_run(tmp_path):
    run = start(tmp_path / "run")
    run.save({"x": 1})
    assert start(tmp_path / "run", force=True).load() is None


def test_resume_wants_the_same_task(tmp_path):
    run = start(tmp_path / "run", resume=True)
    run.save({"tensor": torch.ones(2)})
    again = start(tmp_path / "run", resume=True)
    assert again.load()["tensor"].tolist() == [1, 1]
    other = Task("search", DIGITS, load_config("tiny", ("seed=9",)))
    with pytest.raises(InputError, match=r"not the run asked for \(seed is 1 there, 9 here\)"):
        start(tmp_path / "run", other, resume=True)


def test_other_data_is_told_apart_from_where_the_data_was(tmp_path):
    start(tmp_path / "run", resume=True)
    head, why = f"not the data that {tmp_path / 'run'} began with", "(its training images differ)"
    for place, once in (("fashion", ", once at digits"), ("digits", "")):
        other = replace(SEARCH, data=replace(OTHER, place=place))
        with pytest.raises(InputError) as caught:
            start(tmp_path / "run", other, resume=True)
        assert str(caught.value).startswith(f"{place}: {head}{once} {why}; give --data")


def test_damaged_checkpoint(tmp_path):
    run = start(tmp_path / "run")
    run.save({"tensor": torch.ones(2000)})
    path = run.folder / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"checkpoint\.pt: damaged") as caught:
        run.load()
    assert "\n" not in str(caught.value)


def test_checkpoint_of_another_version(tmp_path, monkeypatch):
    run = start(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SCHEMA_VERSION", 99)
        run.save({})
    with pytest.raises(InputError, match="schema_version"):
        run.load()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Task("search", OTHER, load_config("tiny")), "other data: its training images differ"),
        (
            Task("search", DIGITS, load_config("tiny", ("search.cells=5",))),
            "search.cells is 5 there, 2 here",
        ),
        (TRAIN, "domain is 'real' there"),
    ],
)
def test_checkpoint_of_another_run(tmp_path, other, message):
    run, stranger = (
        start(tmp_path / name, task) for name, task in (("run", SEARCH), ("other", other))
    )
    stranger.save({"x": 1})
    (stranger.folder / "checkpoint.pt").rename(run.folder / "checkpoint.pt")
    for load in (run.load, run.newest):
        with pytest.raises(InputError, match=message) as caught:
            load()
        assert "checkpoint of another run" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_checkpoint_of_another_genotype(tmp_path):
    run = start(tmp_path / "run", TRAIN)
    other = replace(TRAIN, genotype=genotypes.get("ShiftNAS_C10"))
    Run(run.folder, other).save({})
    with pytest.raises(InputError, match="another genotype"):
        run.newest()
    Run(run.folder, TRAIN).save({"x": 2})
    assert (run.newest() or {})["x"] == 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            replace(MODEL, model=Conventional("resnet20", 0.25)),
            "model is 'resnet8' there, 'resn",
        ),
        (replace(MODEL, model=Conventional("resnet8")), "width is 0.25 there, 1.0 here"),
        (TRAIN, "model is 'resnet8' there, None here"),
        (
            replace(MODEL, config=load_config("tiny", ("train.stem=imagenet",))),
            "train.stem is 'cifar' there, 'imagenet' here",
        ),
    ],
)
def test_another_conventional_network_is_another_run(tmp_path, other, message):
    start(tmp_path / "run", MODEL)
    with pytest.raises(InputError, match=message):
        start(tmp_path / "run", other, resume=True)
    config = load_config("tiny", ("train.channels=9", "train.cells=9", "train.drop_path=0.5"))
    start(tmp_path / "run", replace(MODEL, config=config), resume=True)  # nothing that it reads


@pytest.mark.parametrize(
    "text",
    [
        "resnet8",
        "{name: resnet8}",
        "{name: x, width: 1}",
        "{name: resnet8, width: -1}",
        "{name: resnet8, width: .nan}",
    ],
)
def test_damaged_record_of_the_network(tmp_path, text):
    path = start(tmp_path / "run", MODEL).folder / "config.yaml"
    content = yaml.safe_load(path.read_text()) | {"model": yaml.safe_load(text)}
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(
        InputError, match=r"config.yaml: model: .*begin again with --force"
    ) as error:
        Run.open(tmp_path / "run")
    assert "\n" not in str(error.value)


def test_a_run_goes_on_with_settings_that_change_no_figure(tmp_path):
    start(tmp_path / "run").save({"x": 1})
    free = ("device=cpu", "folder.workers=0", "folder.stream=never", "expect.classes=10")
    config = load_config("tiny", (*free, "expect.image=8x8x1", "train.epochs=77"))
    moved = replace(DIGITS, place="/elsewhere", name="other", preprocessing={})
    again = start(tmp_path / "run", Task("search", moved, config), resume=True)
    assert (again.newest() or {})["x"] == 1
    assert Run.open(tmp_path / "run").task == again.task == Task("search", moved, config)


def test_a_training_is_decided_by_its_own_section(tmp_path):
    start(tmp_path / "run", TRAIN)
    other = replace(TRAIN, config=load_config("tiny", ("search.cells=9",)))
    start(tmp_path / "run", other, resume=True)
    other = replace(TRAIN, config=load_config("tiny", ("train.epochs=9",)))
    with pytest.raises(InputError, match=r"train\.epochs is 2 there, 9 here"):
        start(tmp_path / "run", other, resume=True)


def test_what_is_no_run_cannot_go_on(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match=r"no run to go on with: it has no config\.yaml"):
        start(tmp_path, resume=True)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_calibration_images_are_kept_once(tmp_path):
    run, images = start(tmp_path / "run", TRAIN), np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    run.keep_calibration(lambda: images)
    run.keep_calibration(lambda: images + np.uint8(1))
    assert np.array_equal(run.read_calibration(), images)
    path = run.folder / "calibration.npz"
    content = path.read_bytes()
    at = content.index(images.tobytes())
    for damaged in (content[:100], content[:at] + b"\xff" + content[at + 1 :], b""):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"calibration\.npz: not the images") as caught:
            run.read_calibration()
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(InputError, match=r"No such file.*--resume"):
        run.read_calibration()


@pytest.mark.parametrize(
    "content",
    [
        None,
        3,
        {"name": "x"},
        {**DIGITS.to_mapping(), "image": [8, 8]},
        {**DIGITS.to_mapping(), "classes": "ten"},
        {**DIGITS.to_mapping(), "digests": {"valid": ""}},
    ],
)
def test_damaged_record_of_the_data(tmp_path, content):
    run = start(tmp_path / "run")
    values = yaml.safe_load((run.folder / "config.yaml").read_text())
    (run.folder / "config.yaml").write_text(yaml.safe_dump({**values, "content": content}))
    with pytest.raises(InputError, match=r"config\.yaml: content: .*--force") as caught:
        Run.open(run.folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["- 1", "kind: build", "kind: search\ndata: 3", "a: ["])
def test_damaged_config(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        Run.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_not_a_run(tmp_path):
    with pytest.raises(InputError, match="not a run"):
        Run.open(tmp_path)


def test_device_names():
    assert pick_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        assert pick_device("auto").type == "cpu"
        with pytest.raises(InputError, match="no GPU"):
            pick_device("cuda")
