"""The page of a comparison: its table as it was written, and pictures of its arms."""

import json

import pytest
import sample_runs

from hw.errors import InputError
from hw.report import arms, comparison, folder, page, pictures

ARMS = {"found": (0.71, 0.75), "given": (0.70,)}
DIFFERENCE = {"mean": 0.03, "low": -0.01, "high": 0.07, "n": [2, 2], "paired": True}


def write(place, **changes):
    """A comparison's folder; the logs of its trainings have 3 epochs."""
    runs = []
    for arm, accuracies in ARMS.items():
        for seed, accuracy in enumerate(accuracies, 1):
            name = f"runs/{arm}/seed{seed}/train-shift"
            log = sample_runs.train_log(3, seed=seed)
            sample_runs.write_run(place / name, log, kind="train", seed=seed)
            run = {"arm": arm, "domain": "shift", "seed": seed, "accuracy": accuracy}
            runs.append({**run, "folder": name})
    content = {
        "schema_version": 1,
        "data": "digits",
        "split": "test",
        "baseline": "given",
        "confidence": 0.95,
        "arms": {arm: {} for arm in ARMS},
        "domains": ["shift"],
        "runs": runs,
        "table": [
            {"arm": "found", "domain": "shift", "differences": {"accuracy": DIFFERENCE}},
            {"arm": "given", "domain": "shift", "differences": {}},
        ],
        "shown": {"head": ["arm", "a < b"], "rows": [["found", "1"]], "notes": ["of 3 & more"]},
        **changes,
    }
    (place / "compare.json").write_text(json.dumps(content))
    return place


def test_the_page_has_the_table_and_the_pictures(tmp_path):
    text = page.write(write(tmp_path)).read_text()
    assert "2 ways to a network compared on digits" in text
    assert "<th>a &lt; b</th>" in text and "<td>found</td><td>1</td>" in text
    assert "of 3 &amp; more" in text and "±2<sup>p</sup>" in text
    names = [picture.name for picture in pictures.every(folder.read(tmp_path))]
    assert names == [
        "compare-test-accuracy-shift",
        "compare-difference-shift",
        "compare-curves-validation-accuracy-shift",
        "compare-curves-accuracy-shift",
        "compare-curves-loss-shift",
    ]
    assert text.count("<img") == len(names)


def test_a_comparison_that_has_only_begun(tmp_path):
    write(tmp_path, runs=[], table=[])
    text = page.write(tmp_path).read_text()
    assert "<h2>Comparison</h2>" in text and "<img" not in text


def test_real_weights_are_not_called_powers_of_two(tmp_path):
    assert "±2<sup>p</sup>" not in page.write(write(tmp_path, domains=["real"])).read_text()
    searched = {arm: {"search_domain": "real"} for arm in ARMS}
    assert "±2<sup>p</sup>" not in page.write(write(tmp_path, arms=searched)).read_text()
    config = write(tmp_path) / "runs/given/seed1/train-shift/config.yaml"
    assert "±2<sup>p</sup>" in page.write(tmp_path).read_text()
    config.write_text(config.read_text().replace("max_shift: 15", "stem: false"))
    assert "±2<sup>p</sup>" not in page.write(tmp_path).read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "compare.json: cannot be read"),
        ('{"schema_version": 2}', "compare.json: schema_version: expected 1; run `shiftnas comp"),
        ('{"schema_version": 1, "runs": [{}]}', "compare.json: runs: not as a comparison writes"),
    ],
)
def test_a_damaged_one_is_named(tmp_path, text, message):
    (tmp_path / "compare.json").write_text(text)
    with pytest.raises(InputError, match=message):
        comparison.read(tmp_path)


def points(axes):
    """x of every line but the one at zero."""
    return [
        list(line.get_xdata())
        for line in axes.get_lines()
        if line.get_transform() == axes.transData
    ]


def test_accuracies_are_those_of_the_runs(tmp_path):
    found = comparison.read(write(tmp_path))
    assert found is not None
    known = {arm: found.accuracies(arm, "shift") for arm in found.arms}
    (axes,) = arms.accuracies(known, "test").axes
    assert points(axes) == [[71.0, 75.0], [73.0], [70.0], [70.0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["found", "given"]


def test_differences_have_their_intervals():
    alone = {**DIFFERENCE, "low": None, "high": None}
    (axes,) = arms.differences({"a": DIFFERENCE, "b": alone}, "given", 0.95).axes
    assert points(axes) == [pytest.approx([-1.0, 7.0]), [3.0], [3.0]]
    assert "given" in axes.get_xlabel() and "95 %" in axes.get_xlabel()


def test_bands_are_mean_and_sample_deviation(tmp_path):
    found = comparison.read(write(tmp_path))
    assert found is not None
    logs = {arm: found.logs[arm, "shift"] for arm in found.arms}
    (axes,) = arms.bands(logs, "loss", 1.0, "loss").axes
    first, second = (log.values("loss") for log in logs["found"])
    lines = axes.get_lines()
    assert list(lines[0].get_ydata()) == pytest.approx(
        [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    )
    assert list(lines[1].get_ydata()) == logs["given"][0].values("loss")
    (band,) = axes.collections  # of one seed there is no deviation
    heights = [y for x, y in band.get_paths()[0].vertices if x == 1]
    middle, deviation = (first[0] + second[0]) / 2, abs(first[0] - second[0]) / 2**0.5
    assert (min(heights), max(heights)) == pytest.approx((middle - deviation, middle + deviation))
