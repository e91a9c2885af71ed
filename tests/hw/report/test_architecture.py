"""alpha, gamma and beta: every edge in its panel, every operation in its colour."""

import math

import pytest
import sample_runs
from matplotlib.colors import to_hex

from hw.report import architecture
from hw.report.log import Log
from hw.report.operations import colour
from hw.report.plotting import STATES

SEARCH = Log(sample_runs.shiftnas_log((2, 2), (4, 6)))
DARTS = Log(sample_runs.darts_log(epochs=4))
PROGRESSIVE = Log(sample_runs.progressive_log(3))


def data(axes):
    """Colour -> epoch -> value of the lines in it."""
    found = {}
    for line in axes.get_lines():
        if line.get_transform() == axes.transData:
            points = zip(*line.get_data(), strict=True)
            known = {epoch: value for epoch, value in points if not math.isnan(value)}
            found.setdefault(to_hex(line.get_color()), {}).update(known)
    return found


@pytest.mark.parametrize("cell", [0, 1])
@pytest.mark.parametrize("log", [SEARCH, DARTS, PROGRESSIVE])
def test_alpha_of_every_edge_is_in_its_panel(log, cell):
    figure = architecture.operation_shares(log, cell)
    panels = {axes.get_title(): axes for axes in figure.axes if axes.axison}
    assert len(panels) == 14
    for position, (state, node) in enumerate(sample_runs.EDGES):
        name = ["c[k−2]", "c[k−1]", "node 0", "node 1", "node 2"][state]
        lines = data(panels[f"{name} → node {node}"])
        for epoch, record in enumerate(log.records, 1):
            entry = record["architecture"]
            shares = dict(
                zip(
                    entry["candidates"][cell][position],
                    entry["alpha"][cell][position],
                    strict=True,
                )
            )
            known = {line: values[epoch] for line, values in lines.items() if epoch in values}
            assert known == {colour(operation): share for operation, share in shares.items()}


def test_strongest_operations_of_both_groups():
    figure = architecture.strongest_operations(SEARCH)
    normal = figure.axes[0]
    picture = normal.images[0].get_array()
    assert picture.shape == (28, 10, 3)
    assert (picture[:, :2] == 1).all(), "warm-up stays empty"
    entry = SEARCH.records[3]["architecture"]
    conv = max(entry["alpha"][0][0][:4])
    strongest = entry["candidates"][0][0][entry["alpha"][0][0].index(conv)]
    wanted = [
        1 - (0.25 + 0.75 * conv) * (1 - int(colour(strongest)[i : i + 2], 16) / 255)
        for i in (1, 3, 5)
    ]
    assert picture[0, 3].tolist() == pytest.approx(wanted)
    # Where all candidates share one softmax, both halves are the same.
    assert (picture[0, 9] == picture[1, 9]).all() and (picture[0, 3] != picture[1, 3]).any()
    labels = [label.get_text() for label in normal.get_yticklabels()]
    assert labels[0] == "c[k−2] → node 0" and labels[13] == "node 2 → node 3"


def test_the_stage_says_whether_groups_have_a_softmax_each():
    """Also in logs that name no strategy, and whatever the shares add up to."""
    old = [{k: v for k, v in record.items() if k != "strategy"} for record in SEARCH.records]
    entry = old[3]["architecture"]
    halved = [[[share / 2 for share in edge] for edge in cell] for cell in entry["alpha"]]
    old[3] = {**old[3], "architecture": {**entry, "alpha": halved}}
    assert {sum(edge) < 1.5 for edge in halved[0]} == {True}
    for stage, apart in (("operation", True), ("search", False)):
        log = Log([{**record, "stage": stage} for record in old[:4]])
        picture = architecture.strongest_operations(log).axes[0].images[0].get_array()
        assert (picture[::2, 3] != picture[1::2, 3]).any() == apart


def test_edge_weights_by_node_and_state():
    figure = architecture.edge_weights(SEARCH)
    assert [axes.get_title() for axes in figure.axes][::4] == [
        "normal cell, into node 0",
        "reduction cell, into node 0",
    ]
    first = sum("gamma" not in record["architecture"] for record in SEARCH.records)
    last = SEARCH.records[-1]["architecture"]["gamma"]
    for cell in (0, 1):
        for node in range(4):
            lines = data(figure.axes[4 * cell + node])
            shown = [lines[to_hex(STATES[state])] for state in range(2 + node)]
            start = sample_runs.EDGES.index((0, node))
            assert [values[len(SEARCH)] for values in shown] == last[cell][start : start + 2 + node]
            assert all(first not in values for values in shown), "before the topology search"
    assert len(figure.legends[0].texts) == 5


def test_the_strongest_pair_is_named():
    figure = architecture.pair_weights(SEARCH)
    last = SEARCH.records[-1]["architecture"]["beta"]
    states = ["c[k−2]", "c[k−1]", "node 0", "node 1", "node 2"]
    for cell in (0, 1):
        for node in range(4):
            pairs = [(a, b) for a in range(2 + node) for b in range(a + 1, 2 + node)]
            best = last[cell][node].index(max(last[cell][node]))
            axes = figure.axes[4 * cell + node]
            first, second = pairs[best]
            assert axes.get_title().endswith(f"node {node}: {states[first]} + {states[second]}")
            assert len(pairs) == sum(
                line.get_transform() == axes.transData for line in axes.get_lines()
            )
            assert max(line.get_ydata()[-1] for line in axes.get_lines()[: len(pairs)]) == max(
                last[cell][node]
            )


def test_what_was_logged():
    assert architecture.has_architecture(DARTS)
    assert not architecture.has_architecture(DARTS, "gamma")
    assert architecture.has_architecture(SEARCH, "beta")
    assert not architecture.has_architecture(Log(sample_runs.train_log(2)))
