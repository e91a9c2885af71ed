"""One search or training by several seeds, side by side: mean ± sample standard deviation.

Each seed is a run of its own in RUN/seed1, RUN/seed2, …, by a process of its own.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

from hw.console import EXIT_CHECK_FAILED, EXIT_INTERRUPTED, note
from hw.errors import CheckFailed, InputError, Interrupted
from hw.networks.space import SKIP
from hw.outputs import temporary_folder, write_atomic
from nas import distributed, replacing
from nas.config import Config
from nas.lock import LOCK, FolderLock
from nas.runs import CONFIG, LOG, pick_device

SUMMARY = "summary.json"
SHARES = ("accuracy", "top5_accuracy", "held_out_accuracy")
FIGURES = (*SHARES, "loss", "held_out_loss", "skips")
"""What means are taken of, where all seeds have it; `SHARES` are written in percent."""

ROOT = Path(__file__).parents[1]
ERROR = "shiftnas: error: "


@dataclass(frozen=True)
class Seeds:
    """What is to be run.

    Parameters
    ----------
    command: subcommand and its own options; config, seed and folder excepted
    config: whose seed is the first; each further one is one more
    count: of seeds
    jobs: processes at a time; None: a core each, or a GPU each
    tensorboard: event files for each
    """

    command: Sequence[str]
    config: Config
    count: int
    jobs: int | None = None
    tensorboard: bool = False

    def folder(self, out: Path, number: int) -> Path:
        """Of seed `number`, from 1."""
        return out / f"seed{number}"


def run_seeds(seeds: Seeds, out: Path, *, resume: bool, force: bool) -> dict[str, Any]:
    """Run all seeds; the summary, which is also written to `out`.

    Raises
    ------
    InputError, CheckFailed: as of the first seed that failed, when the others have ended
    Interrupted: by Ctrl-C; every process has ended
    """
    if distributed.launched() > 1:
        raise InputError("--seeds: not under torchrun; start each seed by a call of its own")
    # Asked before the lock, which makes a file, and again when nobody else can change it.
    _check_folder(out, resume=resume, force=force)
    with closing(FolderLock(out)):
        _check_folder(out, resume=resume, force=force)
        if not resume:
            _empty(out)
        return _run_locked(seeds, out, resume=resume, force=force)


def _run_locked(seeds: Seeds, out: Path, *, resume: bool, force: bool) -> dict[str, Any]:
    device = pick_device(seeds.config.device)
    places = _places(device)
    jobs = min(seeds.count, seeds.jobs or len(places))
    with temporary_folder() as temporary:
        settings = temporary / CONFIG
        settings.write_text(seeds.config.to_yaml(), encoding="utf-8")
        flags = ["--resume"] if resume else ["--force"] if force else []
        flags += ["--tensorboard"] if seeds.tensorboard else []
        pool = _Pool([places[job % len(places)] for job in range(jobs)])
        commands = {
            number: [
                *seeds.command,
                *("--config", str(settings), "--seed", str(seeds.config.seed + number - 1)),
                *("--out", str(seeds.folder(out, number)), *flags),
            ]
            for number in range(1, seeds.count + 1)
        }
        results = pool.run(commands, out)
    summary = _summary(seeds, out, results)
    write_atomic(out / SUMMARY, json.dumps(summary, indent=2) + "\n")
    return summary


def _check_folder(out: Path, *, resume: bool, force: bool) -> None:
    if (out / CONFIG).exists():
        raise InputError(f"{out}: holds a run of one seed; choose another --out")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: expected a folder, found a file; choose another --out")
    if resume or force or not out.exists():
        return
    if any(entry.name != LOCK for entry in out.iterdir()):
        raise InputError(f"{out}: exists already; pass --force to replace it or --resume to go on")


def _empty(out: Path) -> None:
    """Remove the seeds of an earlier call, unless one is still at work."""
    (out / SUMMARY).unlink(missing_ok=True)
    for place in replacing.seeds(out):
        with closing(FolderLock(place)):
            replacing.clear(place)


def _places(device: torch.device) -> list[dict[str, str]]:
    """Environment of each process that may run at a time: one a GPU, or one a core."""
    if device.type != "cuda":
        return [{} for _ in range(len(os.sched_getaffinity(0)))]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(n) for n in range(torch.cuda.device_count())]
    return [{"CUDA_VISIBLE_DEVICES": name} for name in names]


class _Pool:
    """Processes of the commands, at most one a place at a time."""

    def __init__(self, places: list[dict[str, str]]):
        self._free: SimpleQueue[dict[str, str]] = SimpleQueue()
        for place in places:
            self._free.put(place)
        self._jobs = len(places)
        self._lock, self._stopped = threading.Lock(), False
        self._running: list[subprocess.Popen[str]] = []

    def run(self, commands: dict[int, list[str]], out: Path) -> dict[int, dict[str, Any]]:
        """JSON object printed by each command."""
        with ThreadPoolExecutor(self._jobs) as threads:
            futures = {n: threads.submit(self._one, n, words) for n, words in commands.items()}
            try:
                wait(futures.values())
            except KeyboardInterrupt as error:
                self._stop()
                threads.shutdown(cancel_futures=True)
                raise Interrupted(
                    f"the epochs done are kept in {out}; the same call with --resume goes on"
                ) from error
        return {number: future.result() for number, future in futures.items()}

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._running:
                _end(process)

    def _one(self, number: int, command: list[str]) -> dict[str, Any]:
        place = self._free.get()
        try:
            return self._call(number, command, place)
        finally:
            self._free.put(place)

    def _call(self, number: int, command: list[str], place: dict[str, str]) -> dict[str, Any]:
        with self._lock:
            if self._stopped:
                raise InputError(f"seed{number}: not begun")
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "nas", *command, "--json", "--end-with-input"],
                env={**os.environ, **self._threads(), **place, "PYTHONPATH": _python_path()},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                # Ctrl-C is for this process, which ends them all.
                start_new_session=True,
            )
            self._running.append(process)
        assert process.stderr is not None and process.stdout is not None
        last = ""
        try:
            for line in process.stderr:
                last = line.strip()
                if not last.startswith("shiftnas: "):
                    note(f"seed{number}: {last}")
            output = process.stdout.read()
        finally:
            with self._lock:
                self._running.remove(process)
                _end(process)
            code = process.wait()
            process.stderr.close()
            process.stdout.close()
        if code == 0:
            return json.loads(output)
        reason = last.removeprefix(ERROR) if code in (1, 2) else f"ended with exit code {code}"
        error = InputError if code not in (EXIT_CHECK_FAILED, EXIT_INTERRUPTED) else CheckFailed
        raise error(f"seed{number}: {reason}; what the seeds did is kept")

    def _threads(self) -> dict[str, str]:
        """A share of the cores, unless the user wants fewer."""
        share = max(1, len(os.sched_getaffinity(0)) // self._jobs)
        wanted = os.environ.get("OMP_NUM_THREADS", "")
        return {"OMP_NUM_THREADS": str(min(share, int(wanted) if wanted.isdigit() else share))}


def _end(process: subprocess.Popen[str]) -> None:
    """End a process that was started with --end-with-input."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()


def _python_path() -> str:
    """This package first: also where it is not the one that is installed."""
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


def end_with_input() -> None:
    """End this process as soon as its standard input ends: with the process that holds it.

    Every file of a run is whole at any moment, so that nothing is to be tidied up.
    """

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(EXIT_INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()


# --- the summary -------------------------------------------------------------------------


def _summary(seeds: Seeds, out: Path, results: dict[int, dict[str, Any]]) -> dict[str, Any]:
    kind = seeds.command[0]
    runs = {
        f"seed{number}": {
            "seed": seeds.config.seed + number - 1,
            **_figures(kind, seeds.folder(out, number), result),
        }
        for number, result in results.items()
    }
    shared = [name for name in FIGURES if all(name in run for run in runs.values())]
    values = {name: [run[name] for run in runs.values()] for name in shared}
    return {
        "kind": kind,
        "runs": runs,
        "mean": {name: statistics.fmean(of) for name, of in values.items()},
        "std": {name: statistics.stdev(of) if len(of) > 1 else None for name, of in values.items()},
    }


def _figures(kind: str, folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    """What a search or a training came to: the figures of its last epoch, or its metrics."""
    if kind == "train":
        return {name: value for name, value in result.items() if name != "out"}
    genotype = result["genotype"]
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    entry = json.loads(lines[-1]) if lines else {}
    edges = [*genotype["normal"], *genotype["reduce"]]
    return {
        "genotype": genotype,
        **{name: entry[name] for name in FIGURES if name in entry},
        "skips": sum(operation == SKIP for operation, _ in edges),
        "seconds": result["seconds"],
    }


def in_words(summary: dict[str, Any]) -> str:
    """A line a seed and a line of means."""
    lines = [f"{name}: {_line(run, {})}" for name, run in summary["runs"].items()]
    mean = _line(summary["mean"], summary["std"])
    return "\n".join([*lines, f"mean ± sample std of {len(lines)}: {mean}"])


def _line(figures: dict[str, Any], spread: dict[str, Any]) -> str:
    parts = []
    for name in FIGURES:
        if name not in figures:
            continue
        scale, unit = (100, " %") if name in SHARES else (1, "")
        std = spread.get(name)
        more = "" if std is None else f" ± {scale * std:.2f}"
        value = figures[name]
        text = str(value) if isinstance(value, int) else f"{scale * value:.2f}"
        parts.append(f"{name.replace('_', ' ')} {text}{more}{unit}")
    return ", ".join(parts)
