"""What a run keeps of its epochs."""

import json

import pytest
import torch

from hw.errors import CheckFailed, InputError
from nas.config import load_config
from nas.data_record import DataRecord
from nas.journal import Journal
from nas.meter import NotFinite
from nas.runs import Run
from nas.task import Task

TASK = Task("search", DataRecord("digits"), load_config("tiny"))
CPU = torch.device("cpu")


def begin(folder, *, resume=False):
    run = Run.start(folder, TASK, resume=resume, force=False)
    run.close()
    return Journal(run, CPU)


def work(journal, first, last):
    for epoch in range(first, last + 1):
        with journal.epoch("operation", epoch - 1, 9) as entry:
            entry["loss"] = 1 / epoch
        journal.keep({"weight": torch.tensor([float(epoch)])})


def logged(folder):
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["epoch"] for line in lines]


def test_an_entry_has_the_epoch_and_what_it_cost(tmp_path):
    journal = begin(tmp_path / "run")
    assert journal.resume() is None
    work(journal, 1, 1)
    (entry,) = journal.log
    assert (entry["stage"], entry["epoch"], entry["epochs"]) == ("operation", 1, 9)
    assert entry["seconds"] >= 0 and 10 < entry["memory_mib"] < 100_000


def test_a_resumed_run_has_the_log_and_the_state(tmp_path):
    work(begin(tmp_path / "run"), 1, 3)
    journal = begin(tmp_path / "run", resume=True)
    assert journal.resume()["weight"].item() == 3
    work(journal, 4, 4)
    assert logged(tmp_path / "run") == [1, 2, 3, 4]


def test_the_log_is_cut_back_to_the_checkpoint(tmp_path, capsys):
    work(begin(tmp_path / "run"), 1, 3)
    path = tmp_path / "run/checkpoint.pt"
    path.write_bytes(path.read_bytes()[:-1])
    journal = begin(tmp_path / "run", resume=True)
    assert journal.resume()["weight"].item() == 2
    assert logged(tmp_path / "run") == [1, 2]
    assert "checkpoint.pt: damaged" in capsys.readouterr().err


def test_a_log_without_a_checkpoint_is_not_thrown_away(tmp_path):
    work(begin(tmp_path / "run"), 1, 2)
    (tmp_path / "run/checkpoint.pt").unlink()
    journal = begin(tmp_path / "run", resume=True)
    assert (journal.resume() or {})["weight"].item() == 1
    (tmp_path / "run/checkpoint-before.pt").unlink()
    with pytest.raises(InputError, match=r"log\.jsonl tells of epochs.*--force"):
        begin(tmp_path / "run", resume=True)
    assert logged(tmp_path / "run") == [1]


def test_a_run_goes_on_on_the_kind_of_device_that_it_began_on(tmp_path):
    work(begin(tmp_path / "run"), 1, 2)
    other = Journal(begin(tmp_path / "run", resume=True).run, torch.device("cuda"))
    with pytest.raises(InputError, match=r"device: cuda: .*run began on cpu.*device=cpu") as caught:
        other.resume()
    assert "\n" not in str(caught.value)
    assert logged(tmp_path / "run") == [1, 2]


def test_a_loss_that_is_not_finite_is_told_with_its_place(tmp_path):
    journal = begin(tmp_path / "run")
    with pytest.raises(CheckFailed, match="nothing is kept"):
        with journal.epoch("operation", 0, 9):
            raise NotFinite("step 3: the loss is nan")
    work(journal, 1, 2)
    with pytest.raises(CheckFailed) as caught:
        with journal.epoch("operation", 2, 9):
            raise NotFinite("step 3: the loss is nan")
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: operation, epoch 3 of 9, step 3: the loss is nan; the state after "
        "operation, epoch 2 is kept in checkpoint.pt; begin again (--force) with a smaller "
        "search.lr or search.clip"
    )
    assert logged(tmp_path / "run") == [1, 2]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_state_that_is_not_finite_is_not_kept(tmp_path, value):
    journal = begin(tmp_path / "run")
    work(journal, 1, 1)
    with journal.epoch("operation", 1, 9):
        pass
    with pytest.raises(CheckFailed, match="epoch 2 of 9, last step: a weight became NaN"):
        journal.keep({"net": {"deep": [torch.tensor([1.0, value])]}})
    assert logged(tmp_path / "run") == [1]
    assert begin(tmp_path / "run", resume=True).resume()["weight"].item() == 1
