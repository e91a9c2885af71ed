"""log.jsonl: stages, values, and every kind of damage named with its line."""

import copy
import json
import math

import pytest
import sample_runs

from hw.errors import InputError
from hw.report.log import Stage, read


def written(tmp_path, records):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_stages_of_a_search(tmp_path):
    log = read(written(tmp_path, sample_runs.shiftnas_log(done=33)))
    assert log.stages == [Stage("operation", 1, 30, 30, 15), Stage("topology", 31, 33, 40, 3)]
    assert log.stages[1].epochs == 3 and len(log) == 33


def test_three_stages_whose_candidates_grow_fewer(tmp_path):
    log = read(written(tmp_path, sample_runs.progressive_log()))
    assert [stage.name for stage in log.stages] == ["stage1", "stage2", "stage3"]


def test_values_that_are_missing_or_not_finite_are_gaps(tmp_path):
    records = sample_runs.train_log(3)
    records[0]["loss"], records[1]["loss"] = math.inf, None
    del records[2]["accuracy"]
    log = read(written(tmp_path, records))
    assert [math.isnan(value) for value in log.values("loss")] == [True, True, False]
    assert log.last("accuracy") == records[1]["accuracy"] and not log.has("temperature")
    assert log.last("temperature") is None
    assert log.values("accuracy", 100.0)[0] == 100 * records[0]["accuracy"]


def test_an_empty_log(tmp_path):
    log = read(written(tmp_path, []))
    assert len(log) == 0 and log.stages == []


def damage(number, **fields):
    def change(records):
        records[number - 1].update(fields)

    return change


def architecture(number, key, value):
    def change(records):
        records[number - 1]["architecture"][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda records: records.pop(2), r"line 3: epoch: expected 3 of stage operation, found 4"),
        (lambda records: records.pop(0), r"line 1: epoch: expected 1 of stage operation, found 2"),
        (damage(2, epoch="2"), r"line 2: epoch: expected a whole number"),
        (damage(2, epochs=2.5), r"line 2: epochs: expected a whole number"),
        (damage(3, stage=None), r"line 3: stage: expected the name"),
        (damage(3, loss="low"), r"line 3: loss: expected a number, found 'low'"),
        (damage(3, accuracy=True), r"line 3: accuracy: expected a number"),
        (damage(4, architecture=[1]), r"line 4: architecture: expected an object"),
        (architecture(4, "alpha", []), r"line 4: architecture: expected candidates and alpha"),
        (architecture(4, "candidates", [[], []]), r"line 4: architecture: candidates: "),
        (architecture(4, "alpha", [[], []]), r"line 4: architecture: alpha: "),
        (architecture(6, "gamma", [[1.0], [1.0]]), r"line 6: architecture: gamma: "),
        (architecture(6, "beta", [[], []]), r"line 6: architecture: beta: "),
        (architecture(6, "beta", [[1.0] * 4, [1.0] * 4]), r"line 6: architecture: beta: "),
        (architecture(6, "candidates", [3, 4]), r"line 6: architecture: expected candidates"),
        (architecture(6, "candidates", [[3] * 14] * 2), r"line 6: architecture: candidates: "),
    ],
)
def test_damage_is_named_with_file_and_line(tmp_path, change, message):
    records = copy.deepcopy(sample_runs.shiftnas_log((2, 2), (4, 4)))
    change(records)
    with pytest.raises(InputError, match=rf"log\.jsonl: {message}.*--resume"):
        read(written(tmp_path, records))


@pytest.mark.parametrize("line", ["", "{", "[]", "3", '{"stage": "train", "epo'])
def test_a_line_cut_short(tmp_path, line):
    path = written(tmp_path, sample_runs.train_log(3))
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=r"log\.jsonl: line 4: expected one JSON object a line"):
        read(path)


def test_not_text(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"log\.jsonl: cannot be read"):
        read(path)
