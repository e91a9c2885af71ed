"""The table of proofs: choosing from it, keeping results, and the command on top."""

import json
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from formal_support import mutate

from hw.dataflow.layers import streams
from hw.errors import CheckFailed, InputError
from sim.commands.prove import prove as command
from sim.formal.proof import prove
from sim.formal.proofs import PROOFS, select


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(*arguments):
    return CliRunner().invoke(command, arguments, standalone_mode=False)


def test_select():
    assert select(()) == list(PROOFS.values())
    assert [proof.name for proof in select(("skid", "fork-*"))] == ["skid", "fork-2", "fork-3"]
    with pytest.raises(InputError, match="nope: no proof of this name"):
        select(("skid", "nope"))


def test_result_is_kept_and_says_so(own_cache):
    first, _ = prove(PROOFS["skid"])
    again, _ = prove(PROOFS["skid"])
    fresh, _ = prove(PROOFS["skid"], fresh=True)
    assert (first.cached, again.cached, fresh.cached) == (False, True, False)
    assert again.seconds == first.seconds
    assert again.rules == first.rules and again.covers == first.covers


def test_a_kept_result_is_not_that_of_another_design(own_cache, monkeypatch):
    assert prove(PROOFS["skid"])[0].proved
    mutate(monkeypatch, streams.Skid.elaborate, "self.i.valid | ~ready", "self.i.valid")
    result, _ = prove(PROOFS["skid"])
    assert not result.proved and not result.cached


def test_command_lists():
    result = run("--list", "--json", "fork-*")
    assert list(json.loads(result.stdout)) == ["fork-2", "fork-3"]


@pytest.mark.parametrize("option", [["--fresh"], ["--out", "x"], ["--junit", "x.xml"]])
def test_a_list_takes_nothing_that_is_for_proofs(option):
    result = run("--list", *option)
    assert isinstance(result.exception, InputError) or result.exit_code == 2
    assert f"{option[0]}: --list proves nothing" in str(result.exception) + result.output


def test_command_reports(own_cache):
    result = run("skid", "--json")
    content = json.loads(result.stdout)
    assert (content["proofs"], content["proved"], content["cached"]) == (1, 1, 0)
    (skid,) = content["results"]
    assert skid["depth"] == 1 and "right_beat" in skid["rules"] and skid["failure"] is None


def test_command_shows_and_keeps_the_counterexample(own_cache, tmp_path, monkeypatch):
    mutate(monkeypatch, streams.Skid.elaborate, "self.i.valid | ~ready", "self.i.valid")
    out, report = tmp_path / "out", tmp_path / "report.xml"
    result = run("skid", "--out", str(out), "--junit", str(report))
    assert isinstance(result.exception, CheckFailed)
    assert "1 of 1 proofs fail: skid" in str(result.exception)
    assert "a run from reset breaks" in result.stdout
    assert "i_payload" in result.stdout and "cycle" in result.stdout
    assert (out / "skid.vcd").read_text().startswith("$version")
    (case,) = ElementTree.parse(report).getroot().iter("testcase")
    assert (case.get("classname"), case.get("name")) == ("prove", "skid")
    assert case[0].get("type") == "counterexample" and "i_payload" in (case[0].text or "")
