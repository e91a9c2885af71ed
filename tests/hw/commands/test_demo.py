"""The demo: what it calls, what it keeps, what it concludes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import shiftnas
from hw.commands import demo
from hw.commands import ledger as ledgers
from hw.errors import InputError
from hw.networks import genotypes

RESULTS = {
    "search": {"genotype": genotypes.to_mapping(genotypes.get("ShiftNAS_C10"))},
    "train": {"accuracy": 0.87},
    "export": {"accuracy_float": 0.87, "accuracy_integer": 0.868, "split": "test", "weights": 1234},
    "plan": {"lut": 23000, "ff": 10000, "ram_bits": 70000, "clock_mhz": 50.0, "fps": 560.0},
    "emit": {"files": []},
    "cosim": {
        "frames": 40,
        "stalled_frames": 20,
        "bits": 2000,
        "mismatches": 0,
        "cycles_per_frame": 28000,
    },
    "bitstream": {
        "clock_mhz": 50.0,
        "fmax_mhz": 61.5,
        "fps": 2000.0,
        "lut": 15000,
        "ff": 9000,
        "ram_bits": 50000,
        "dsp": 0,
        "layers": [{"name": "classifier", "lut": 10, "ff": 5, "ram_bits": 0, "dsp": 0}],
    },
}


@pytest.fixture
def calls(monkeypatch):
    """Commands that do nothing but leave an output; `results` may be changed by the test."""
    made = []

    def call(arguments, command):
        made.append(tuple(arguments))
        if arguments[0] == "report":
            return {"report": f"{arguments[1]}/report.html"}, True
        if "--out" in arguments:
            target = Path(arguments[arguments.index("--out") + 1])
            if target.suffix:
                target.write_text("plan")
            else:
                target.mkdir(exist_ok=True)
                (target / "file").write_text(arguments[0])
        return results[arguments[0]], arguments[0] not in results["missed"]

    results = {name: dict(result) for name, result in RESULTS.items()} | {"missed": set()}
    monkeypatch.setattr(ledgers, "call", call)
    monkeypatch.setattr(demo, "call", call)
    made.append(results)
    return made


def run(*arguments):
    return CliRunner().invoke(demo.demo, [str(argument) for argument in arguments])


def test_the_whole_way(tmp_path, calls):
    out = tmp_path / "out"
    result = run("--out", out, "--data", "digits", "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    names = [step["name"] for step in content["steps"]]
    assert names == [
        "search", "train", "export",
        "overlay plan", "overlay emit", "overlay cosim", "overlay bitstream",
        "dataflow plan", "dataflow emit", "dataflow cosim",
    ]  # fmt: skip
    table = content["table"]
    assert table["weights"] == 1234
    overlay, dataflow = table["designs"]
    for design in (overlay, dataflow):
        assert design["frames"] == 40 and design["bits"] == 2000 and design["mismatches"] == 0
    assert overlay["lut"] == 15000 and overlay["fmax_mhz"] == 61.5
    assert dataflow["lut"] == 23000 and "fmax_mhz" not in dataflow
    assert all(check["passed"] for check in table["checks"]) and len(table["checks"]) == 5
    assert calls[-1] == ("report", str(out), "--force")


def test_dataflow_hardware_is_routed_where_that_is_asked_for(tmp_path, calls):
    result = run("--out", tmp_path, "--data", "digits", "--route-dataflow", "--json")
    content = json.loads(result.stdout)
    assert content["steps"][-1]["name"] == "dataflow bitstream"
    assert content["table"]["designs"][1]["fmax_mhz"] == 61.5
    assert len(content["table"]["checks"]) == 7


def test_the_second_run_keeps_every_step(tmp_path, calls):
    run("--out", tmp_path, "--data", "digits")
    first = len(calls)
    result = run("--out", tmp_path, "--data", "digits", "--json")
    assert [call[0] for call in calls[first:]] == ["report"]
    assert all(step["kept"] for step in json.loads(result.stdout)["steps"])
    run("--out", tmp_path, "--data", "digits", "--force")
    assert len(calls) == 2 * first


def test_another_plan_keeps_search_training_and_export(tmp_path, calls):
    run("--out", tmp_path, "--data", "digits")
    first = len(calls)
    (tmp_path / "overlay-plan.yaml").write_text("edited")
    run("--out", tmp_path, "--data", "digits")
    redone = [call[0] for call in calls[first:]]
    assert redone[0] == "plan" and "search" not in redone


@pytest.mark.parametrize(
    ("command", "key", "value", "missed"),
    [
        ("bitstream", "dsp", 1, "overlay: no DSP block"),
        ("bitstream", "fmax_mhz", 49.9, "overlay: timing met at 50 MHz"),
        ("export", "accuracy_integer", 0.855, "integer accuracy within 1 point of float"),
        ("cosim", "mismatches", 1, "overlay: every bit equal"),
        ("cosim", "bits", 0, "overlay: every bit equal"),
    ],
)
def test_a_missed_condition_is_told_at_the_end(tmp_path, calls, command, key, value, missed):
    calls[0][command][key] = value
    result = run("--out", tmp_path, "--data", "digits")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(f"shiftnas: error: missed: {missed}")
    assert "MISSED" in result.stdout and calls[-1][0] == "report"


def test_a_command_with_exit_code_1_is_told_at_the_end(tmp_path, calls):
    calls[0]["missed"].add("bitstream")
    result = run("--out", tmp_path, "--data", "digits")
    assert result.exit_code == 1 and "missed: `shiftnas bitstream" in result.stderr
    assert calls[-1][0] == "report"


def test_every_command_called_is_a_public_one(tmp_path):
    way = demo.steps(
        tmp_path,
        data_set="digits",
        config="digits",
        board="ulx3s-85f",
        lanes=64,
        fps=500,
        route_dataflow=True,
        frames=2,
        stall=0.3,
        seed=1,
    )
    for step in way:
        command = shiftnas.shiftnas.get_command(None, step.arguments[0])
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in step.arguments if word.startswith("--")} <= known, step.name
        assert "--json" in known
        if step.writes is not None:
            assert "--force" in known
        if step.checkpoint:
            assert "--resume" in known
        assert set(step.code) and all((ledgers.ROOT / path).exists() for path in step.code)


def test_a_folder_of_something_else_is_left_alone(tmp_path, calls):
    (tmp_path / "thesis.txt").write_text("precious")
    result = run("--out", tmp_path, "--data", "digits")
    assert result.exit_code == 2 and "something other than a demo" in result.stderr
    assert len(calls) == 1


def test_wrong_calls(tmp_path, calls):
    for arguments, part in (
        (("--board", "none"), "none"),
        (("--data", "nowhere"), "nowhere"),
        (("--frames", "0"), "--frames"),
    ):
        result = run("--out", tmp_path / "out", *arguments)
        assert result.exit_code == 2 and part in result.stderr
        assert result.stderr.count("\n") == 1
        assert not (tmp_path / "out").exists()


# --- which data


@pytest.fixture
def machine(monkeypatch):
    """A machine whose state the test sets: what is installed, who we are, whether apt-get works."""
    state = {"fashion": False, "root": True, "apt": True, "ran": []}

    def run_apt(command, **options):
        state["ran"].append(command[:2])
        if not state["apt"]:
            raise OSError("no network")
        if command[1] == "install":
            state["fashion"] = True
        return demo.subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(demo.data, "is_available", lambda name: state["fashion"])
    monkeypatch.setattr(demo.os, "geteuid", lambda: 0 if state["root"] else 1000)
    monkeypatch.setattr(demo.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(demo.subprocess, "run", run_apt)
    return state


def test_fashion_where_it_is(machine):
    machine["fashion"] = True
    assert demo.choose_data(None) == "fashion" and machine["ran"] == []


def test_fashion_where_it_can_be_installed(machine, capsys):
    assert demo.choose_data(None) == "fashion"
    assert machine["ran"] == [["apt-get", "install"]]
    assert "apt-get install dataset-fashion-mnist" in capsys.readouterr().err


def test_digits_with_a_notice_where_it_cannot(machine, capsys):
    machine["apt"] = False
    assert demo.choose_data(None) == "digits"
    assert [words[1] for words in machine["ran"]] == ["install", "update"]
    assert "NOTICE: using scikit-learn's digits" in capsys.readouterr().err
    machine.update(root=False, ran=[])
    assert demo.choose_data(None) == "digits" and machine["ran"] == []


def test_data_asked_for(machine, tmp_path):
    machine["fashion"] = True
    assert demo.choose_data("mnist5k") == "mnist5k"
    for wrong in (str(tmp_path), "nowhere"):
        with pytest.raises(InputError, match=wrong):
            demo.choose_data(wrong)
    assert machine["ran"] == []
