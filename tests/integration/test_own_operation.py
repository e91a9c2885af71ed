"""The example of an operation of one's own, as its README says: from a search to equal bits."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = "examples/own_operation"
PLUGIN = ("--plugin", f"{FOLDER}/operations.py")
README = (ROOT / FOLDER / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    shiftnas (\w+ .*)$", README, re.MULTILINE)
OWN = {"mb_conv_3x3", "max_pool_5x5"}

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


def run(folder, *words, launcher=("-P", "-m", "shiftnas")):
    return subprocess.run(
        [sys.executable, *launcher, *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def done(folder, *words, **how):
    ended = run(folder, *words, **how)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What each command of the README printed, by its name; and the folder they ran in."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "examples").symlink_to(ROOT / "examples")
    names = [command.partition(" ")[0] for command in COMMANDS]
    assert names == ["search", "train", "export", "plan", "emit", "cosim"]
    return folder, {
        name: done(folder, *shlex.split(command), "--json")
        for name, command in zip(names, COMMANDS, strict=True)
    }


def test_from_a_search_to_equal_bits(told):
    folder, printed = told
    genotype = printed["search"]["genotype"]
    space = yaml.safe_load((ROOT / FOLDER / "search.yaml").read_text(encoding="utf-8"))["search"]
    for key, kind in (("normal", "normal"), ("reduce", "reduction")):
        assert len(genotype[key]) == 2 * space["nodes"]
        assert {name for name, _ in genotype[key]} <= set(space["candidates"][kind])
    assert OWN & {name for key in ("normal", "reduce") for name, _ in genotype[key]}
    cosim = printed["cosim"]
    assert cosim["mismatches"] == 0 and cosim["bits"] > 10_000 and cosim["stalled_frames"] > 0
    nodes = json.loads((folder / "runs/own-net/network.json").read_text())["nodes"]
    own = [node["name"] for node in nodes if any(name in node["name"] for name in OWN)]
    assert own and set(own) <= set(cosim["compared"])


def test_runs_record_the_plugin_and_want_it_back(told):
    folder, _ = told
    recorded = yaml.safe_load((folder / "runs/own-train/config.yaml").read_text())["plugins"]
    assert [entry["place"] for entry in recorded] == [PLUGIN[1]]
    missing = f"it was made with --plugin {PLUGIN[1]} (SHA-256 {recorded[0]['sha256'][:12]}…)"
    for words in (
        ("export", "runs/own-train", "--out", "no"),
        ("report", "runs/own", "--out", "n"),
    ):
        refused = run(folder, *words)
        assert refused.returncode == 2 and missing in refused.stderr
        assert refused.stderr.count("\n") == 1
    assert done(folder, "report", "runs/own", *PLUGIN, "--json")["report"] == "runs/own/report.html"


def test_a_plugin_that_has_changed_is_another_one(told):
    folder, _ = told
    changed = folder / "operations.py"
    text = (ROOT / PLUGIN[1]).read_text(encoding="utf-8")
    changed.write_text(text.replace("2 * channels", "3 * channels"))
    for words in (
        ("export", "runs/own-train", "--out", "no"),
        [*shlex.split(COMMANDS[0].replace(PLUGIN[1], changed.name)), "--resume"],
    ):
        own = () if PLUGIN[0] in words else ("--plugin", changed.name)
        refused = run(folder, *words, *own)
        assert refused.returncode == 2
        assert "which has changed since; put it back" in refused.stderr
        assert refused.stderr.count("\n") == 1


def test_coverage_counts_it(told):
    folder, _ = told
    words = ("cosim", "runs/own-net", "--plan", "runs/own-plan.yaml", "--coverage", "c.json")
    refused = run(folder, *words)
    assert refused.returncode == 2 and "no bin '" in refused.stderr and "--plugin" in refused.stderr
    assert not (folder / "c.json").exists()
    done(folder, *words, *PLUGIN, "--frames", "1", "--json")
    found = done(folder, "coverage", "c.json", *PLUGIN, "--json")
    hit = set(found["groups"]) and json.loads((folder / "c.json").read_text())["hits"]
    seen = {name for name, times in hit["operation"].items() if times}
    assert any(name.split()[0] in OWN for name in seen)
    refused = run(folder, "coverage", "c.json")
    assert refused.returncode == 2 and "or of other operations" in refused.stderr


def test_seeds_and_processes_load_it_too(told):
    folder, printed = told
    search = shlex.split(COMMANDS[0].replace("runs/own", "runs/seeds"))
    summary = done(folder, *search, "--seeds", "2", "--json")
    assert summary["runs"]["seed1"]["genotype"] == printed["search"]["genotype"]
    assert set(summary["runs"]) == {"seed1", "seed2"}
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "nas")
    search = shlex.split(COMMANDS[0].replace("runs/own", "runs/two"))
    assert done(folder, *search, "--json", launcher=launcher)["out"] == "runs/two"
    recorded = yaml.safe_load((folder / "runs/two/config.yaml").read_text())["plugins"]
    assert [entry["place"] for entry in recorded] == [PLUGIN[1]]
