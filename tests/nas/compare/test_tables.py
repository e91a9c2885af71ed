"""Tables of figures that are known: what is written, and that nothing is lost in LaTeX or CSV."""

import csv
import io
import re

import pytest

from nas.compare import tables
from nas.compare.results import summed_up

ARMS = {
    name: {"strategy": name, "genotype": None, "search_domain": "shift", "seeds": [1, 2, 3]}
    for name in ("shift_nas", "random-1")
}
ACCURACIES = {"shift_nas": (0.75, 0.76, 0.77), "random-1": (0.76, 0.78, 0.80)}


def content(
    planned=12, unequal=None, validation=False, domains=("shift",), split="test", apart=None
):
    runs = [
        {
            "arm": arm,
            "domain": domain,
            "seed": seed,
            "accuracy": accuracy - (0.1 if domain == "real" else 0),
            **({"validation_accuracy": 0.9 - accuracy / 10} if validation else {}),
            "weights": 15000 + seed,
            "folder": f"runs/{arm}/seed{seed}/train-{domain}",
        }
        for domain in domains
        for arm, accuracies in ACCURACIES.items()
        for seed, accuracy in enumerate(accuracies, 1)
    ]
    head = {
        "data": "digits",
        "split": split,
        "baseline": "random-1",
        "planned": planned,
        "done": 12,
    }
    return summed_up(head, ARMS, list(domains), unequal or {}, apart or {}, runs)


def test_markdown_by_hand():
    """Differences −1, −2, −3 points: mean −2, ± 4.303/√3."""
    lines = tables.markdown(content()).splitlines()
    assert lines[:4] == [
        "| arm | n | test accuracy, % | median | difference to random-1, points | weights |",
        "| --- | --- | --- | --- | --- | --- |",
        "| shift_nas | 3 | 76.00 ± 1.00 | 76.00 | −2.00 [−4.48, 0.48] (3 pairs) | 15,002 ± 1 |",
        "| random-1 | 3 | 78.00 ± 2.00 | 78.00 | – | 15,002 ± 1 |",
    ]
    assert not any("Unfinished" in line or "alike" in line or "Chosen" in line for line in lines)


def test_what_must_be_said():
    unequal = {"shift": {"train.lr": {"shift_nas": 0.1, "random-1": 0.2}}}
    text = tables.markdown(content(planned=14, unequal=unequal, validation=True))
    assert "Unfinished: 12 of 14 runs are done." in text
    assert "Not trained alike: train.lr of shift weights: 0.1 (shift_nas), 0.2 (random-1)." in text
    # Chosen by the validation images, on which the first seed is best, not by the test images.
    assert (
        "Chosen by validation images, of shift weights, with their test accuracy: "
        "shift_nas: seed 1, 75.00 %; random-1: seed 1, 76.00 %."
    ) in text
    assert "| validation accuracy, % |" in text


def test_one_seed_has_no_deviation_and_no_interval():
    found = content()
    runs = [run for run in found["runs"] if run["seed"] == 2]
    head = {key: found[key] for key in ("data", "split", "baseline", "planned", "done")}
    text = tables.markdown(summed_up(head, ARMS, ["shift"], {}, {}, runs))
    assert "| shift_nas | 1 | 76.00 | 76.00 | −2.00 (1 pair) | 15,002 |" in text


def test_validation_is_not_called_test():
    """Of data without test images."""
    text = tables.markdown(content(split="validation"))
    assert "| validation accuracy, % |" in text and "test" not in text


def test_both_domains():
    text = tables.markdown(content(domains=("shift", "real")))
    assert "| shift_nas | real | 3 | 66.00 ± 1.00 |" in text
    said = (
        "shift_nas: test accuracy in shift minus real weights, points: "
        "+10.00 [10.00, 10.00] (3 pairs)."
    )
    assert said in text


def test_domains_that_are_not_trained_alike():
    """Said where their difference is, once for the arms that have the same values."""
    values = {"shift": 0.01, "real": 0.02}
    apart = {"shift_nas": {"train.lr": values}, "random-1": {"train.lr": values}}
    found = content(domains=("shift", "real"), apart=apart)
    assert found["unequal_domains"] == apart
    said = (
        "Domains not trained alike, so that their difference is of weights and settings: "
        "train.lr: 0.01 (shift weights), 0.02 (real weights), in shift_nas, random-1."
    )
    notes = tables.markdown(found).split("\n\n")
    assert notes.count(said) == 1
    assert "in shift minus real weights" in notes[notes.index(said) + 1]
    assert f"% {said}\n" in tables.latex(found)
    apart["random-1"] = {"train.lr": {"shift": 0.01, "real": 0.5}}
    notes = tables.notes(content(domains=("shift", "real"), apart=apart))
    assert sum("Domains not trained alike" in note for note in notes) == 2
    assert any(note.endswith("0.5 (real weights), in random-1.") for note in notes)


def test_differences_of_fewer_pairs_than_runs():
    """The baseline has a fourth run, of no pair: the difference is not that of the means."""
    found = content()
    more = {**found["runs"][-1], "seed": 4, "accuracy": 0.90}
    head = {key: found[key] for key in ("data", "split", "baseline", "planned", "done")}
    four = summed_up(head, ARMS, ["shift"], {}, {}, [*found["runs"], more])
    text = tables.markdown(four)
    assert "| shift_nas | 3 | 76.00 ± 1.00 | 76.00 | −2.00 [−4.48, 0.48] (3 pairs) |" in text
    assert "| random-1 | 4 | 81.00 ± 6.22 |" in text
    others = [
        {**run, "seed": run["seed"] + 9 * (run["arm"] == "shift_nas")} for run in four["runs"]
    ]
    apart = summed_up(head, ARMS, ["shift"], {}, {}, others)
    assert re.search(r"\| −5\.00 \[[−.\d]+, [−.\d]+\] \(Welch\) \|", tables.markdown(apart))
    (row, *_) = csv.DictReader(io.StringIO(tables.summary_csv(apart)))
    assert (row["paired"], row["pairs"]) == ("False", "")


def test_csv_keeps_every_digit():
    found = content()
    rows = list(csv.DictReader(io.StringIO(tables.summary_csv(found))))
    assert len(rows) == 4
    (row,) = (r for r in rows if (r["arm"], r["figure"]) == ("shift_nas", "accuracy"))
    entry = found["table"][0]
    assert float(row["mean"]) == entry["figures"]["accuracy"]["mean"]
    assert float(row["low"]) == entry["differences"]["accuracy"]["low"]
    assert (row["n"], row["baseline"], row["paired"]) == ("3", "random-1", "True")
    assert row["pairs"] == "3"
    assert [r["difference"] for r in rows if r["arm"] == "random-1"] == ["", ""]
    runs = list(csv.DictReader(io.StringIO(tables.runs_csv(found))))
    assert [float(run["accuracy"]) for run in runs] == [run["accuracy"] for run in found["runs"]]
    assert runs[0]["folder"] == "runs/shift_nas/seed1/train-shift"


@pytest.mark.parametrize("domains", [("shift",), ("shift", "real")])
def test_latex_has_the_same_cells(domains):
    found = content(domains=domains)
    text = tables.latex(found)
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    shown = [found["shown"]["head"], *found["shown"]["rows"]]
    assert len(body) == len(shown)
    (columns,) = re.findall(r"\\begin{tabular}{(\w+)}", text)
    assert len(columns) == len(shown[0])
    plain = [
        line.removesuffix(r" \\")
        .replace(r"$\pm$", "±")
        .replace("$-$", "−")
        .replace("--", "–")
        .replace("\\", "")
        .split(" & ")
        for line in body
    ]
    assert plain == shown
    for line in body:
        special = re.sub(r"\\[%_]|\$\\pm\$|\$-\$", "", line.removesuffix(r"\\"))
        assert not re.search(r"[%_$#\\−±–]", special)
