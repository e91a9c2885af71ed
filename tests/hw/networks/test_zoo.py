"""The paper's tables beside our counts."""

import json

import pytest
from click.testing import CliRunner

from hw.networks import zoo
from hw.networks.conventional import MODELS
from hw.networks.counts import count
from hw.networks.genotypes import published
from shiftnas import subcommand

ROWS = [(number, row) for number, table in zoo.tables().items() for row in table.rows]


def ids(one):
    return one.name if isinstance(one, zoo.Row) else str(one)


def test_the_tables_have_the_papers_rows():
    assert {number: len(table.rows) for number, table in zoo.tables().items()} == {
        1: 19, 2: 12, 3: 6, 7: 3
    }  # fmt: skip
    assert {row.network for _, row in ROWS} <= {*MODELS, *published()}


@pytest.mark.parametrize(("number", "row"), ROWS, ids=ids)
def test_weights_agree_within_a_percent_or_the_row_says_why_not(number, row):
    """As far as the paper prints them: to 0.1 M."""
    found = zoo.counts(row, zoo.tables()[number])
    pairs = zip(found.values(), (row.weights, row.weights100), strict=False)
    for counted, paper in pairs:
        if paper is not None and not row.note:
            ours = counted.weights / 1e6
            assert abs(ours - paper) <= max(0.05, 0.01 * paper) + 1e-9, (row.name, ours, paper)


def test_memory_is_of_what_becomes_powers_of_two():
    table = zoo.tables()[1]
    row = next(row for row in table.rows if row.name == "ResNet20")
    size = count(zoo.graph(row, imagenet=False, classes=10))
    # Without the two numbers of each batch-norm channel and the classifier's biases.
    channels = 16 * 7 + 32 * 6 + 64 * 6 + 32 + 64
    assert size.weights - size.kernel == 2 * channels + 10


@pytest.mark.parametrize("number", ["1", "2", "3", "7"])
def test_the_command(number):
    result = CliRunner().invoke(subcommand("zoo"), ["--table", number, "--json"])
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert [row["name"] for row in shown["rows"]] == [
        row.name for row in zoo.tables()[int(number)].rows
    ]
    assert all(row["multiplications"] == 0 for row in shown["rows"])
    plain = CliRunner().invoke(subcommand("zoo"), ["--table", number])
    assert plain.exit_code == 0 and "about half" in plain.output
    # Not a terminal: nothing is cut, whatever its width.
    assert "…" not in plain.output


def test_the_mean_of_the_papers_four_runs():
    """Of networks whose genotypes are not published: what is counted is told."""
    result = CliRunner().invoke(subcommand("zoo"), ["--json"])
    best, mean = json.loads(result.stdout)["rows"][-2:]
    assert best["paper"]["deviation_points"] == {} and best["weights"] == mean["weights"]
    assert mean["paper"]["deviation_points"] == {"CIFAR-10": 0.12, "CIFAR-100": 0.23}
    assert "four runs" in mean["note"]
    assert "95.43 ± 0.12, 76.08 ± 0.23" in CliRunner().invoke(subcommand("zoo"), []).output
