"""The runs of a comparison: where each lies, whether it is done, and the calls that do it."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from hw import documents, plugins
from hw.errors import InputError
from hw.networks import genotypes
from hw.networks.conventional import Conventional
from hw.networks.space import Genotype
from hw.outputs import write_atomic
from nas.compare.comparison import Arm, Hardware, Spec
from nas.config import Config
from nas.data_record import DataRecord
from nas.pool import Call
from nas.runs import CONFIG, GENOTYPE, METRICS, Run
from nas.task import Task, difference

RUNS = "runs"
"""Folder of all runs: RUNS/ARM/seedN/search, RUNS/ARM/seedN/train-DOMAIN."""


@dataclass(frozen=True)
class Chain:
    """One arm with one seed: a search, unless the network is given, and a training a domain.

    `out`: the folder of the comparison.
    """

    out: Path
    arm: Arm
    seed: int

    @property
    def name(self) -> str:
        return f"{self.arm.name}/seed{self.seed}"

    @property
    def folder(self) -> Path:
        return self.out / RUNS / self.name

    @property
    def search(self) -> Path:
        return self.folder / "search"

    def train(self, domain: str) -> Path:
        return self.folder / f"train-{domain}"

    def network(self, domain: str) -> Path:
        """The NETWORK exported of a training."""
        return self.folder / f"network-{domain}"

    def plan(self, domain: str) -> Path:
        return self.folder / f"plan-{domain}.yaml"

    def prices(self, domain: str) -> Path:
        """What export and plan said of a training."""
        return self.folder / f"hardware-{domain}.json"

    @property
    def runs(self) -> list[Path]:
        searches = [] if self.arm.strategy is None else [self.search]
        return [*searches, *map(self.train, self.arm.train)]

    def genotype(self) -> Genotype | None:
        """That is trained; None before the search has found it, and of a conventional network."""
        if self.arm.strategy is None:
            return self.arm.genotype
        path = self.search / GENOTYPE
        return genotypes.load(path) if path.exists() else None


def chains(spec: Spec, out: Path) -> list[Chain]:
    """Seed after seed, so that a table of few seeds is there early."""
    longest = max(len(arm.seeds) for arm in spec.arms.values())
    return [
        Chain(out, arm, arm.seeds[number])
        for number in range(longest)
        for arm in spec.arms.values()
        if number < len(arm.seeds)
    ]


# --- what is done already ----------------------------------------------------------------


def undone(chain: Chain, data: DataRecord) -> set[Path]:
    """The runs of a chain that have not come to their ends.

    Raises
    ------
    InputError: a run that is there does other work than the one wanted
    """
    arm, left = chain.arm, set()
    if arm.strategy is not None:
        task = _task("search", arm.search, chain.seed, data, domain=arm.search_domain)
        if not _is_done(chain.search, GENOTYPE, task):
            left.add(chain.search)
    for domain, config in arm.train.items():
        task = _task("train", config, chain.seed, data, chain.genotype(), domain, arm.model)
        if chain.search in left or not _is_done(chain.train(domain), METRICS, task):
            left.add(chain.train(domain))
    return left


def _task(
    kind: str,
    config: Config,
    seed: int,
    data: DataRecord,
    genotype: Genotype | None = None,
    domain: str = "shift",
    model: Conventional | None = None,
) -> Task:
    config = replace(config, seed=seed)
    return Task(kind, data, config, genotype, domain, plugins=plugins.loaded(), model=model)


def _is_done(folder: Path, last: str, wanted: Task) -> bool:
    """Whether the run in `folder` has written its `last` file. `wanted.data` may know of more
    splits than a search, which reads training images alone.
    """
    if not (folder / CONFIG).exists():
        return False
    there = Run.open(folder).task
    if wanted.kind == "search":
        read = {key: wanted.data.digests.get(key) for key in there.data.digests}
        wanted = replace(wanted, data=replace(wanted.data, digests=read))
    unlike = difference(there, wanted)
    if unlike is not None:
        raise InputError(
            f"{folder / CONFIG}: not the run that the comparison asks for ({unlike}); choose "
            "another --out, or begin again with --force"
        )
    return (folder / last).exists()


# --- the calls ---------------------------------------------------------------------------


class Settings:
    """Files of settings and genotypes for the calls, in a temporary folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def config(self, config: Config) -> str:
        return self._file(config.to_yaml())

    def genotype(self, genotype: Genotype) -> str:
        return self._file(genotypes.to_yaml(genotype))

    def _file(self, text: str) -> str:
        path = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()}.yaml"
        if not path.exists():
            write_atomic(path, text)
        return str(path)


def run_calls(chain: Chain, left: set[Path], data: str, settings: Settings) -> Iterator[Call]:
    """The runs of `left`, each after those that it needs; one that was begun goes on."""
    arm = chain.arm
    seed = ("--data", data, "--seed", str(chain.seed), "--resume", *plugins.words())
    if chain.search in left:
        yield Call(
            f"{chain.name}/search",
            ["search", "--config", settings.config(arm.search), "--domain", arm.search_domain,
             "--out", str(chain.search), *seed],
        )  # fmt: skip
    if arm.model is not None:
        network = ["--model", arm.model.name, "--width", str(arm.model.width)]
    else:
        given = arm.genotype and settings.genotype(arm.genotype)
        network = ["--genotype", given or str(chain.search / GENOTYPE)]
    for domain, config in arm.train.items():
        if chain.train(domain) in left:
            yield Call(
                f"{chain.name}/{chain.train(domain).name}",
                ["train", "--config", settings.config(config), "--domain", domain, *network,
                 "--out", str(chain.train(domain)), *seed],
            )  # fmt: skip


# --- hardware ----------------------------------------------------------------------------

EXPORTABLE = "shift"
"""Networks of real weights have no hardware."""

EXPORTED = ("accuracy_integer",)
PLANNED = ("cycles_per_frame", "fps", "lut", "ff", "ram_bits")
"""Figures kept of what export and plan say."""


def hardware_key(chain: Chain, hardware: Hardware) -> str:
    """Digest of all that decides the figures: the training and what is planned."""
    metrics = (chain.train(EXPORTABLE) / METRICS).read_bytes()
    return hashlib.sha256(metrics + repr(hardware).encode()).hexdigest()


def prices_known(chain: Chain, hardware: Hardware) -> Mapping[str, float] | None:
    """Figures of hardware that were written for this very training, None where there are none."""
    try:
        kept = documents.load_json(chain.prices(EXPORTABLE).read_text(encoding="utf-8"))
        return kept["figures"] if kept["key"] == hardware_key(chain, hardware) else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, yaml.YAMLError):
        return None  # made anew


def hardware_calls(chain: Chain, hardware: Hardware, data: str) -> list[Call]:
    network, plan = chain.network(EXPORTABLE), chain.plan(EXPORTABLE)
    luts = () if hardware.luts is None else ("--luts", str(hardware.luts))
    return [
        Call(
            f"{chain.name}/{network.name}",
            ["export", str(chain.train(EXPORTABLE)), "--data", data,
             "--out", str(network), "--force", *plugins.words()],
        ),
        Call(
            f"{chain.name}/{plan.name}",
            ["plan", str(network), "--board", hardware.board, *luts,
             "--out", str(plan), "--force"],
        ),
    ]  # fmt: skip
