"""What a comparison has come to so far: read from its runs, summed up, as one plain value."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hw import documents
from hw.errors import InputError
from hw.networks.space import SKIP
from nas.compare.chains import EXPORTABLE, Chain, prices_known
from nas.compare.comparison import Spec
from nas.compare.figures import ACCURACY, FIGURES
from nas.compare.statistics import CONFIDENCE, difference, summary
from nas.compare.tables import cells, notes
from nas.runs import LOG, METRICS

SCHEMA_VERSION = 1

Row = dict[str, Any]
"""One training that is done: arm, domain, seed, folder, and its figures."""


def collect(spec: Spec, found: Sequence[Chain], out: Path, split: str) -> dict[str, Any]:
    """The content of compare.json: of the runs that are done; docs/cli.md says what is in it.

    `split`: "test" or "validation", that the networks are judged by.
    """
    rows = [
        _row(spec, chain, domain, out)
        for name in spec.arms
        for chain in found
        if chain.arm.name == name
        for domain in chain.arm.train
        if (chain.train(domain) / METRICS).exists()
    ]
    searched = sum(chain.genotype() is not None for chain in found if chain.arm.strategy)
    head = {
        "data": spec.data,
        "split": split,
        "baseline": spec.baseline,
        "planned": sum(len(chain.runs) for chain in found),
        "done": searched + len(rows),
    }
    arms = {
        name: {
            "strategy": arm.strategy,
            "genotype": arm.genotype_name,
            "model": arm.model.name if arm.model else None,
            "width": arm.model.width if arm.model else None,
            "search_domain": arm.search_domain if arm.strategy else None,
            "seeds": list(arm.seeds),
        }
        for name, arm in spec.arms.items()
    }
    return summed_up(head, arms, spec.domains, spec.unequal, spec.between_domains, rows)


def summed_up(
    head: Mapping[str, Any],
    arms: Mapping[str, Any],
    domains: Sequence[str],
    unequal: Mapping[str, Any],
    unequal_domains: Mapping[str, Any],
    rows: Sequence[Row],
) -> dict[str, Any]:
    """The content of compare.json from its runs.

    Parameters
    ----------
    head: data, split, baseline, and how many runs are planned and done
    unequal, unequal_domains: see `unequal` and `between_domains` of `nas.compare.comparison.Spec`
    """
    baseline = head["baseline"]
    entries = [_entry(rows, name, domain, baseline) for domain in domains for name in arms]
    content = {
        "schema_version": SCHEMA_VERSION,
        "kind": "compare",
        **head,
        "confidence": CONFIDENCE,
        "arms": arms,
        "domains": list(domains),
        "unequal": unequal,
        "unequal_domains": unequal_domains,
        "runs": list(rows),
        "table": [entry for entry in entries if entry is not None],
        "between_domains": _between_domains(rows, list(arms), domains),
    }
    titles, lines = cells(content)
    return {**content, "shown": {"head": titles, "rows": lines, "notes": notes(content)}}


# --- one training ------------------------------------------------------------------------


def _row(spec: Spec, chain: Chain, domain: str, out: Path) -> Row:
    folder, arm = chain.train(domain), chain.arm
    metrics = _json(folder / METRICS)
    figures = {
        "accuracy": metrics["accuracy"],
        "validation_accuracy": metrics.get("validation_accuracy"),
        "weights": metrics["weights"],
        "additions": metrics["additions"],
        "train_seconds": metrics["seconds"],
    }
    genotype = chain.genotype()
    if genotype is not None:
        figures["skips"] = sum(operation == SKIP for operation, _ in genotype.normal)
    if arm.strategy is not None:
        figures["search_seconds"] = round(_logged_seconds(chain.search / LOG), 2)
    if spec.hardware is not None and domain == EXPORTABLE:
        figures |= prices_known(chain, spec.hardware) or {}
    row: Row = {"arm": arm.name, "domain": domain, "seed": chain.seed}
    row |= {f.key: figures[f.key] for f in FIGURES if figures.get(f.key) is not None}
    row["folder"] = str(folder.relative_to(out))
    if arm.strategy is not None:
        row["search_folder"] = str(chain.search.relative_to(out))
    return row


def _logged_seconds(log: Path) -> float:
    lines = log.read_text(encoding="utf-8").splitlines()
    return sum(json.loads(line)["seconds"] for line in lines)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        return documents.load_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); train that run again") from error


# --- over the seeds ----------------------------------------------------------------------


def _values(rows: Sequence[Row], arm: str, domain: str, key: str) -> dict[int, float]:
    """Seed -> figure."""
    return {
        row["seed"]: row[key]
        for row in rows
        if (row["arm"], row["domain"]) == (arm, domain) and key in row
    }


def _entry(rows: Sequence[Row], arm: str, domain: str, baseline: str) -> dict[str, Any] | None:
    """A line of the table; None where no training of it is done."""
    figures, differences = {}, {}
    for figure in FIGURES:
        ours = _values(rows, arm, domain, figure.key)
        theirs = _values(rows, baseline, domain, figure.key)
        if ours:
            figures[figure.key] = asdict(summary(list(ours.values())))
        if ours and theirs and arm != baseline:
            differences[figure.key] = asdict(difference(ours, theirs))
    if not figures:
        return None
    entry = {"arm": arm, "domain": domain, "figures": figures, "differences": differences}
    chosen = _chosen([row for row in rows if (row["arm"], row["domain"]) == (arm, domain)])
    return entry if chosen is None else {**entry, "chosen": chosen}


def _chosen(rows: Sequence[Row]) -> Row | None:
    """The network that one would take: best on the validation images, which chose, and its figure
    of the test images, which did not. The first seed's of equals. None without both kinds.
    """
    if not all("validation_accuracy" in row for row in rows):
        return None
    best = max(rows, key=lambda row: row["validation_accuracy"])
    return {key: best[key] for key in ("seed", "validation_accuracy", "accuracy")}


def _between_domains(
    rows: Sequence[Row], arms: Sequence[str], domains: Sequence[str]
) -> list[dict[str, Any]]:
    """Accuracy of the same networks in the first domain minus that in the second, by arm."""
    if len(domains) < 2:
        return []
    found = []
    for name in arms:
        ours, theirs = (_values(rows, name, domain, ACCURACY.key) for domain in domains)
        if ours and theirs:
            found.append({"arm": name, "accuracy": asdict(difference(ours, theirs))})
    return found
