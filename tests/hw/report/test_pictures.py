"""Which pictures a run has."""

import sample_runs

from hw.report import folder, pictures

CURVES = ["search-accuracy", "search-loss", "search-learning-rate"]
ALPHA = ["search-strongest-operations", "search-alpha-normal", "search-alpha-reduction"]
CELLS = ["cell-normal", "cell-reduction"]


def names(place):
    found = [picture.name for picture in pictures.every(folder.read(place))]
    assert len(found) == len(set(found))
    return set(found)


def test_a_search_in_two_stages(tmp_path):
    place = sample_runs.write_run(tmp_path / "a", sample_runs.shiftnas_log((1, 1), (2, 2)))
    wanted = {*CELLS, *CURVES, *ALPHA, "search-temperature", "search-gamma", "search-beta"}
    assert names(place) == wanted


def test_a_search_without_topology(tmp_path):
    place = sample_runs.write_run(tmp_path / "a", sample_runs.darts_log(epochs=2), genotype=None)
    assert names(place) == {*CURVES, *ALPHA}


def test_a_training(tmp_path):
    place = sample_runs.write_run(tmp_path / "a", sample_runs.train_log(2), kind="train")
    training = {f"training-{name}" for name in ("accuracy", "loss", "learning-rate")}
    assert names(place) == {*CELLS, *training}


def test_inside_a_training_that_is_done(tmp_path):
    written = {"kind": "train", "metrics": {"accuracy": 0.9}, "inside": sample_runs.INSIDE}
    place = sample_runs.write_run(tmp_path / "a", sample_runs.train_log(2), **written)
    within = {f"training-{n}" for n in ("exponents", "exponents-by-layer", "confusion")}
    assert within <= names(place)


def test_real_weights_have_no_exponents(tmp_path):
    inside = {**sample_runs.INSIDE, "exponents": {}}
    place = sample_runs.write_run(tmp_path / "a", [], kind="train", metrics={}, inside=inside)
    assert {"training-confusion"} == {n for n in names(place) if n.startswith("training")}


def test_seeds_lie_over_each_other(tmp_path):
    for number in (1, 2):
        sample_runs.write_run(tmp_path / f"seed{number}", sample_runs.train_log(2), kind="train")
    seeds = {"seeds-accuracy", "seeds-validation-accuracy", "seeds-loss"}
    cells = {f"seed{number}-{name}" for number in (1, 2) for name in CELLS}
    assert names(tmp_path) == seeds | cells


def test_a_seed_that_has_not_begun_is_left_out(tmp_path):
    sample_runs.write_run(tmp_path / "seed1", sample_runs.train_log(2), kind="train")
    sample_runs.write_run(tmp_path / "seed2", None, genotype=None, kind="train")
    assert "seeds-accuracy" in names(tmp_path)


def test_nothing_done_yet(tmp_path):
    assert names(sample_runs.write_run(tmp_path / "a", None, genotype=None)) == set()
    assert names(sample_runs.write_run(tmp_path / "b", [], genotype=None)) == set()
