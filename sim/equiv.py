"""Whether two emitted versions of one network are the same: proved where it can be, else compared
on the same stimulus.

The texts are compared module by module. Modules that differ are proved to be equal, cycle for
cycle, on any input; where all of them are, so are the networks. A change of the plan, or one that
reaches across modules, is beyond that: then both versions get the same images, stalls and resets,
and every layer's beats are compared. When a beat comes may differ then, but not what it is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hw import outputs
from hw.errors import InputError
from hw.verilog import edits
from hw.verilog.roms import SUFFIX as ROM_SUFFIX
from hw.verilog.rtl_folder import Emission
from sim import harness, scoreboard, simulation
from sim.designs import Bench, load_port
from sim.harness import Dut, Stream
from sim.mutation import equivalence
from sim.simulation import Program, Run, RunFailed, label_of
from sim.stimuli import Stimuli

MOST_PROOFS = 16
"""Modules that differ, up to which proofs are looked for: where a plan differs most of them do."""

NAMES = ("A", "B")
"""What messages call the two."""


@dataclass(frozen=True)
class Verdict:
    """What came of a comparison.

    Parameters
    ----------
    how: "text" (the same Verilog), "proof", or "stimulus" (compared on the same stimulus)
    modules: that are not the same text, comments aside
    difference: the first one, "" where there is none
    frames, beats, bits: that were compared on the stimulus
    cycles: that each version took on it
    """

    how: str
    modules: tuple[str, ...] = ()
    difference: str = ""
    frames: int = 0
    beats: int = 0
    bits: int = 0
    cycles: tuple[int, ...] = ()


def compare(
    one: Emission,
    two: Emission,
    stimuli: Stimuli,
    *,
    prove_seconds: int = equivalence.SECONDS,
) -> Verdict:
    """Compare two versions.

    Parameters
    ----------
    stimuli: images of the network's input shape, stalls, resets
    prove_seconds: for each proof; 0: none is looked for

    Raises
    ------
    InputError: they are not versions of one network, a tool is missing
    RunFailed: one of them hangs or breaks a rule of a stream
    """
    require_comparable(one, two)
    # The same top module, whatever each is called.
    before, after = one.verilog, _renamed(two.verilog, two.top, one.top)
    modules = tuple(edits.differing(before, after))
    same_roms = _roms(one, one.top) == _roms(two, one.top)
    if not modules and same_roms:
        return Verdict("text")
    if prove_seconds and same_roms and len(modules) <= MOST_PROOFS:
        layers = [f"{one.top}.{entry['path']}" for entry in one.manifest["layers"]]
        if all(equivalence.same(before, after, name, layers, prove_seconds) for name in modules):
            return Verdict("proof", modules)
    with outputs.temporary_folder() as folder:
        found = _on_stimulus((one, two), stimuli, folder)
    return replace(found, modules=modules)


def require_comparable(one: Emission, two: Emission) -> None:
    """InputError where the two are not versions of one network with the same ports."""
    first, second = one.manifest, two.manifest
    if first["network_digest"] != second["network_digest"]:
        raise InputError(
            f"{one.source} and {two.source}: network_digest: {first['network_digest'][:12]}… and "
            f"{second['network_digest'][:12]}…: two networks; emit both from one"
        )
    ports = [
        {port["name"]: (port["direction"], port["width"]) for port in manifest["ports"]}
        for manifest in (first, second)
    ]
    for name in sorted(set(ports[0]) | set(ports[1])):
        if ports[0].get(name) != ports[1].get(name):
            raise InputError(
                f"{one.source} and {two.source}: ports: {name}: differs; emit both with the same "
                "ports"
            )


def _renamed(text: str, old: str, new: str) -> str:
    """A text whose modules, files of ROMs and macros are called after another top module."""
    return re.sub(rf"(?<![\w$]){re.escape(old)}(?=[.(]|_ROM_FOLDER\b)", new, text)


def _roms(emission: Emission, top: str) -> dict[str, str]:
    """Contents of ROMs in files, by the names that they have below a top module called `top`."""
    return {
        top + name.removeprefix(emission.top): text
        for name, text in emission.files.items()
        if name.endswith(ROM_SUFFIX)
    }


# --- On the same stimulus


def _on_stimulus(versions: Sequence[Emission], stimuli: Stimuli, folder: Path) -> Verdict:
    """The beats of the first version are what the second one has to give."""
    runs: list[Run] = []
    for number, (name, emission) in enumerate(zip(NAMES, versions, strict=True)):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        program = simulation.build(Bench([_dut(emission.manifest)], dict(emission.files)))
        _write(place, program, stimuli, "" if number == 0 else f"../{NAMES[0]}/")
        try:
            runs.append(program.run(place))
        except RunFailed as error:
            message = str(error).removeprefix("cosim: ")
            if number and error.finding.check == "difference":
                return Verdict("stimulus", difference=message)
            raise RunFailed(f"equiv: {name}: {message}", error.lines, error.finding) from None
    widths = {label_of(stream): stream.width for stream in program.built.taps}
    compared = runs[1].compared
    return Verdict(
        "stimulus",
        frames=stimuli.passes * len(stimuli.images),
        beats=sum(stream.beats for stream in compared),
        bits=sum(stream.beats * widths[stream.layer] for stream in compared),
        cycles=tuple(run.cycles for run in runs),
    )


def _dut(manifest: dict[str, Any]) -> Dut:
    """The top module as its manifest describes it, tapped at every layer."""
    layers = [
        Stream(
            entry["name"], f"{entry['path']}.o", entry["width"], entry["signed"],
            tuple(entry["shape"]),
        )
        for entry in manifest["layers"]
    ]  # fmt: skip
    image = Stream("input", "s_axis", 8, False, tuple(manifest["input_shape"]))
    logits = replace(layers[-1], port="m_axis")
    return Dut("dut", manifest["top"], [image], [logits], layers, [], *load_port(manifest))


def _write(folder: Path, program: Program, stimuli: Stimuli, expected: str) -> None:
    """The images, and what each tap has to give: what lies in `expected`, "" for its own beats."""
    (source,) = program.built.sources
    beats = scoreboard.to_bytes(stimuli.images, harness.source_bytes(source))
    (folder / "source_0.bin").write_bytes(beats * stimuli.passes)
    taps = [
        simulation.tap(stream, f"{expected}tap_{number}.bin", 1, ["source_0.bin"])
        for number, stream in enumerate(program.built.taps)
    ]
    # The design's own port is the first tap; the layers come in the network's order behind it.
    program.write_case(folder, stimuli, taps, [*range(1, len(taps)), 0])
