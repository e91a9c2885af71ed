"""Two processes and one run."""

import fcntl
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from hw.errors import InputError
from nas.cli import COMMANDS
from nas.lock import LOCK, FolderLock

ROOT = Path(__file__).parents[2]
HOLD = (
    "import sys; from pathlib import Path; from nas.lock import FolderLock\n"
    "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def held(tmp_path):
    """A folder that another process holds, and the process."""
    folder = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield folder, process
        process.kill()


def test_a_second_process_is_told_which_one_is_at_work(held):
    folder, process = held
    with pytest.raises(InputError) as caught:
        FolderLock(folder)
    assert f"{folder}: process {process.pid} on " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_lock_ends_with_its_process(held):
    folder, process = held
    process.kill()
    process.wait()
    with closing(FolderLock(folder)):
        assert (folder / LOCK).read_text().startswith(f"process {os.getpid()} on ")
    FolderLock(folder).close()


SMALL = ("--data", "digits", "--config", "tiny", "--set", "search.images=64")


@pytest.mark.parametrize("flags", [(), ("--resume",), ("--force",), ("--force", "--seeds", "1")])
@pytest.mark.parametrize("command", [("search",), ("train", "--genotype", "GDAS_V1")])
def test_no_command_touches_a_run_that_is_at_work(held, command, flags):
    folder, process = held
    if flags == ("--resume",):
        (folder / "config.yaml").write_text("not to be read")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    name, *rest = command
    result = CliRunner().invoke(COMMANDS[name], [*rest, *SMALL, "--out", str(folder), *flags])
    assert result.exit_code == 2, result.output
    assert f"process {process.pid} on " in result.output.splitlines()[-1]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_seeds_at_work_are_not_removed(held):
    folder, process = held
    out = folder.parent / "seeds"
    out.mkdir()
    (out / "seed1").symlink_to(folder)
    (folder / "config.yaml").write_text("kind: search\n")
    result = CliRunner().invoke(
        COMMANDS["search"], [*SMALL, "--out", str(out), "--force", "--seeds", "1"]
    )
    assert result.exit_code == 2
    assert f"process {process.pid} on " in result.output
    assert (folder / "config.yaml").exists()


def test_a_finished_command_leaves_the_folder_to_the_next(tmp_path):
    arguments = [*SMALL, "--out", str(tmp_path / "run"), "--strategy", "random"]
    for more in ([], ["--resume"], ["--force"]):
        result = CliRunner().invoke(COMMANDS["search"], [*arguments, *more])
        assert result.exit_code == 0, result.output
        FolderLock(tmp_path / "run").close()


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, capsys):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    FolderLock(tmp_path).close()
    assert capsys.readouterr().err == (
        f"{tmp_path / LOCK}: no locks here (Operation not supported): see to it that no other "
        "process writes this folder\n"
    )
