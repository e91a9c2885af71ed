"""JUnit XML: what a command has checked, a test case each, as Jenkins, GitLab and others read it.

A report has a failure exactly where the command's exit code is 1. It is written when the command is
done, whether its checks held or not; where the command was refused or interrupted there is none,
nor one of an earlier run.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from hw import outputs
from hw.errors import CheckFailed

MARKS = (b"<testsuites ", b'name="shiftnas ')
"""What a report of ours can be told by."""

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML may hold."""


@dataclass(frozen=True)
class Case:
    """A test case: one thing that was checked.

    Parameters
    ----------
    group: what it is called among others of its sort, JUnit's class name
    name: of the case in its group
    seconds: that it took, where it is known for itself
    failure: what was found, with its list of lines if it has one; "": nothing
    kind: of the failure
    skipped: why it says nothing; "": it does
    """

    group: str
    name: str
    seconds: float = 0.0
    failure: str = ""
    kind: str = "check"
    skipped: str = ""


@contextmanager
def report(path: Path | None, command: str) -> Iterator[list[Case]]:
    """Writes the cases that the block adds, also where a check fails in it.

    `path` is what `require_absent` allows; None: nothing is written.

    Raises
    ------
    CheckFailed: that of the block, or the block has checked nothing
    """
    if path is not None:
        path.unlink(missing_ok=True)
    cases: list[Case] = []
    start = time.monotonic()
    try:
        yield cases
        if not cases:
            raise CheckFailed(f"{command}: nothing was checked")
    except CheckFailed as error:
        if not any(case.failure for case in cases):
            cases.append(Case(command, command, failure=text(error)))
        _write(path, command, cases, time.monotonic() - start)
        raise
    _write(path, command, cases, time.monotonic() - start)


def text(error: CheckFailed) -> str:
    """A failure's message and its lines."""
    return "\n".join([str(error), *error.lines])


def _write(path: Path | None, command: str, cases: list[Case], seconds: float) -> None:
    if path is None:
        return
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(bool(case.failure) for case in cases)),
        "errors": "0",
        "skipped": str(sum(bool(case.skipped) for case in cases)),
        "time": f"{seconds:.3f}",
    }
    root = Element("testsuites", {"name": f"shiftnas {command}", **counts})
    suite = SubElement(root, "testsuite", {"name": command, **counts})
    for case in cases:
        facts = {"classname": case.group, "name": case.name, "time": f"{case.seconds:.3f}"}
        element = SubElement(suite, "testcase", _clean(facts))
        if case.failure:
            first = case.failure.split("\n", 1)[0]
            failure = SubElement(element, "failure", _clean({"type": case.kind, "message": first}))
            failure.text = _NO_XML.sub("\ufffd", case.failure)
        elif case.skipped:
            SubElement(element, "skipped", _clean({"message": case.skipped}))
    ElementTree.indent(root)
    body = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    outputs.write_atomic(path, body + b"\n")


def _clean(attributes: dict[str, str]) -> dict[str, str]:
    return {name: _NO_XML.sub("\ufffd", value) for name, value in attributes.items()}
