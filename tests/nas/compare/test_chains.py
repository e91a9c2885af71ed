"""What of a comparison is done already."""

from dataclasses import replace

import pytest

from hw.errors import InputError
from hw.networks import genotypes
from nas.compare.chains import _is_done
from nas.config import load_config
from nas.data_record import DataRecord
from nas.runs import Run
from nas.task import Task

CONFIG = load_config("tiny")
DATA = DataRecord(
    "digits", "digits", (8, 8, 1), 10, digests={"train": "1" * 64, "validation": "2" * 64}
)
MORE = replace(DATA, digests={**DATA.digests, "test": "3" * 64})


def begun(folder, task):
    Run.start(folder, task, resume=False, force=False).close()
    return folder


def test_a_search_is_the_same_whatever_images_there_are_to_test_on(tmp_path):
    data = replace(DATA, digests={"train": "1" * 64})
    run = begun(tmp_path / "run", Task("search", data, CONFIG))
    wanted = Task("search", MORE, CONFIG)
    assert not _is_done(run, "genotype.yaml", wanted)
    (run / "genotype.yaml").touch()
    assert _is_done(run, "genotype.yaml", wanted)
    other = replace(MORE, digests={**MORE.digests, "train": "4" * 64})
    with pytest.raises(InputError, match="its training images differ"):
        _is_done(run, "genotype.yaml", replace(wanted, data=other))


def test_a_training_judged_by_validation_images_is_none_by_test_images(tmp_path):
    task = Task("train", DATA, CONFIG, genotypes.get("GDAS_V1"))
    run = begun(tmp_path / "run", task)
    (run / "metrics.json").touch()
    assert _is_done(run, "metrics.json", task)
    with pytest.raises(InputError, match="train, validation, test, expected train, validation"):
        _is_done(run, "metrics.json", replace(task, data=MORE))
