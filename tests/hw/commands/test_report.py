"""report."""

import json

import sample_runs
from click.testing import CliRunner

from hw import outputs
from shiftnas import subcommand


def run(*arguments):
    return CliRunner().invoke(subcommand("report"), [str(argument) for argument in arguments])


def test_report_of_a_training(tmp_path):
    (tmp_path / "log.jsonl").write_text(
        '{"stage": "train", "epoch": 1, "loss": 1.5, "accuracy": 0.5}\n'
    )
    result = run(tmp_path, "--json")
    page = tmp_path / "report.html"
    assert result.exit_code == 0 and json.loads(result.stdout) == {"report": str(page)}
    assert "<h2>Training</h2>" in page.read_text()
    old = page.read_text() + "<!-- old -->"
    page.write_text(old)
    assert run(tmp_path).exit_code == 2 and page.read_text() == old
    assert run(tmp_path, "--force").exit_code == 0 and page.read_text() != old
    assert run(tmp_path, "--out", tmp_path / "other.html").exit_code == 0
    assert (tmp_path / "other.html").read_text() == page.read_text()
    page.write_text("kept")
    assert run(tmp_path, "--force").exit_code == 2 and page.read_text() == "kept"


def test_report_of_something_else(tmp_path):
    result = run(tmp_path)
    assert result.exit_code == 2 and str(tmp_path) in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_plots_are_files_of_their_own(tmp_path):
    run_folder = sample_runs.write_run(tmp_path / "run", sample_runs.train_log(2), kind="train")
    plots = tmp_path / "plots"
    result = run(run_folder, "--plots", plots, "--json")
    assert result.exit_code == 0, result.stderr
    listed = json.loads(result.stdout)["plots"]
    names = ["cell-normal", "cell-reduction", "training-accuracy", "training-loss"]
    names.append("training-learning-rate")
    assert sorted(listed) == sorted(
        str(plots / f"{name}.{form}") for name in names for form in ("svg", "png")
    )
    assert sorted(map(str, plots.iterdir())) == sorted([*listed, str(plots / outputs.MARKER)])
    # Nothing is replaced, and nothing else written, without --force.
    again = run(run_folder, "--plots", plots, "--out", tmp_path / "new.html")
    assert again.exit_code == 2 and "plots: exists already" in again.stderr
    assert not (tmp_path / "new.html").exists()


def test_a_damaged_log_is_one_line_and_leaves_nothing(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"stage": "train", "epoch": 1}\n{"stage": "tr')
    result = run(tmp_path, "--plots", tmp_path / "plots")
    assert result.exit_code == 2 and "log.jsonl: line 2: " in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
