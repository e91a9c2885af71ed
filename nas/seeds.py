"""One search or training by several seeds, side by side: mean ± sample standard deviation.

Each seed is a run of its own in RUN/seed1, RUN/seed2, …, by a process of its own.
"""

import json
import statistics
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.errors import InputError
from hw.networks.space import SKIP
from hw.outputs import temporary_folder, write_atomic
from nas import distributed, replacing
from nas.config import Config
from nas.lock import LOCK, FolderLock
from nas.pool import Call, Pool, Result
from nas.runs import CONFIG, LOG, pick_device

SUMMARY = "summary.json"
SUPERNET = "supernet_"
"""What the figures of a search begin with: its last epoch trains a supernet, and no network yet."""

WORDS = {
    "accuracy": "{split} accuracy",
    "top5_accuracy": "top-5 {split} accuracy",
    "validation_accuracy": "validation accuracy",
    f"{SUPERNET}accuracy": "supernet's training accuracy",
    f"{SUPERNET}held_out_accuracy": "supernet's held-out accuracy",
    f"{SUPERNET}loss": "supernet's training loss",
    f"{SUPERNET}held_out_loss": "supernet's held-out loss",
    "skips": "skips in both cells",
}
"""What means are taken of, where all seeds have it; accuracies are written in percent. `split`: the
images that the networks are judged by."""


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

    @property
    def named(self) -> dict[str, int]:
        """Folder of each seed -> the seed."""
        return {f"seed{number + 1}": self.config.seed + number for number in range(self.count)}


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
    pool = Pool(pick_device(seeds.config.device), seeds.count, seeds.jobs)
    with temporary_folder() as temporary:
        settings = temporary / CONFIG
        settings.write_text(seeds.config.to_yaml(), encoding="utf-8")
        flags = ["--resume"] if resume else ["--force"] if force else []
        flags += ["--tensorboard"] if seeds.tensorboard else []
        calls = {
            name: Call(
                name,
                [
                    *seeds.command,
                    *("--config", str(settings), "--seed", str(seed)),
                    *("--out", str(out / name), *flags),
                ],
            )
            for name, seed in seeds.named.items()
        }
        results = pool.run(
            {name: [call] for name, call in calls.items()},
            lambda: f"the epochs done are kept in {out}; the same call with --resume goes on",
        )
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


# --- the summary -------------------------------------------------------------------------


def _summary(seeds: Seeds, out: Path, results: dict[str, list[Result]]) -> dict[str, Any]:
    kind = "search" if seeds.command[0] == "search" else "train"
    runs = {
        name: {"seed": seed, **_figures(kind, out / name, results[name][0])}
        for name, seed in seeds.named.items()
    }
    shared = [name for name in WORDS if all(name in run for run in runs.values())]
    values = {name: [run[name] for run in runs.values()] for name in shared}
    return {
        "kind": kind,
        "runs": runs,
        "mean": {name: statistics.fmean(of) for name, of in values.items()},
        "std": {name: statistics.stdev(of) if len(of) > 1 else None for name, of in values.items()},
    }


def _figures(kind: str, folder: Path, result: Result) -> dict[str, Any]:
    """What a search or a training came to: the figures of its last epoch, or its metrics."""
    if kind == "train":
        return {name: value for name, value in result.items() if name != "out"}
    genotype = result["genotype"]
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    entry = json.loads(lines[-1]) if lines else {}
    edges = [*genotype["normal"], *genotype["reduce"]]
    last = {f"{SUPERNET}{name}": value for name, value in entry.items()}
    return {
        "genotype": genotype,
        **{name: last[name] for name in WORDS if name in last},
        "skips": sum(operation == SKIP for operation, _ in edges),
        "seconds": result["seconds"],
    }


def in_words(summary: dict[str, Any]) -> str:
    """A line a seed and a line of means."""
    runs = summary["runs"]
    split = next((run["split"] for run in runs.values() if "split" in run), "test")
    lines = [f"{name}: {_line(run, {}, split)}" for name, run in runs.items()]
    mean = _line(summary["mean"], summary["std"], split)
    return "\n".join([*lines, f"mean ± sample std of {len(lines)}: {mean}"])


def _line(figures: dict[str, Any], spread: dict[str, Any], split: str) -> str:
    parts = []
    for name, words in WORDS.items():
        if name not in figures:
            continue
        scale, unit = (100, " %") if name.endswith("accuracy") else (1, "")
        std = spread.get(name)
        more = "" if std is None else f" ± {scale * std:.2f}"
        value = figures[name]
        text = str(value) if isinstance(value, int) else f"{scale * value:.2f}"
        parts.append(f"{words.format(split=split)} {text}{more}{unit}")
    return ", ".join(parts)
