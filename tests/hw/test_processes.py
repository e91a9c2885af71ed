"""Programs end with their caller, and full disks are told."""

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hw import console, processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
TREE = ["sh", "-c", "sleep 600 & echo $!; wait"]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pid: int, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


def test_run(tmp_path):
    done = processes.run(["sh", "-c", "pwd; echo $A >&2; exit 3"], tmp_path, {"A": "b"})
    assert (done.returncode, done.stdout, done.stderr) == (3, f"{tmp_path.resolve()}\n", "b\n")
    with pytest.raises(FileNotFoundError):
        processes.run(["/no/such/program"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_block_ends_all_that_was_started_in_it():
    with processes.started(TREE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert alive(child) and alive(process.pid)
    assert ends(child) and not alive(process.pid)


def test_too_long_is_ended(tmp_path):
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        processes.run(SLEEP, tmp_path, timeout=0.3)
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("number", processes.SIGNALS)
def test_a_signal_ends_what_runs_in_any_thread(tmp_path, number):
    started, seen = threading.Semaphore(0), []

    def other():
        try:
            with processes.started(SLEEP) as process:
                seen.append(process.pid)
                started.release()
                process.wait()
            started.acquire()
            processes.run(["true"], tmp_path)
        except BaseException as error:
            seen.append(type(error))

    def body():
        with processes.started(SLEEP) as process:
            seen.append(process.pid)
            thread.start()
            started.acquire()
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), signal.SIGINT)  # of a terminal too: one interruption
            process.wait()

    thread = threading.Thread(target=other)
    assert console.run_guarded(body) == 128 + number
    assert all(ends(pid) for pid in seen if isinstance(pid, int)) and len(seen) >= 2
    started.release()
    thread.join(20)
    assert not thread.is_alive()
    # The command is over: the next one may start programs.
    assert processes.run(["true"], tmp_path).returncode == 0


def test_while_a_command_ends_nothing_is_started(tmp_path):
    def body():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(600)
        finally:
            with pytest.raises(KeyboardInterrupt):
                processes.run(["true"], tmp_path)

    assert console.run_guarded(body) == 143


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert console.run_guarded(lambda: os.kill(os.getpid(), signal.SIGHUP)) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_killed_parent_takes_its_python_programs_along():
    code = (
        "from hw import processes; import time\n"
        "with processes.started(processes.python('import time; print(1); time.sleep(600)')) as p:\n"
        "    print(p.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        child = int(one.stdout.readline())
        time.sleep(1)
        assert alive(child)
        one.kill()
        assert ends(child)


def test_no_room(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught:
        processes.require_room(tmp_path, 1, "as: fatal error: /tmp/x.s: No space left on device")
    assert caught.value.errno == errno.ENOSPC and caught.value.filename is None
    with pytest.raises(OSError, match="File too large"):
        processes.require_room(tmp_path, -signal.SIGXFSZ)
    processes.require_room(tmp_path, 1, "no such file")
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_short_by_the_limit_is_found(tmp_path):
    """A program that does not look at what its writes return ends well."""
    code = (
        "import sys, resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from hw import processes\n"
        "quiet = 'import os; os.write(os.open(\"x\", os.O_CREAT | os.O_WRONLY), bytes(5000))'\n"
        "try: processes.run(processes.python(quiet), sys.argv[1])\n"
        "except OSError as error: print(error.errno, error.filename)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{errno.EFBIG} None\n", done.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
