"""Commands that are stopped from outside, or find a full disk, leave nothing behind."""

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="looks into /proc"),
]

SHIFTNAS = [sys.executable, "-m", "shiftnas"]
SIZES = ("--channels", "1", "--cells", "1", "--image", "4x4x1", "--classes", "2")
LONG = ("--frames", "20000", "--stall", "0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a network, a plan, and the model of a simulation in the cache."""
    place = tmp_path_factory.mktemp("ends")
    call(place, "network", "--genotype", "ShiftNAS_C10", *SIZES, "--out", "net")
    call(place, "plan", "net", "--board", "ulx3s-85f")
    call(place, "emit", "net", "--plan", "plan.yaml", "--out", "rtl")
    call(
        place,
        "cosim",
        "net",
        "--plan",
        "plan.yaml",
        "--rtl",
        "rtl",
        "--frames",
        "2000",
        "--stall",
        "0",
    )
    return place


def call(place, *arguments, limit=None, **variables):
    """Run a command; `limit`: on file sizes."""

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [*SHIFTNAS, *arguments],
        cwd=place,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=limit is None and not variables,
        preexec_fn=limited if limit is not None else None,
    )


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def simulator(parent: subprocess.Popen) -> int:
    """Process id of the simulator that `parent` has started, when it runs."""
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    while parent.poll() is None:
        for child in children.read_text().split():
            with suppress(FileNotFoundError):  # it has ended meanwhile
                if Path(f"/proc/{child}/exe").readlink().name == "model":
                    return int(child)
        time.sleep(0.1)
    pytest.fail(f"no simulator: {parent.communicate()}")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)],
)
def test_a_signal_ends_the_simulator_too(folder, tmp_path, number, code):
    out = tmp_path / "out"
    arguments = ("cosim", "net", "--plan", "plan.yaml", "--rtl", "rtl", *LONG, "--out", str(out))
    with subprocess.Popen(
        [*SHIFTNAS, *arguments],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        # As a shell does it for what runs in the foreground.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            child = simulator(process)
            # The simulator's own Python has begun when frames come out.
            while not any(path.stat().st_size for path in tmp_path.rglob("sink_0.txt")):
                assert process.poll() is None and running(child)
                time.sleep(0.1)
            process.send_signal(number)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == code
    end = time.monotonic() + 30
    while running(child) and time.monotonic() < end:
        time.sleep(0.1)
    assert not running(child)
    if number != signal.SIGKILL:  # of which nobody hears
        assert errors.endswith("shiftnas: interrupted\n") and "Traceback" not in errors
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "limit", "what"),
    [
        (("emit", "net", "--plan", "plan.yaml", "--out", "new"), 4096, "temporary files in /"),
        (("plan", "net", "--board", "ulx3s-85f", "--out", "new.yaml"), 1000, "new.yaml: "),
        (("synth", "net", "--rtl", "rtl"), 20_000, "cache: /"),
        (("cosim", "net", "--plan", "plan.yaml", "--rtl", "rtl", "--frames", "3000",
          "--out", "run"), 20_000, "run: "),
    ],
)  # fmt: skip
def test_a_limit_on_file_sizes_is_one_line(folder, tmp_path, arguments, limit, what):
    before = sorted(path.name for path in folder.iterdir())
    cache = {} if arguments[0] == "cosim" else {"XDG_CACHE_HOME": str(tmp_path)}
    done = call(folder, *arguments, limit=limit, **cache)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert last.startswith(f"shiftnas: error: {what}"), last
    assert "File too large; raise the limit on file sizes (ulimit -f)" in last
    assert sorted(path.name for path in folder.iterdir()) == before
    assert [path for path in tmp_path.rglob("*") if path.name.startswith(".new-")] == []


def test_a_full_standard_output(folder):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*SHIFTNAS, "genotypes"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        "shiftnas: error: standard output: No space left on device; free some space there or choose"
        " another place\n"
    )
