"""Running a case: right hardware passes, every kind of failure gets its name."""

from dataclasses import replace

import pytest

from hw.errors import CheckFailed, InputError
from sim.fuzz import run as running
from sim.fuzz.run import Failure, Refused, failure_of, run
from sim.simulation import Finding, RunFailed


def test_right_hardware_passes(case):
    outcome = run(replace(case, frames=("noise", "full"), stall=0.5))
    assert outcome.failure is None
    assert (outcome.frames, outcome.layers) == (4, 11)
    assert outcome.bits > outcome.beats > 0
    assert outcome.cpu_seconds > 0


@pytest.mark.slow
@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("level", ["network", "cell", "op", "pe"])
def test_every_level_with_fixed_and_with_loaded_weights(case, level, loaded):
    case = replace(case, level=level, loaded=loaded, negative=0.5, frames=("noise",), stall=0.5)
    outcome = run(case)
    assert outcome.failure is None and outcome.bits > 0


def test_wrong_hardware_is_a_mismatch(case, wrong_maximum):
    failure = run(case).failure
    assert failure is not None
    assert failure.kind == "mismatch"
    assert failure.message.startswith("cosim: cell0/edge0_max_pool_3x3/pool: frame 0, pixel")


def test_refusal_is_no_failure(case, monkeypatch):
    monkeypatch.setattr("hw.networks.random_network.LEAST_RANGE", 2.0)
    with pytest.raises(Refused, match="range used"):
        run(case)


def test_error_of_a_valid_case_is_a_failure_with_its_place(case, monkeypatch):
    def broken(design):
        return [][0]

    monkeypatch.setattr("hw.verilog.emit.emit", broken)
    failure = run(case).failure
    assert failure is not None
    assert failure.kind.startswith("emit: IndexError in tests/sim/fuzz/test_run.py:broken")


def test_time_limit(case, monkeypatch):
    def endless(design):
        while True:
            pass

    monkeypatch.setattr("hw.verilog.emit.emit", endless)
    failure = run(case, time_limit=1).failure
    assert failure == Failure("emit: time", "not done after 1 s")


@pytest.mark.parametrize(
    ("check", "kind"),
    [
        ("difference", "mismatch"),
        ("stream rule", "protocol"),
        ("hang", "hang"),
        ("fifo", "fifo"),
        ("reset", "reset"),
        ("load", "load"),
    ],
)
def test_kinds_of_failed_checks(check, kind):
    error = RunFailed("cosim: a/b: wrong", (), Finding(check, "a/b"))
    assert failure_of("cosim", error) == Failure(kind, "cosim: a/b: wrong")


def test_what_the_simulator_rejects():
    error = CheckFailed("verilator_bin rejects the design: %Error")
    assert failure_of("cosim", error) == Failure("rejected", str(error))


def test_other_errors_are_told_apart_by_stage_type_and_place():
    failure = failure_of("plan", InputError("case: plan:\nfifos"))
    assert failure.kind == "plan: InputError in ?"
    assert failure.message == "plan: InputError: case: plan: fifos (in ?)"
    assert running.TIME_LIMIT_S > 60
