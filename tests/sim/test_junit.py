"""JUnit reports: what consumers ask for, red exactly where the command fails, never half."""

from xml.etree import ElementTree

import pytest

from hw.errors import CheckFailed, InputError
from sim import junit
from sim.junit import Case

COUNTS = ["tests", "failures", "errors", "skipped", "time"]


def read(path) -> tuple[dict[str, str], list[ElementTree.Element]]:
    """The suite's attributes and its cases; the form is what Jenkins' and GitLab's readers want."""
    assert path.read_bytes().startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    root = ElementTree.parse(path).getroot()
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    assert list(suite.attrib) == ["name", *COUNTS]
    assert [root.get(name) for name in COUNTS] == [suite.get(name) for name in COUNTS]
    cases = list(suite)
    for case in cases:
        assert case.tag == "testcase" and list(case.attrib) == ["classname", "name", "time"]
        assert float(case.attrib["time"]) >= 0
        assert [inside.tag for inside in case] in ([], ["failure"], ["skipped"])
    tags = [inside.tag for case in cases for inside in case]
    counts = (len(cases), tags.count("failure"), 0, tags.count("skipped"))
    assert tuple(int(suite.attrib[name]) for name in COUNTS[:4]) == counts
    return suite.attrib, cases


def test_cases(tmp_path):
    path = tmp_path / "report.xml"
    with pytest.raises(CheckFailed), junit.report(path, "fuzz") as cases:
        cases.append(Case("fuzz.network", "case 1", 1.25))
        cases.append(Case("fuzz", "case 2", failure="hang: <&>\nfull FIFO: a\x00b", kind="hang"))
        cases.append(Case("fuzz", "case 3", skipped="no change"))
        raise CheckFailed("fuzz: 1 of 3 cases failed")
    suite, (first, second, third) = read(path)
    assert suite["name"] == "fuzz"
    assert first.attrib == {"classname": "fuzz.network", "name": "case 1", "time": "1.250"}
    assert second[0].attrib == {"type": "hang", "message": "hang: <&>"}
    assert second[0].text == "hang: <&>\nfull FIFO: a\ufffdb"
    assert third[0].attrib == {"message": "no change"}


def test_a_command_that_fails_is_red_whatever_its_cases_are(tmp_path):
    path = tmp_path / "report.xml"
    with pytest.raises(CheckFailed), junit.report(path, "cosim") as cases:
        cases.append(Case("cosim", "a"))
        raise CheckFailed("cosim: cycles: 3 in icarus, 4 in verilator", ["look"])
    _, (_, last) = read(path)
    assert last.get("name") == "cosim" and last[0].text == (
        "cosim: cycles: 3 in icarus, 4 in verilator\nlook"
    )


def test_a_command_that_checks_nothing_fails(tmp_path):
    path = tmp_path / "report.xml"
    with pytest.raises(CheckFailed, match="prove: nothing was checked"):
        with junit.report(path, "prove"):
            pass
    assert len(read(path)[1]) == 1
    with pytest.raises(CheckFailed, match="nothing was checked"), junit.report(None, "prove"):
        pass


@pytest.mark.parametrize("error", [InputError("no such plan"), KeyboardInterrupt()])
def test_none_is_left_of_a_command_that_was_refused_or_interrupted(tmp_path, error):
    path = tmp_path / "report.xml"
    with junit.report(path, "cosim") as cases:
        cases.append(Case("cosim", "a"))
    assert path.is_file()
    with pytest.raises(type(error)), junit.report(path, "cosim") as cases:
        cases.append(Case("cosim", "a"))
        raise error
    assert not path.exists()
