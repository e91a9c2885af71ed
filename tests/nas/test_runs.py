"""The folder of a run."""

from dataclasses import replace

import pytest
import torch

from hw.errors import InputError
from hw.networks import genotypes
from nas import checkpoint
from nas.config import load_config
from nas.runs import Run, Task, pick_device

SEARCH = Task("search", "digits", load_config("tiny"))
TRAIN = Task("train", "digits", load_config("tiny"), genotypes.get("GDAS_V1"), "real")


@pytest.mark.parametrize("task", [SEARCH, TRAIN])
def test_a_run_knows_its_task(tmp_path, task):
    Run.start(tmp_path / "run", task, resume=False, force=False)
    assert Run.open(tmp_path / "run").task == task


def test_an_existing_folder_is_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="exists already"):
        Run.start(tmp_path, SEARCH, resume=False, force=False)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_force_drops_the_old_run(tmp_path):
    run = Run.start(tmp_path / "run", SEARCH, resume=False, force=False)
    run.save({"x": 1})
    assert Run.start(tmp_path / "run", SEARCH, resume=False, force=True).load() is None


def test_resume_wants_the_same_task(tmp_path):
    run = Run.start(tmp_path / "run", SEARCH, resume=True, force=False)
    run.save({"tensor": torch.ones(2)})
    again = Run.start(tmp_path / "run", SEARCH, resume=True, force=False)
    assert again.load()["tensor"].tolist() == [1, 1]
    other = Task("search", "digits", load_config("tiny", ("seed=9",)))
    with pytest.raises(InputError, match=r"not the run asked for \(seed is 1 there, 9 here\)"):
        Run.start(tmp_path / "run", other, resume=True, force=False)


def test_damaged_checkpoint(tmp_path):
    run = Run.start(tmp_path / "run", SEARCH, resume=False, force=False)
    run.save({"tensor": torch.ones(2000)})
    path = run.folder / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"checkpoint\.pt: damaged") as caught:
        run.load()
    assert "\n" not in str(caught.value)


def test_checkpoint_of_another_version(tmp_path, monkeypatch):
    run = Run.start(tmp_path / "run", SEARCH, resume=False, force=False)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SCHEMA_VERSION", 99)
        run.save({})
    with pytest.raises(InputError, match="schema_version"):
        run.load()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Task("search", "fashion", load_config("tiny")), "data is 'fashion' there, 'digits' here"),
        (
            Task("search", "digits", load_config("tiny", ("search.cells=5",))),
            "search.cells is 5 there, 2 here",
        ),
        (TRAIN, "domain is 'real' there"),
    ],
)
def test_checkpoint_of_another_run(tmp_path, other, message):
    run, stranger = (
        Run.start(tmp_path / name, task, resume=False, force=False)
        for name, task in (("run", SEARCH), ("other", other))
    )
    stranger.save({"x": 1})
    (stranger.folder / "checkpoint.pt").rename(run.folder / "checkpoint.pt")
    for load in (run.load, run.newest):
        with pytest.raises(InputError, match=message) as caught:
            load()
        assert "checkpoint of another run" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_checkpoint_of_another_genotype(tmp_path):
    run = Run.start(tmp_path / "run", TRAIN, resume=False, force=False)
    other = replace(TRAIN, genotype=genotypes.get("ShiftNAS_C10"))
    Run(run.folder, other).save({})
    with pytest.raises(InputError, match="another genotype"):
        run.newest()
    Run(run.folder, TRAIN).save({"x": 2})
    assert (run.newest() or {})["x"] == 2


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
