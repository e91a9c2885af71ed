"""The tally: sums, kinds, which values were hit."""

from dataclasses import replace
from pathlib import Path

from sim.fuzz.plan_edits import PlanEdits
from sim.fuzz.run import Failure, Outcome
from sim.fuzz.tally import Tally, values_of
from sim.fuzz.workers import Result


def test_sums_and_failures(case):
    tally = Tally()
    tally.add(Result(Outcome(case, frames=4, beats=10, bits=80, layers=9, number=0, refused=2)))
    failed = Outcome(case, failure=Failure("mismatch", "one bit"), number=1)
    tally.add(Result(failed, folder=Path("fuzz/case-1"), said="one bit"))
    content = tally.as_dict()
    assert (content["cases"], content["failed"], content["mismatches"]) == (2, 1, 1)
    assert (content["refused"], content["bits"], content["frames"]) == (2, 80, 4)
    (failure,) = content["failures"]
    assert (failure["number"], failure["kind"], failure["folder"]) == (1, "mismatch", "fuzz/case-1")
    assert content["hits"]["operation/stride"]["max_pool_3x3/2"] == 2
    assert "max_pool_3x3/1" in content["missing"]["operation/stride"]


def test_values_of_a_case(case):
    case = replace(case, image=(1, 4, 1), paper=True, stall=0.9, plan=PlanEdits(fifos="deadlock"))
    values = values_of(case)
    # The normal cell is not built, and what nobody reads is not counted.
    assert values["operation/stride"] == {"max_pool_3x3/2", "skip_connect/1", "skip_connect/2"}
    assert values["shortest side"] == {1}
    assert values["activation bits"] == {"paper"}
    assert values["plan: fifos"] == {"deadlock"}
    assert values["stalls"] == {"0.5 and more"}
