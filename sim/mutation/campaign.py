"""From a network to a verdict on every mutant.

First all mutants in the whole network. Those that survive get a second chance: other images, other
and heavier stalls; then each layer and fork on its own. What is left may be no change at all: a
proof of that is looked for.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from hw import console, outputs
from hw.dataflow import cost
from hw.dataflow.design.design import Design
from hw.errors import CheckFailed, InputError
from hw.ir.network import Network
from hw.verilog import cut, emit, rtl_folder
from hw.verilog.statements import Module, read
from sim import designs
from sim.designs import Bench
from sim.mutation import equivalence, out_of_reach, parts, schemata
from sim.mutation.sample import sample
from sim.mutation.sites import Mutant, sites
from sim.mutation.trial import Kill, Trial
from sim.simulation import Simulation
from sim.stimuli import RESETS, Stimuli, random_images

FRAMES = 6
"""Images of the first run, one for each pattern of stalls and one more; the second chance has twice
as many."""

PART_RESETS, PART_FRAMES = 24, 24

STALL, MORE_STALL = 0.25, 0.6


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    Parameters
    ----------
    number: of the mutant, from 1
    mutant: what was changed
    layer: of the network that it lies in, "" for one between layers
    run: in which it was killed: "network", "network again", "part"
    kill: None for a survivor
    equivalent: module within which it was proved to be no change, None without a proof
    out_of_reach: why its layer never has the value at which it is wrong, "" where it may
    """

    number: int
    mutant: Mutant
    layer: str
    run: str = ""
    kill: Kill | None = None
    equivalent: str | None = None
    out_of_reach: str = ""

    @property
    def no_change(self) -> bool:
        """Whether it is known to change nothing in this network."""
        return self.equivalent is not None or bool(self.out_of_reach)


@dataclass(frozen=True)
class Campaign:
    """All verdicts, and what they came from.

    Parameters
    ----------
    emission: the design without mutants
    sites, forms: lines that could be changed, and ways to change them
    paced: whether the un-mutated network keeps the predicted pace exactly, so that the pace is a
        check
    cycles: of the un-mutated run
    verdicts: one for each mutant
    """

    emission: rtl_folder.Emission
    sites: int
    forms: int
    paced: bool
    cycles: int
    verdicts: tuple[Verdict, ...]

    @property
    def killed(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.kill]

    @property
    def survivors(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if not verdict.kill]

    @property
    def equivalent(self) -> list[Verdict]:
        """Survivors that were proved to be no change at all."""
        return [verdict for verdict in self.survivors if verdict.equivalent]

    @property
    def out_of_reach(self) -> list[Verdict]:
        """Survivors without such a proof, wrong at a value that their layer never has."""
        return [v for v in self.survivors if v.out_of_reach and not v.equivalent]

    @property
    def raw_score(self) -> float:
        """Share of all mutants that was killed."""
        return len(self.killed) / len(self.verdicts)

    @property
    def changes(self) -> int:
        """Number of mutants, those known to be no change left out."""
        return len(self.verdicts) - len(self.equivalent) - len(self.out_of_reach)

    @property
    def score(self) -> float:
        """Share of the mutants that was killed, those known to be no change left out; 0 where there
        is no other."""
        return len(self.killed) / self.changes if self.changes else 0.0


def choose(emission: rtl_folder.Emission, count: int, seed: int, layer: str = "") -> list[Mutant]:
    """The mutants for a seed; `layer` narrows them to a layer, an edge or a cell.

    Raises
    ------
    InputError: no such layer
    """
    return sample(_sites(emission, layer), count, seed)


def _sites(emission: rtl_folder.Emission, layer: str):
    top = emission.manifest["top"]
    below = f"{top}.{layer.replace('/', '.')}" if layer else ""
    found = sites(emission.verilog, top, below)
    if not found:
        shown = ", ".join(entry["name"] for entry in emission.manifest["layers"][:4])
        raise InputError(f"layer: {layer!r}; expected a name of the manifest's layers: {shown}, …")
    return found


def run(
    network: Network,
    design: Design,
    *,
    mutants: int | Sequence[Mutant] = 120,
    seed: int = 1,
    layer: str = "",
    jobs: int = 2,
    frames: int = FRAMES,
    prove_seconds: int = equivalence.SECONDS,
    note: Callable[[str], None] = console.note,
) -> Campaign:
    """Try mutants of a network's hardware.

    Parameters
    ----------
    mutants: how many, or which
    seed: of their choice, of images and stalls
    layer: only in this layer, edge or cell
    jobs: simulations at a time
    frames: images of the first run
    prove_seconds: time for each proof of equivalence; 0: none is looked for
    note: told what is being done

    Raises
    ------
    CheckFailed: the design without a mutant fails
    InputError: no such layer, no mutants, a tool that is missing
    """
    emission = emit.emit(design)
    found = _sites(emission, layer)
    chosen = sample(found, mutants, seed) if isinstance(mutants, int) else list(mutants)
    if not chosen:
        raise InputError("mutants: none; expected one or more")
    text = schemata.combine(emission.verilog, chosen)
    combined = replace(emission, files=emission.files | {emission.verilog_name: text})
    with outputs.temporary_folder() as temporary:
        desk = _Desk(network, design, combined, temporary, jobs, seed, note)
        verdicts = {
            number: _verdict(network, emission, number, mutant)
            for number, mutant in enumerate(chosen, start=1)
        }
        note(f"mutate: building one model of {len(chosen)} mutants")
        model = desk.build(designs.bench(network, design, "network", emission=combined))
        whole = desk.trial(model, "network", frames)
        desk.judge(whole, "network", verdicts)
        if any(not verdict.kill for verdict in verdicts.values()):
            desk.judge(desk.trial(model, "network again", frames), "network again", verdicts)
        modules = desk.parts(verdicts)
        if modules:
            note(f"mutate: building {len(modules)} parts on their own")
            bench = parts.bench(network, design, combined, modules, seed)
            trial = desk.trial(desk.build(bench), "part", frames)
            desk.judge(trial, "part", verdicts)
    if prove_seconds:
        desk.prove(emission.verilog, verdicts, prove_seconds)
    return Campaign(
        emission,
        len(found),
        sum(len(site.after) for site in found),
        bool(whole.pace),
        whole.original.cycles,
        tuple(verdicts.values()),
    )


def _verdict(
    network: Network, emission: rtl_folder.Emission, number: int, mutant: Mutant
) -> Verdict:
    """Of a mutant that was not tried yet."""
    layer = _layer(network, emission, mutant)
    beyond = out_of_reach.reason(network, layer, mutant)
    return Verdict(number, mutant, layer, out_of_reach=beyond)


def _layer(network: Network, emission: rtl_folder.Emission, mutant: Mutant) -> str:
    for node in network.graph.nodes[1:]:
        module = parts.module_of(emission, node)
        if mutant.module == module or mutant.module.startswith(f"{module}."):
            return node.name
    return ""


@dataclass(frozen=True)
class _Desk:
    """What all runs of a campaign share."""

    network: Network
    design: Design
    combined: rtl_folder.Emission
    folder: Path
    jobs: int
    seed: int
    note: Callable[[str], None]

    def build(self, bench: Bench) -> Simulation:
        """The model of a bench, `mutants::select` in it."""
        sources = schemata.BESIDE | dict(bench.sources)
        return Simulation.build(self.network, replace(bench, sources=sources))

    def trial(self, model: Simulation, name: str, frames: int) -> Trial:
        """A case for a model; every run after the first one is harder."""
        predicted = cost.predict(self.design)
        first, part = name == "network", name == "part"
        if part:
            # Many resets, for each finds a small part in one state of few.
            paces = parts.paces(self.design, model.bench.designs)
            resets = PART_RESETS
        else:
            paces = {f"{self.network.graph.output.name} (m_axis)": predicted.cycles_per_frame}
            resets = RESETS if first else 2 * RESETS
        seed = self.seed if first else self.seed + 1
        count = PART_FRAMES if part else frames if first else 2 * frames
        images = random_images(self.network, count, seed)
        stall = STALL if first else MORE_STALL
        stimuli = Stimuli(images, stall, seed=seed, resets=resets)
        return Trial(model, stimuli, paces, self.folder / name.replace(" ", "_"), self.jobs)

    def judge(self, trial: Trial, name: str, verdicts: dict[int, Verdict]) -> None:
        """Run all mutants that live."""
        alive = [number for number, verdict in verdicts.items() if not verdict.kill]
        with console.progress(f"mutants, {name}", len(alive)) as display:
            kills = trial.kills(alive, self.jobs, display.advance)
        for number, kill in kills.items():
            if kill is not None:
                if verdicts[number].out_of_reach:
                    raise CheckFailed(
                        f"mutate: {number}: was noticed, but is said to change nothing "
                        f"({verdicts[number].out_of_reach}): what says so is wrong"
                    )
                verdicts[number] = replace(verdicts[number], run=name, kill=kill)

    def parts(self, verdicts: dict[int, Verdict]) -> dict[str, Module]:
        """The modules of the layers and forks that hold a survivor, and take any values."""
        modules = read(self.combined.verilog)
        names = (
            parts.part_of(self.network, self.combined, verdict.mutant.module)
            for verdict in verdicts.values()
            if not verdict.kill
        )
        found = {name: modules[name] for name in dict.fromkeys(names) if name}
        return {name: module for name, module in found.items() if cut.takes_all(module)}

    def prove(self, text: str, verdicts: dict[int, Verdict], seconds: int) -> None:
        """Look for proofs that those which live are no change of the Verilog `text`."""
        survivors = [verdict for verdict in verdicts.values() if not verdict.kill]
        if not survivors:
            return
        self.note(f"mutate: looking for proofs that {len(survivors)} survivors are no change")
        layers = [parts.module_of(self.combined, node) for node in self.network.graph.nodes[1:]]

        def one(verdict: Verdict) -> Verdict:
            proof = equivalence.proved(text, verdict.mutant, layers, seconds)
            return replace(verdict, equivalent=proof)

        with ThreadPoolExecutor(self.jobs) as pool:
            verdicts |= {verdict.number: verdict for verdict in pool.map(one, survivors)}
