"""What a campaign found: a table, JSON, a folder with every survivor's diff."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sim.junit import Case
from sim.mutation import schemata
from sim.mutation.campaign import Campaign, Verdict
from sim.mutation.sites import KINDS

REPORT = "report.json"


def as_dict(campaign: Campaign) -> dict[str, Any]:
    """The documented JSON."""
    return {
        "mutants": len(campaign.verdicts),
        "killed": len(campaign.killed),
        "survived": len(campaign.survivors),
        "equivalent": len(campaign.equivalent),
        "out_of_reach": len(campaign.out_of_reach),
        "score": round(campaign.score, 4),
        "raw_score": round(campaign.raw_score, 4),
        "sites": campaign.sites,
        "forms": campaign.forms,
        "pace_checked": campaign.paced,
        "checks": _checks(campaign.verdicts),
        "runs": _runs(campaign),
        "kinds": {
            kind: {
                "mutants": len(verdicts),
                "killed": sum(v.kill is not None for v in verdicts),
                "equivalent": sum(v.equivalent is not None for v in verdicts),
                "out_of_reach": sum(v in campaign.out_of_reach for v in verdicts),
                "checks": _checks(verdicts),
            }
            for kind, verdicts in _by_kind(campaign).items()
        },
        "verdicts": [_verdict(verdict) for verdict in campaign.verdicts],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    mutant, kill = verdict.mutant, verdict.kill
    return {
        "number": verdict.number,
        "kind": mutant.kind,
        "module": mutant.module,
        "layer": verdict.layer,
        "line": mutant.line + 1,
        "before": mutant.before,
        "after": mutant.after,
        "killed": kill is not None,
        "run": verdict.run,
        "check": kill.check if kill else "",
        "found_in": kill.layer if kill else "",
        "message": kill.message if kill else "",
        "explanation": "" if kill else explanation(verdict),
    }


def explanation(verdict: Verdict) -> str:
    """Why a mutant survived, as far as this program can tell."""
    if verdict.equivalent:
        return (
            "no change: proved that the outputs can never differ, on any input; "
            f"looked at {verdict.equivalent}"
        )
    if verdict.out_of_reach:
        return f"no change in this network: {verdict.out_of_reach}"
    return "not known: no run noticed it, and no proof was found that none could"


def cases(campaign: Campaign, bar: float) -> list[Case]:
    """The verdicts as cases of a JUnit report. Survivors are failures where the score is below the
    bar; above it they are left out, with the reason.
    """
    return [_case(verdict, campaign.score < bar) for verdict in campaign.verdicts]


def _case(verdict: Verdict, fails: bool) -> Case:
    mutant, kill = verdict.mutant, verdict.kill
    name = f"{verdict.number}: {mutant.module}, line {mutant.line + 1}: {mutant.kind}"
    if kill is not None:
        return Case("mutate", name)
    said = f"{explanation(verdict)}\n- {mutant.before}\n+ {mutant.after}"
    if fails and not verdict.no_change:
        return Case("mutate", name, failure=f"survived: {said}", kind="survivor")
    return Case("mutate", name, skipped=f"survived: {said}")


def _by_kind(campaign: Campaign) -> dict[str, list[Verdict]]:
    found = {kind: [v for v in campaign.verdicts if v.mutant.kind == kind] for kind in KINDS}
    return {kind: verdicts for kind, verdicts in found.items() if verdicts}


def _checks(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many each check killed."""
    return dict(Counter(v.kill.check for v in verdicts if v.kill).most_common())


def _runs(campaign: Campaign) -> dict[str, int]:
    """How many died in each run."""
    return dict(Counter(v.run for v in campaign.killed).most_common())


def table(campaign: Campaign) -> str:
    """The report for people."""
    rows = [["kind", "mutants", "killed", "no change", "survived", "killed by"]]
    for kind, verdicts in _by_kind(campaign).items():
        rows.append(_row(kind, verdicts))
    rows.append(_row("all", campaign.verdicts))
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(row[k].rjust(widths[k]) for k in range(1, 5)), row[5]]
        )
        for row in rows
    ]
    lines += ["", *_score(campaign)]
    for verdict in campaign.survivors:
        mutant = verdict.mutant
        lines += [
            "",
            f"survivor {verdict.number}: {mutant.kind}, {mutant.module}, line {mutant.line + 1}",
            f"  - {mutant.before}",
            f"  + {mutant.after}",
            f"  {explanation(verdict)}",
        ]
    return "\n".join(lines)


def _row(kind: str, verdicts: Sequence[Verdict]) -> list[str]:
    killed = sum(v.kill is not None for v in verdicts)
    proved = sum(v.kill is None and v.no_change for v in verdicts)
    survived = len(verdicts) - killed - proved
    shown = ", ".join(f"{check} {count}" for check, count in _checks(verdicts).items())
    return [kind, *map(str, (len(verdicts), killed, proved, survived)), shown]


def _score(campaign: Campaign) -> list[str]:
    total, killed = len(campaign.verdicts), len(campaign.killed)
    changes = campaign.changes
    pace = (
        "the predicted pace is a check"
        if campaign.paced
        else ("the design does not keep the predicted pace by itself: the pace is no check")
    )
    runs = ", ".join(f"{run} {count}" for run, count in _runs(campaign).items())
    return [
        f"score   {campaign.score:.1%}: {killed} of {changes} that are a change ({runs})",
        f"        {campaign.raw_score:.1%}: {killed} of all {total}",
        f"        {campaign.sites:,} lines could be changed in {campaign.forms:,} ways; {pace}",
    ]


def write(campaign: Campaign, content: dict[str, Any], folder: Path) -> None:
    """`report.json`, `report.txt`, and a diff of the Verilog for every survivor."""
    (folder / REPORT).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / "report.txt").write_text(table(campaign) + "\n", encoding="utf-8")
    for verdict in campaign.survivors:
        emission = campaign.emission
        difference = schemata.difference(emission.verilog, verdict.mutant, emission.verilog_name)
        (folder / f"survivor_{verdict.number}.diff").write_text(difference, encoding="utf-8")
