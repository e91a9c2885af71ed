"""report."""

import json

from click.testing import CliRunner

from hw.cli import COMMANDS


def run(*arguments):
    return CliRunner().invoke(COMMANDS["report"], [str(argument) for argument in arguments])


def test_report_of_a_training(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"stage": "train", "loss": 1.5, "accuracy": 0.5}\n')
    result = run(tmp_path, "--json")
    page = tmp_path / "report.html"
    assert result.exit_code == 0 and json.loads(result.stdout) == {"report": str(page)}
    assert "<h2>Training</h2>" in page.read_text()
    page.write_text("kept")
    assert run(tmp_path).exit_code == 2 and page.read_text() == "kept"
    assert run(tmp_path, "--force").exit_code == 0 and page.read_text() != "kept"
    assert run(tmp_path, "--out", tmp_path / "other.html").exit_code == 0
    assert (tmp_path / "other.html").read_text() == page.read_text()


def test_report_of_something_else(tmp_path):
    result = run(tmp_path)
    assert result.exit_code == 2 and str(tmp_path) in result.stderr
    assert list(tmp_path.iterdir()) == []
