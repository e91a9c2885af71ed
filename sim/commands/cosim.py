"""The subcommand cosim."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from hw import console, outputs
from hw.commands.options import (
    DATA,
    FOLDER,
    OUTPUT,
    Number,
    allow_edited_option,
    network_argument,
    plan_option,
    plugin_option,
)
from hw.commands.plans import built
from hw.errors import CheckFailed, InputError
from sim import junit
from sim.commands.options import check_junit, given, junit_option, refuse
from sim.harness import STALL_PATTERNS
from sim.level import Level
from sim.runner import Simulator
from sim.stimuli import RESETS, Stimuli, default_images

BOTH = "both"
WITH_A_CHANCE = ("mixed", "bernoulli")
"""Patterns of stalls that `--stall` is a chance of."""

SHOWN = {
    "verilator": "Verilator",
    "icarus": "Icarus",
    BOTH: "Verilator and Icarus: same beats, same cycles (figures of Icarus)",
}


@click.command(cls=console.Command)
@network_argument
@plan_option
@click.option("--rtl", type=FOLDER, help="Simulate this RTL folder, as `emit` wrote it.")
@allow_edited_option
@click.option(
    "--load",
    "loads",
    is_flag=True,
    help="Load the weights into --rtl, which may be another network's, and read them back.",
)
@click.option(
    "--data", type=DATA, metavar="D", help="Test images of a data set; default: random ones."
)
@click.option("--images", "images_file", type=FOLDER, help="Images: .npy, uint8 (N, H, W, C).")
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    help="Images to run through; default: 4, for a small network 8, or all that --images has "
    "where they are fewer.",
)
@click.option(
    "--level",
    type=click.Choice([*map(str, reversed(Level))]),
    default=str(Level.NETWORK),
    show_default=True,
    help="The whole network, or each cell, layer or processing element on its own.",
)
@click.option(
    "--only", metavar="NAME", multiple=True, help="Only this cell or layer; may be repeated."
)
@click.option(
    "--assertions",
    "asserted",
    is_flag=True,
    help="Bind assertions to the Verilog: streams, FIFOs, counters, in every instance.",
)
@click.option(
    "--corners",
    type=click.IntRange(min=0),
    metavar="N",
    help="At levels op and pe: frames that drive each layer into its corners; 0: none; default: as"
    " many as they need, within bounds.",
)
@click.option("--stream", is_flag=True, help="Of an overlay: stream the program though it fits.")
@click.option(
    "--programs",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Of an overlay: random programs, which no compiler wrote, after the network's.",
)
@click.option("--gates", is_flag=True, help="Simulate the netlist that Yosys makes for an ECP5.")
@click.option("--flat", is_flag=True, help="With --gates: the flattened netlist that is placed.")
@click.option(
    "--each", is_flag=True, help="One after the other, a model for each: for large networks."
)
@click.option(
    "--stall",
    type=Number(0, 1, max_open=True),
    default=0.25,
    show_default=True,
    help="Images run once more under stalls, the random ones with this chance; 0: they do not.",
)
@click.option(
    "--stall-pattern",
    type=click.Choice(STALL_PATTERNS),
    default="mixed",
    show_default=True,
    help="When streams pause; mixed: one frame with each of the others.",
)
@click.option(
    "--resets",
    type=click.IntRange(min=0),
    default=RESETS,
    show_default=True,
    help="Runs that are begun and cut off by a reset, each in another state; 0: none.",
)
@click.option(
    "--simulator",
    type=click.Choice([*map(str, Simulator), BOTH]),
    default=str(Simulator.VERILATOR),
    show_default=True,
    help="Icarus is slow, but it knows X; both: one after the other, cycle counts compared.",
)
@click.option(
    "--coverage",
    "coverage_file",
    type=FOLDER,
    help="Add the run's functional coverage to this file (made if need be).",
)
@click.option(
    "--code-coverage",
    "code_file",
    type=FOLDER,
    help="Add the lines, branches and bits of the Verilog that the run exercises to this file.",
)
@click.option("--waves", is_flag=True, help="Write the waves, dump.vcd, to --out.")
@click.option(
    "--out", type=OUTPUT, help="Keep the run's files here; with --waves by default: cosim."
)
@junit_option("stream that is compared")
@console.seed_option
@plugin_option
@console.force_option
@console.json_option
def cosim(
    folder: Path,
    plan_file: Path | None,
    rtl: Path | None,
    allow_edited: bool,
    loads: bool,
    data: str | None,
    images_file: Path | None,
    frames: int | None,
    level: str,
    only: tuple[str, ...],
    corners: int | None,
    each: bool,
    asserted: bool,
    stream: bool,
    programs: int,
    gates: bool,
    flat: bool,
    stall: float,
    stall_pattern: str,
    resets: int,
    simulator: str,
    coverage_file: Path | None,
    code_file: Path | None,
    waves: bool,
    out: Path | None,
    junit_file: Path | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Simulate the Verilog of a NETWORK and compare every bit of every layer with the reference."""
    from hw.dataflow import plan_file as plans
    from hw.ir import constant, reference, serialize
    from hw.verilog import edits, rtl_folder
    from sim import designs
    from sim import gates as gate_level
    from sim.code_coverage import store as code_store
    from sim.commands import cosim_overlay as overlays
    from sim.cosim import Subject, require_fitting
    from sim.coverage import hardware, store
    from sim.runner import Build
    from sim.simulation import RunFailed

    both = simulator == BOTH
    refuse(
        (each and level == Level.NETWORK,
         "--each: is for the parts of a level; give --level cell, op or pe"),
        (each and both, "--each: takes one simulator at a time; give --simulator verilator"),
        (bool(corners) and level not in (Level.OP, Level.PE),
         "--corners: are for layers on their own; give --level op or pe"),
        (flat and not gates, "--flat: is a form of the netlist; add --gates"),
        (loads and rtl is None, "--load: needs loadable RTL; add --rtl"),
        (loads and level != Level.NETWORK,
         "--load: parts of a network have no port for it; leave out --level"),
        (programs > 0 and level != Level.NETWORK,
         "--programs: come after the whole network's; leave --level out"),
        (allow_edited and rtl is None, "--allow-edited: is about an RTL folder; add --rtl"),
        (gates and rtl is not None and level != Level.NETWORK,
         "--gates: of --rtl only the whole network is synthesised; leave out --level"),
        (not stall and stall_pattern not in ("mixed", "never"),
         f"--stall-pattern: {stall_pattern} is for the second pass, which --stall 0 leaves out"),
        (bool(stall) and given("stall") and stall_pattern not in WITH_A_CHANCE,
         f"--stall: the pattern {stall_pattern} has no chance; leave --stall out"),
        (asserted and level != Level.NETWORK,
         "--assertions: are bound to the whole network; leave out --level"),
        (asserted and gates,
         "--assertions: are bound to the Verilog, not to a netlist; leave one of the two out"),
        (asserted and simulator != Simulator.VERILATOR,
         "--assertions: Icarus knows none; leave --simulator out"),
        (gates and simulator != Simulator.VERILATOR,
         "--gates: netlists are for Verilator; leave --simulator out"),
        (code_file is not None and simulator != Simulator.VERILATOR,
         "--code-coverage: Verilator counts it; leave --simulator out"),
        (code_file is not None and (gates or each),
         "--code-coverage: is of the Verilog, in one model; leave --gates and --each out"),
        (code_file is not None and level != Level.NETWORK and rtl is None,
         "--code-coverage: parts of a network are counted in its own Verilog; add --rtl"),
    )  # fmt: skip
    _find_tools(simulator)
    if coverage_file is not None:
        store.check(coverage_file)
    if code_file is not None:
        code_store.check(code_file)
    out = Path("cosim") if waves and out is None else out
    if out is not None:
        outputs.require_absent(out, force)
    check_junit(junit_file, force)
    network = serialize.load(folder)
    if coverage_file is not None:
        hardware.require_known(network)
    designs.chosen(network, level, only)
    images = default_images(network, _images(network, data, images_file), frames, seed)
    reference.check_images(network, images)
    overlay = overlays.emission(rtl, plan_file, allow_edited)
    if overlay is not None:
        flags = [("load", loads), ("assertions", asserted), ("each", each)]
        covers = [
            name
            for name, file in (("coverage", coverage_file), ("code-coverage", code_file))
            if file
        ]
        refuse(*overlays.refusals(level, gates, covers, corners, flags))
        emission, design, edited = overlay, None, overlays.edited(overlay)
    elif stream:
        raise InputError("--stream: is of an overlay's program; leave it out")
    elif programs:
        raise InputError("--programs: are for an overlay; leave it out")
    elif rtl is None:
        emission, design, edited = None, built(network, plan_file), []
    else:
        emission, design = rtl_folder.read(rtl, allow_edited=allow_edited), None
        edited = edits.against(network, emission)
        if (
            plan_file is not None
            and plans.load(plan_file).digest != emission.manifest["plan_digest"]
        ):
            raise InputError(
                f"{plan_file}: not the plan that {rtl} was emitted with; leave --plan out"
            )
    for line in edited:
        assert rtl is not None
        console.note(f"cosim: {rtl / line}")
    form = (gate_level.FLAT if flat else gate_level.HIERARCHY) if gates else None
    stimuli = Stimuli(images, stall, stall_pattern, seed, resets=resets, corners=corners)
    first = Simulator.ICARUS if both else Simulator(simulator)
    build = Build(first, waves=waves, code_coverage=code_file is not None)
    through: list[Any] = []
    if overlay is not None:
        own = frames is not None or data is not None or images_file is not None
        chosen = overlays.Subject(level, only, form, stream=stream, programs=programs)
        cover = coverage_file is not None
        run = partial(overlays.simulate, network, overlay, stimuli, chosen, own, cover=cover)
    else:
        subject = Subject(level, only, emission, form, (network,) if loads else (), asserted)
        require_fitting(network, subject, build)
        cover = coverage_file is not None
        simulate = partial(_each, through) if each else _whole
        run = partial(simulate, network, design, stimuli, subject, cover=cover)
    with junit.report(junit_file, "cosim") as cases:
        try:
            result, parts = _kept(out, force, partial(run, build))
        except RunFailed as error:
            cases += _streams(through) + _failed(level, error)
            raise
        cases += _streams(parts)
        if both:
            _agree(run(Build(), folder=None)[0], result)
    if coverage_file is not None:
        _add_coverage(parts, coverage_file)
    if code_file is not None:
        code_store.add(result.code_coverage, code_file)
    if result.constant_logits:
        console.note(f"cosim: {constant.WARNING.format(count=len(images))}")
    for line in _slower(result):
        console.note(f"cosim: {line}")
    content = _content(result, simulator, parts if each else ()) | {"edited": edited}
    if as_json:
        console.print_json(content)
    else:
        _print(content)


def _find_tools(simulator: str) -> None:
    from sim import tools

    if simulator != Simulator.ICARUS:
        tools.find()
    if simulator != Simulator.VERILATOR:
        tools.find_icarus()


def _images(network: Any, data: str | None, file: Path | None) -> np.ndarray | None:
    """The images that the call names; None: random ones are wanted."""
    images = None
    if data is not None:
        from hw import data as data_sets

        size = network.graph.input.shape[:2]
        images = data_sets.load(data, data_sets.evaluated(data), size=size).images
    if file is not None:
        if data is not None:
            raise InputError("--images: --data names images too; give one of the two")
        from hw.networks.images import read_images

        images = read_images(file)
    return images


def _streams(parts: Sequence[Any]) -> list[Any]:
    """A case of the report for each stream of these parts."""
    return [
        junit.Case(f"cosim.{part.result.level}", stream.layer)
        for part in parts
        for stream in part.result.compared
    ]


def _failed(level: str, error: Any) -> list[Any]:
    """The cases of a run that failed: its streams, and what was found first where it is named."""
    group, finding = f"cosim.{level}", error.finding
    found = {
        stream.layer: junit.Case(group, stream.layer, failure=str(stream.difference or ""))
        for stream in finding.compared
    }
    name = finding.layer if finding.layer in found else finding.check
    found[name] = junit.Case(group, name, failure=junit.text(error), kind=finding.check)
    return list(found.values())


def _each(through: list[Any], *job: Any, **options: Any) -> tuple[Any, Sequence[Any]]:
    """Co-simulate part after part, a line for each: all figures in one, and the parts.

    `through` gets each part as soon as it is done.
    """
    from sim.one_by_one import each, total

    def done(part) -> None:
        through.append(part)
        figures = _figures(part)
        console.note(
            f"cosim: {part.name}: {figures['beats']:,} beats, {figures['bits']:,} bits compared, "
            f"{figures['mismatches']} differ; {figures['cycles']:,} cycles at "
            f"{figures['cycles_per_second']:,.0f} a second; model built in "
            f"{figures['build_seconds']:.1f} s, run in {figures['seconds']:.1f} s"
        )

    parts = each(*job, done=done, **options)
    return total(parts), parts


def _whole(
    network, design, stimuli, subject, *job: Any, **options: Any
) -> tuple[Any, Sequence[Any]]:
    """Co-simulate all in one model with a progress display: the figures, and the one part."""
    from sim.cosim import cosim as simulate
    from sim.one_by_one import Part

    form = "" if subject.gates is None else f", gates ({subject.gates})"
    console.note(f"cosim: building the model, level {subject.level}{form}")
    with ExitStack() as stack:
        display = None
        done = 0

        def watch(frames_done: int, total: int) -> None:
            """Entered when the simulation runs, so that the time left is its own."""
            nonlocal display, done
            if display is None:
                display = stack.enter_context(console.progress("frames", total))
            if frames_done > done:
                display.advance(frames_done - done)
                done = frames_done

        result = simulate(network, design, stimuli, subject, *job, watch=watch, **options)
    return result, [Part(subject.level, result)]


def _kept(out: Path | None, force: bool, run: Callable[..., Any]) -> Any:
    """What `run` returns; the folder it writes to is kept even where a check failed."""
    if out is None:
        return run(folder=None)
    failure = None
    with outputs.folder(out, force) as place:
        try:
            return run(folder=place)
        except CheckFailed as error:
            failure = error
    raise failure


def _add_coverage(parts: Sequence[Any], file: Path) -> None:
    from sim.coverage import store

    for part in parts:
        if part.result.coverage is not None:
            store.add(part.result.coverage, file)


def _figures(part) -> dict[str, Any]:
    """A part's figures, for its line and for the JSON object."""
    keys = ("layers", "beats", "bits", "mismatches", "cycles", "cycles_per_frame")
    keys += ("cycles_per_second", "build_seconds", "seconds")
    return {"name": part.name} | {key: _rounded(getattr(part.result, key)) for key in keys}


def _agree(first: Any, second: Any) -> None:
    """Two runs, each equal to the reference in every beat, took the same number of cycles.

    Raises
    ------
    CheckFailed: they did not.
    """
    for field in ("beats", "cycles", "latency", "cycles_per_frame"):
        one, two = getattr(first, field), getattr(second, field)
        if one != two:
            raise CheckFailed(
                f"cosim: {field}: {one} in {first.simulator}, {two} in {second.simulator}"
            )


def _slower(result: Any) -> list[str]:
    """Lines about a pace that is not the predicted one, and the buffers it may be owed to."""
    predicted = result.predicted_cycles_per_frame
    found = result.cycles_per_frame
    if predicted is None or found is None or round(found) <= predicted:
        return []
    pace = f"{found:,.0f} cycles a frame, {predicted:,} predicted"
    return [f"slower than predicted: {pace}", *result.short_buffers]


def _content(result: Any, simulator: str, parts: Sequence[Any]) -> dict[str, Any]:
    """The documented JSON."""
    content = asdict(replace(result, coverage=None, code_coverage=None))
    del content["coverage"], content["code_coverage"]
    content["compared"] = {layer.layer: layer.beats for layer in result.compared}
    content["simulator"] = simulator
    content = {key: _rounded(value) for key, value in content.items()}
    return content | ({"parts": [_figures(part) for part in parts]} if parts else {})


def _rounded(value: Any) -> Any:
    return round(value, 2) if isinstance(value, float) else value


def _print(content: dict[str, Any]) -> None:
    if content["gates"]:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in content["gates"].items())
        click.echo(f"gates       {counts}")
    corners = content["corners"]
    if corners["frames"]:
        click.echo(
            f"corners     {corners['reached']:,} reached in {corners['frames']} frames for each "
            f"layer, {corners['out_of_reach']:,} out of reach, {corners['no_room']:,} without room"
        )
    beats, bits = f"{content['beats']:,}", f"{content['bits']:,}"
    click.echo(
        f"simulator   {SHOWN[content['simulator']]}\n"
        f"frames      {content['frames']} ({content['stalled_frames']} of them under stalls)\n"
        f"layers      {content['layers']}\n"
        f"beats       {beats} compared\n"
        f"bits        {bits} compared, {content['mismatches']} differ\n"
        f"cycles      {_cycles(content)}\n"
        f"speed       {content['cycles_per_second']:,.0f} cycles/s; "
        f"model built in {content['build_seconds']:.1f} s, run in {content['seconds']:.1f} s"
    )


def _cycles(content: dict[str, Any]) -> str:
    """Of the run, and those of a frame that were measured."""
    frame, first = content["cycles_per_frame"], content["latency"]
    said = [f"{content['cycles']:,}"]
    said += [] if frame is None else [f"{frame:,.0f} a frame"]
    return ", ".join(said + ([] if first is None else [f"first frame after {first:,}"]))
