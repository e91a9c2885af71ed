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


def agrees(weights, paper):
    """To a percent, or to the digits that the paper prints: it prints 0.1 M."""
    ours = weights / 1e6
    return abs(ours - paper) <= 0.01 * paper or f"{ours:.1f}" == f"{paper:.1f}"


@pytest.mark.parametrize(("number", "row"), ROWS, ids=ids)
def test_weights_agree_or_the_row_says_why_not(number, row):
    """Each figure by the row's own count, with statistics or without, or by one that was tried;
    where none does, the note says so in plain words, and only there."""
    table = zoo.tables()[number]
    unexplained = 0
    for classes, size in zoo.counts(row, table).items():
        paper = row.paper(classes)
        if paper is None:
            continue
        counts = [size.weights, size.weights + size.statistics]
        own = any(agrees(weights, paper) for weights in counts)
        assert own or row.note, (row.name, classes, counts, paper)
        others = [
            one.weights
            for one in zoo.tried(row, table)
            # Sizes and operations of nobody's are attempts, no explanation.
            if one.guess.classes == classes and not (one.guess.instead or one.guess.cells)
            if one.guess.channels in (0, 46) and one.guess.numbers == 1
        ]
        unexplained += not own and not any(agrees(weights, paper) for weights in others)
    assert ("not explained" in row.note) == bool(unexplained), row.name


def test_deepshifts_summary_is_how_the_paper_counts_conventional_networks():
    """With running means and variances all nine are what it prints, for 10 classes or for 100."""
    table = zoo.tables()[1]
    rows = [row for row in table.rows if row.network in MODELS]
    assert len(rows) == 9
    for row in rows:
        sizes = zoo.counts(row, table).values()
        printed = {f"{(size.weights + size.statistics) / 1e6:.1f}" for size in sizes}
        assert f"{row.weights:.1f}" in printed, (row.name, printed)


@pytest.mark.parametrize(
    ("name", "classes", "weights"),
    [
        ("ResNet50", 10, 23_573_962),
        ("DARTS-v2", 10, 3_389_734),
        ("DARTS-v2", 100, 3_441_664),
        ("DOTS", 10, 3_569_014),
        ("DOTS", 100, 4_112_128),
    ],
)
def test_counts_with_statistics_are_those_that_are_logged_elsewhere(name, classes, weights):
    """To the last weight: DeepShift's summary in the logs of code with the paper's name (GitHub,
    adaisyx/test, at 9f53328)."""
    table = zoo.tables()[1]
    row = next(row for row in table.rows if row.name == name)
    size = zoo.counts(row, table)[classes]
    assert size.weights + size.statistics == weights


@pytest.mark.parametrize(
    ("number", "name", "classes", "what", "millions", "percent"),
    [
        (1, "MobileNet-v2", 10, "of 100 classes, with statistics", "2.39", "-0.6"),
        (1, "AmoebaNet", 10, "with statistics", "3.18", "+38.3"),
        (1, "DARTS-", 10, "the genotype of CIFAR-100, with statistics", "3.41", "+0.2"),
        (1, "DARTS-", 100, "with statistics", "3.46", "-1.1"),
        (1, "DOTS", 10, "a separable convolution for the dilated one", "3.71", "+0.2"),
        (1, "DOTS", 100, "a separable convolution for the dilated one", "4.24", "+1.0"),
        (1, "DARTS-v2", 10, "a separable convolution for the dilated one", "3.53", "+0.8"),
        (1, "ShiftNAS (Best)", 10, "a skip for a separable convolution", "3.30", "+0.0"),
        (1, "ShiftNAS (Best)", 100, "of 10 classes", "3.88", "+2.2"),
        (2, "SqueezeNet1.0", 1000, "three numbers a weight", "3.75", "-1.4"),
        (2, "DOTS", 1000, "the genotype of CIFAR-100, C 46", "5.23", "+0.6"),
        (2, "ShiftNAS", 1000, "the genotype of CIFAR-100", "5.09", "-0.3"),
    ],
)
def test_what_was_tried(number, name, classes, what, millions, percent):
    table = zoo.tables()[number]
    row = next(row for row in table.rows if row.name == name)
    one = next(
        one
        for one in zoo.tried(row, table)
        if (one.guess.classes, one.guess.what) == (classes, what)
    )
    assert (f"{one.weights / 1e6:.2f}", f"{100 * one.difference:+.1f}") == (millions, percent)
    plain = CliRunner().invoke(subcommand("zoo"), ["--table", str(number)]).output
    assert f"  tried, {classes} classes: {what}: {millions} M, {percent} %" in plain


def test_gdas_as_its_own_scripts_train_it():
    """Weights within a percent, and exactly twice the paper's additions."""
    table = zoo.tables()[2]
    row = next(row for row in table.rows if row.name == "GDAS")
    size = zoo.counts(row, table)[1000]
    assert agrees(size.weights, row.weights)
    assert round(size.additions / 2e6) == row.additions == 291


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
