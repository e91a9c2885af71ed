"""Mutants of a small network: killed, survived, proved to be none; number 0 changes nothing."""

import dataclasses
import json
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from hw.dataflow import plan_file
from hw.dataflow.design.design import design
from hw.errors import CheckFailed, InputError
from hw.ir import serialize
from hw.verilog.statements import read
from shiftnas import subcommand
from sim.cosim import Subject, cosim
from sim.mutation import campaign, report, schemata
from sim.mutation.campaign import Campaign, Verdict
from sim.mutation.sites import Mutant
from sim.mutation.trial import Kill
from sim.stimuli import Stimuli, random_images

TOP = "shiftnas_top"


QUEUE = f"{TOP}.cell0.node2.fifo1.queue"


@pytest.fixture(scope="module")
def planted(hardware) -> list[Mutant]:
    """A FIFO that is full one beat early, and a line that says the same in another way."""
    module = read(hardware.emission.verilog)[QUEUE]

    def changed(target: str, value: str) -> Mutant:
        found = next(s for s in module.statements if s.target == target)
        before, after = (f"assign {target} = {v};" for v in (found.value, value))
        return Mutant("handshake", QUEUE, found.line, before, after.replace("SAME", found.value))

    return [changed("w_rdy", "SAME & level != 4'he"), changed("r_rdy", "1'h1 & (SAME)")]


@pytest.mark.slow
def test_planted_mutants(hardware, planted):
    found = campaign.run(
        hardware.network, hardware.design, mutants=planted, jobs=2, prove_seconds=20
    )
    (killed,), (survivor,) = found.killed, found.survivors
    assert killed.kill is not None
    assert (killed.number, killed.run, killed.layer) == (1, "network", "cell0/node2")
    assert (killed.kill.check, killed.kill.layer) == ("fifo", "cell0/node2")
    assert (survivor.number, survivor.equivalent) == (2, QUEUE)
    assert (found.score, found.raw_score) == (1, 0.5)
    content = report.as_dict(found)
    assert (content["survived"], content["equivalent"]) == (1, 1)
    assert "no change: proved" in content["verdicts"][1]["explanation"]
    assert f"survivor 2: handshake, {QUEUE}" in report.table(found)


@pytest.mark.slow
def test_number_0_is_the_design_as_it_was(hardware, tmp_path):
    """Every cycle of it."""
    network, plan = hardware.network, hardware.plan
    chosen = campaign.choose(hardware.emission, 60, 5)
    text = schemata.combine(hardware.emission.verilog, chosen)
    files = schemata.BESIDE | {"shiftnas_top.v": text}
    combined = dataclasses.replace(hardware.emission, files=files)
    stimuli = Stimuli(random_images(network, 3, 1), stall=0.3)
    first, second = (
        cosim(
            network,
            design(network, plan),
            stimuli,
            Subject(emission=emission),
            folder=tmp_path / name,
        )
        for name, emission in (("plain", hardware.emission), ("combined", combined))
    )
    assert first.cycles == second.cycles
    for file in sorted((tmp_path / "plain").glob("tap_*.bin")):
        assert file.read_bytes() == (tmp_path / "combined" / file.name).read_bytes()


def test_broken_design_is_no_campaign(hardware):
    plan = dataclasses.replace(hardware.plan, fifos=hardware.plan.fifos | {"cell0/node2": (2, 2)})
    with pytest.raises(CheckFailed, match="hang"):
        campaign.run(hardware.network, design(hardware.network, plan), mutants=1, frames=1)


@pytest.mark.slow
def test_command(hardware, tmp_path):
    """Some mutants; the same ones, the same verdicts as in JSON, in text, in the folder."""
    serialize.save(hardware.network, tmp_path / "net")
    plan_file.save(hardware.plan, tmp_path / "plan.yaml")
    arguments = [
        tmp_path / "net", "--plan", tmp_path / "plan.yaml", "--mutants", 5, "--seed", 2,
        "--prove", 5, "--out", tmp_path / "out", "--bar", 0.5, "--json",
        "--junit", tmp_path / "report.xml",
    ]  # fmt: skip
    result = CliRunner().invoke(subcommand("mutate"), list(map(str, arguments)))
    assert result.exit_code == 0, result.stderr
    content = json.loads(result.stdout)
    verdicts = content["verdicts"]
    assert len(verdicts) == content["mutants"] == 5
    assert content["killed"] == sum(v["killed"] for v in verdicts) >= 3
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == content
    expected = campaign.choose(hardware.emission, 5, 2)
    assert [(v["line"] - 1, v["after"]) for v in verdicts] == [(m.line, m.after) for m in expected]
    diffs = {path.name for path in (tmp_path / "out").glob("*.diff")}
    assert diffs == {f"survivor_{v['number']}.diff" for v in verdicts if not v["killed"]}
    assert "score" in (tmp_path / "out" / "report.txt").read_text()
    # A case for each mutant; above the bar survivors are left out of it, with the reason.
    cases = list(ElementTree.parse(tmp_path / "report.xml").getroot().iter("testcase"))
    assert [[inside.tag for inside in case] for case in cases] == [
        [] if v["killed"] else ["skipped"] for v in verdicts
    ]


def test_report_below_the_bar_has_survivors_as_failures(hardware):
    mutants = campaign.choose(hardware.emission, 3, 1)
    verdicts = [Verdict(number, mutant, "") for number, mutant in enumerate(mutants, start=1)]
    verdicts[0] = dataclasses.replace(verdicts[0], kill=Kill("hang", "a", "a hangs"))
    verdicts[1] = dataclasses.replace(verdicts[1], equivalent="top")
    found = Campaign(hardware.emission, 1, 1, True, 1, tuple(verdicts))
    assert found.score == 0.5
    for bar, failures in ((0.6, [False, False, True]), (0.5, [False, False, False])):
        cases = report.cases(found, bar)
        assert [bool(case.failure) for case in cases] == failures
    assert [bool(case.skipped) for case in report.cases(found, 0.5)] == [False, True, True]


def test_a_score_of_no_change_is_no_pass(hardware):
    """All mutants are proved to be none."""
    mutants = campaign.choose(hardware.emission, 2, 1)
    verdicts = [Verdict(n, mutant, "", equivalent="top") for n, mutant in enumerate(mutants, 1)]
    found = Campaign(hardware.emission, 1, 1, True, 1, tuple(verdicts))
    assert (found.changes, found.score) == (0, 0.0)
    with pytest.raises(InputError, match="mutants: none; expected one or more"):
        campaign.run(hardware.network, hardware.design, mutants=[])
