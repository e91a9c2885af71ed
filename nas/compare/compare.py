"""A comparison from its file to its tables: what is not done yet is run, some at a time."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from hw import plugins
from hw.console import note
from hw.data import SPLITS
from hw.errors import InputError
from hw.outputs import MARKER, ONLY_OURS, temporary_folder, write_atomic
from nas import distributed, replacing
from nas.compare import tables
from nas.compare.chains import (
    EXPORTABLE,
    EXPORTED,
    PLANNED,
    RUNS,
    Settings,
    chains,
    hardware_calls,
    hardware_key,
    prices_known,
    run_calls,
    undone,
)
from nas.compare.comparison import Hardware, Spec
from nas.compare.results import collect
from nas.config import Config
from nas.data_record import DataRecord
from nas.lock import LOCK, FolderLock
from nas.pool import Call, Pool, Result, nothing
from nas.runs import CONFIG, pick_device
from nas.sources import evaluated, open_splits, record_data, require_learnable

SPEC, CONTENT = "compare.yaml", "compare.json"
"""The file that said what to compare, as it was read; and what came of it."""

TABLES = {
    "table.md": tables.markdown,
    "table.csv": tables.summary_csv,
    "table.tex": tables.latex,
    "runs.csv": tables.runs_csv,
}
PAGE, PLOTS = "report.html", "plots"


def compare(
    spec: Spec, out: Path, *, jobs: int | None = None, resume: bool = False, force: bool = False
) -> dict[str, Any]:
    """Run what of `spec` is not done in `out`, and write the tables; the content of compare.json.

    Every search and training is a run of its own in `out`, as `shiftnas search` and `train` make
    them, in a process of its own.

    Raises
    ------
    InputError, CheckFailed: as of the first run that failed, when the others have ended
    Interrupted: by Ctrl-C; every process has ended, and the tables are of the runs that are done
    """
    if distributed.launched() > 1:
        raise InputError("compare: not under torchrun; it starts processes of its own")
    # Asked before the lock, which makes a file, and again when nobody else can change it.
    _check_folder(out, resume=resume, force=force)
    # Data and device, too, before anything is made or removed.
    comparison = _Comparison(spec, out, jobs)
    with closing(FolderLock(out)):
        _check_folder(out, resume=resume, force=force)
        if not resume:
            _empty(out)
        return comparison.run()


class _Comparison:
    def __init__(self, spec: Spec, out: Path, jobs: int | None):
        self.spec, self.out, self.jobs = spec, out, jobs
        self.chains = chains(spec, out)
        # The data is read alike for all arms.
        config = next(iter(next(iter(spec.arms.values())).train.values()))
        self.device = pick_device(config.device)
        self.record = _record(spec.data, config)
        self.split = evaluated(spec.data, config)
        self.left: dict[str, set[Path]] = {}
        self._require_fitting()

    def _require_fitting(self) -> None:
        """InputError where the images are too small for an arm's conventional network."""
        for name, arm in self.spec.arms.items():
            for config in arm.train.values():
                if arm.model is None:
                    continue
                try:
                    arm.model.graph(self.record.image, self.record.classes, config.train.stem)
                except InputError as error:
                    raise InputError(f"arms.{name}: {error}") from error

    def run(self) -> dict[str, Any]:
        self.left = {chain.name: undone(chain, self.record) for chain in self.chains}
        write_atomic(self.out / SPEC, self.spec.text)
        try:
            self._train()
            if self.spec.hardware is not None:
                self._price(self.spec.hardware)
        finally:
            content = self._content()
            _write(content, self.out)
        self._draw()
        return content

    def _train(self) -> None:
        """All searches and trainings that are left."""
        total = sum(len(chain.runs) for chain in self.chains)
        done = total - sum(map(len, self.left.values()))
        if done:
            note(f"{done} of {total} runs are done already")
        with temporary_folder() as temporary:
            settings = Settings(temporary)
            self._pool(
                {
                    chain.name: list(
                        run_calls(chain, self.left[chain.name], self.spec.data, settings)
                    )
                    for chain in self.chains
                }
            )

    def _price(self, hardware: Hardware) -> None:
        """Export and plan every network whose figures of hardware are not known."""
        left = {
            chain.name: chain
            for chain in self.chains
            if EXPORTABLE in chain.arm.train and prices_known(chain, hardware) is None
        }

        def ended(name: str, results: list[Result]) -> None:
            exported, planned = results
            figures = {key: exported[key] for key in EXPORTED}
            figures |= {key: planned[key] for key in PLANNED}
            kept = {"key": hardware_key(left[name], hardware), "figures": figures}
            write_atomic(left[name].prices(EXPORTABLE), json.dumps(kept, indent=2) + "\n")

        data = self.spec.data
        self._pool({n: hardware_calls(chain, hardware, data) for n, chain in left.items()}, ended)

    def _draw(self) -> None:
        """The page and the pictures, by the command that any run has for it."""
        plots = ("--plots", str(self.out / PLOTS))
        words = ["report", str(self.out), *plots, "--force", *plugins.words()]
        self._pool({PAGE: [Call("report", words)]})

    def _pool(
        self,
        calls: Mapping[str, Sequence[Call]],
        ended: Callable[[str, list[Result]], None] = nothing,
    ) -> None:
        calls = {name: of for name, of in calls.items() if of}
        if calls:
            Pool(self.device, len(calls), self.jobs).run(calls, self._kept, ended)

    def _content(self) -> dict[str, Any]:
        return collect(self.spec, self.chains, self.out, self.split)

    def _kept(self) -> str:
        content = self._content()
        return (
            f"{content['done']} of {content['planned']} runs are done in {self.out}, and epochs of "
            "others; the same call with --resume goes on"
        )


def _write(content: dict[str, Any], out: Path) -> None:
    write_atomic(out / CONTENT, json.dumps(content, indent=2) + "\n")
    for name, text in TABLES.items():
        write_atomic(out / name, text(content))


def _record(data: str, config: Config) -> DataRecord:
    """Of all splits that searches and trainings read."""
    splits = open_splits(data, SPLITS, config)
    require_learnable(splits["train"], data)
    return record_data(data, **splits)


def _check_folder(out: Path, *, resume: bool, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: expected a folder, found a file; choose another --out")
    others = [entry for entry in out.iterdir() if entry.name != LOCK] if out.exists() else []
    if not others:
        return
    if not (resume or force):
        raise InputError(f"{out}: exists already; pass --force to replace it or --resume to go on")
    if not (out / SPEC).exists():
        advice = "choose another --out" if resume else ONLY_OURS
        raise InputError(f"{out}: holds no comparison ({SPEC}); {advice}")


def _empty(out: Path) -> None:
    """Remove the results of an earlier call and its runs, unless one is still at work."""
    for name in (SPEC, CONTENT, *TABLES):
        (out / name).unlink(missing_ok=True)
    for place in sorted((out / RUNS).glob("*/seed*/*")):
        if (place / CONFIG).exists():
            with closing(FolderLock(place)):
                replacing.clear(place)
        elif (place / MARKER).exists():
            shutil.rmtree(place)
        elif place.name.startswith(("plan-", "hardware-")):
            place.unlink()
    for place in sorted((out / RUNS).glob("**/"), reverse=True):
        with suppress(OSError):  # what others put there stays
            place.rmdir()
