"""What --force takes away of a run's folder."""

import pytest
import torch

from hw.errors import InputError
from hw.networks import genotypes
from nas import replacing
from nas.config import load_config
from nas.data_record import DataRecord
from nas.runs import Run
from nas.task import Task

SEARCH = Task("search", DataRecord("digits"), load_config("tiny"))
TRAIN = Task("train", DataRecord("digits"), load_config("tiny"), genotypes.get("GDAS_V1"))


def start(folder, task):
    run = Run.start(folder, task, resume=False, force=False)
    run.save({"tensor": torch.ones(2)})
    run.close()
    return folder


def test_a_run_of_the_same_kind_may_be_replaced(tmp_path):
    for kind, task in (("search", SEARCH), ("train", TRAIN)):
        replacing.require_own(tmp_path / kind, kind)
        replacing.require_own(start(tmp_path / kind, task), kind)
        replacing.require_own(start(tmp_path / "seeds" / kind / "seed1", task), kind)
        replacing.require_own(tmp_path / "seeds" / kind, kind)


def test_what_no_such_run_wrote_is_kept(tmp_path):
    (tmp_path / "config.yaml").write_text("a: 1\n")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"config\.yaml: is not of a run of `search`"):
        replacing.require_own(tmp_path, "search")
    start(tmp_path / "train", TRAIN)
    with pytest.raises(InputError, match=r"train/config\.yaml: is not of a run of `search`"):
        replacing.require_own(tmp_path / "train", "search")
    start(tmp_path / "seeds" / "seed1", TRAIN)
    with pytest.raises(InputError, match=r"seed1/config\.yaml: is not of a run of `search`"):
        replacing.require_own(tmp_path / "seeds", "search")


def test_a_seed_is_cleared_of_what_it_wrote(tmp_path):
    for name in ("seed1", "seed2"):
        start(tmp_path / name, SEARCH)
    (tmp_path / "seed2" / "thesis.tex").write_text("mine")
    for place in replacing.seeds(tmp_path):
        replacing.clear(place)
    assert not (tmp_path / "seed1").exists()
    assert [p.name for p in (tmp_path / "seed2").iterdir()] == ["thesis.tex"]
