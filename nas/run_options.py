"""Options and manners of the subcommands that make a run: search, train, convert."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hw import console, outputs, plugins
from hw.commands.options import DATA, FILE_OR_NAME, FOLDER, out_option, plugin_option
from hw.errors import InputError, Interrupted
from nas.config import MAX_SEED, PRESETS, Config, load_config

if TYPE_CHECKING:
    from hw.networks.conventional import Conventional
    from hw.networks.space import Genotype
    from nas.beginning import Weights
    from nas.own import Own


@dataclass(frozen=True)
class RunOptions:
    """What they are all told, see `run_options`."""

    data: str
    out: Path
    config: str | None
    overrides: tuple[str, ...]
    seed: int | None
    resume: bool
    tensorboard: bool
    seeds: int | None
    jobs: int | None
    force: bool
    as_json: bool

    def settings(self, own: Mapping[str, tuple[str, str | None]] | None = None) -> Config:
        """The configuration.

        Parameters
        ----------
        own: options of the subcommand that say a setting: its name, and its value where it is given
        """
        own = own or {}
        seed = None if self.seed is None else str(self.seed)
        for option, (key, value) in {"--seed": ("seed", seed), **own}.items():
            if value is not None and any(one.partition("=")[0] == key for one in self.overrides):
                raise InputError(f"{option}: --set {key} says the same; leave one of the two out")
        more = (f"{key}={value}" for key, value in own.values() if value is not None)
        config = load_config(self.config, (*self.overrides, *more))
        if self.seed is not None:
            config = replace(config, seed=self.seed)
        if self.seeds is not None and config.seed + self.seeds - 1 > MAX_SEED:
            raise InputError(
                f"--seeds: {self.seeds} seeds from {config.seed} on end above the largest, "
                f"{MAX_SEED}; begin with a smaller --seed"
            )
        return config

    def refuse_settings(self, names: Iterable[str], reason: str) -> None:
        """InputError where `--set` asks for one of these settings of a training."""
        refused = {f"train.{name}" for name in names}
        for one in self.overrides:
            key = one.partition("=")[0]
            if key in refused:
                raise InputError(f"--set {key}: {reason}")

    def manner(self) -> dict[str, bool]:
        """Arguments that `nas.search.search` and `nas.train.train` share."""
        return {"resume": self.resume, "force": self.force, "tensorboard": self.tensorboard}


def run_options(function: Callable[..., None]) -> Callable[..., None]:
    """Options that they share, as the argument `run`.

    A subcommand with an option `check`, which comes before anything is written, needs no `--out`
    with it.
    """

    @wraps(function)
    def command(**values: Any) -> None:
        if values["out"] is None:
            if not values.get("check"):
                raise click.MissingParameter(param_hint="'--out'", param_type="option")
            values["out"] = Path()
        shared = {field.name: values.pop(field.name) for field in fields(RunOptions)}
        function(run=RunOptions(**shared), **values)

    for option in reversed(
        (
            click.option(
                "--data", type=DATA, metavar="D", required=True, help="Data set: name or folder."
            ),
            out_option("Folder of the run.", required=False),
            click.option(
                "--config",
                type=FILE_OR_NAME,
                metavar="F",
                help=f"Settings: a YAML file, or {', '.join(PRESETS)}.",
            ),
            click.option(
                "--set", "overrides", metavar="K=V", multiple=True, help="One setting; repeatable."
            ),
            click.option("--seed", type=console.SEED, help="Makes the run repeatable."),
            click.option("--resume", is_flag=True, help="Go on with a run that was cut short."),
            click.option("--tensorboard", is_flag=True, help="Event files in RUN/tensorboard too."),
            click.option(
                "--seeds",
                type=click.IntRange(min=1),
                metavar="N",
                help="So many seeds, each a run in RUN/seed1, RUN/seed2, ...; mean and deviation.",
            ),
            click.option(
                "--jobs",
                type=click.IntRange(min=1),
                metavar="J",
                help="Seeds at a time; default: one a core, or one a GPU.",
            ),
            plugin_option,
            console.force_option,
            console.json_option,
        )
    ):
        command = option(command)
    return command


domain_option = click.option(
    "--domain",
    type=click.Choice(["shift", "real"]),
    default="shift",
    show_default=True,
    help="Weights: bit-shift, or real for comparison.",
)

from_option = click.option(
    "--from",
    "start",
    type=FOLDER,
    metavar="RUN",
    help="Begin with the weights of this training, or of a checkpoint; real weights become"
    " bit-shift ones.",
)


@contextmanager
def resumable(out: Path) -> Iterator[None]:
    """Ctrl-C, or memory that is not there, ends with a line; it says what is kept in `out`."""
    from nas.memory import enough_memory
    from nas.runs import CONFIG, LOG

    try:
        with enough_memory("take a smaller batch, fewer channels or cells, or fewer --jobs"):
            yield
    except KeyboardInterrupt as error:
        if not (out / CONFIG).exists():
            raise
        log = out / LOG
        epochs = log.read_text(encoding="utf-8").count("\n") if log.exists() else 0
        raise Interrupted(
            f"{epochs} epochs are kept in {out}; the same call with --resume goes on"
        ) from error


def begin(run: RunOptions, kind: str) -> None:
    """What they do first: check the options."""
    from nas import replacing

    if not run.resume:
        outputs.require_apart(run.out)
    if run.force:
        replacing.require_own(run.out, kind)
    if run.jobs is not None and run.seeds is None:
        raise click.UsageError("--jobs: expected --seeds N beside it: jobs are seeds at a time")


def run_seeds_of(words: list[str], settings: Config, run: RunOptions) -> None:
    """Several seeds of the subcommand that `words`, its own options, begin."""
    from nas.seeds import SUMMARY, Seeds, in_words, run_seeds

    assert run.seeds is not None
    words = [*words, *plugins.words(), "--data", run.data]
    job = Seeds(words, settings, run.seeds, run.jobs, run.tensorboard)
    summary = run_seeds(job, run.out, resume=run.resume, force=run.force)
    if run.as_json:
        console.print_json({**summary, "out": run.out})
    else:
        click.echo(f"{in_words(summary)}\nwritten to {run.out / SUMMARY}")


def train_once(
    network: "Genotype | Conventional | Own",
    start: "Path | Weights | None",
    settings: Config,
    domain: str,
    run: RunOptions,
) -> None:
    """One training of the subcommand, and the line with which it ends."""
    from nas import train as training

    with resumable(run.out):
        metrics = training.train(
            network, run.data, run.out, settings, domain=domain, start=start, **run.manner()
        )
    if run.as_json:
        console.print_json({**metrics, "out": run.out})
    else:
        click.echo(training.in_words(metrics, run.out))
