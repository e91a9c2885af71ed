"""Checks one streaming component, converted to Verilog, in Verilator under cocotb.

from sim.component import check
check(component, {"i": pixels}, expected)
"""

import json
import random
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from amaranth import Shape
from amaranth.lib import stream, wiring

from hw import outputs
from hw.verilog.convert import to_verilog
from sim import runner
from sim.stalls import Stall, holds

DEFAULT_STALLS: tuple[tuple[Stall, Stall], ...] = (
    (0, 0),
    (0.5, 0.5),
    ("bursts", 0),
    (0, "bursts"),
    (0.2, "after_valid"),
)
"""(source, sink) pairs: at full speed, both at random, starved in bursts, blocked in bursts, ready
only after valid.
"""


@dataclass(frozen=True)
class Checked:
    """What a check did.

    Parameters
    ----------
    cycles: for each stall pair, cycles from the end of reset to the last output beat
    beats: output beats compared, over all stall pairs
    model: the simulation program used
    """

    cycles: tuple[int, ...]
    beats: int
    model: runner.Model


def check(
    component: wiring.Component,
    inputs: Mapping[str, Sequence[int]],
    expected: Sequence[int] | Mapping[str, Sequence[int]],
    *,
    shape: tuple[int, int, int] | None = None,
    stalls: Sequence[tuple[Stall, Stall]] = DEFAULT_STALLS,
    seed: int = 0,
    patience: int = 20_000,
    waves: Path | None = None,
    simulator: str = runner.Simulator.VERILATOR,
    cells: Mapping[str, str] | None = None,
) -> Checked:
    """Feed `inputs` and compare every output beat with `expected`, once for each pair of stalls.

    The component is reset between the runs. Every stream is checked too: valid stays until the beat
    is taken, the payload does not change meanwhile, no beat is missing, none is one too many, all
    input is accepted.

    Parameters
    ----------
    component: with stream ports only (In and Out of stream.Signature; integer payloads),
    synchronous to `sync`
    inputs: input port -> beats, as integers in the payload's range (numpy integers are fine)
    expected: beats of the one output port, or output port -> beats
    shape: (height, width, channels) of the output, so that a mismatch is reported by frame, pixel
    and channel
    stalls: (source, sink) pairs; each a probability or the name of a pattern, see
    sim.stalls
    seed: of the stalls
    patience: cycles without any transfer after which the component is said to hang
    waves: folder that gets `dump.vcd`
    simulator: one of `sim.runner.Simulator`
    cells: Verilog of what the component has as instances, by file name

    Raises
    ------
    CheckFailed: the first mismatch, protocol error or hang; ValueError: the call does not fit the
    ports, or would compare nothing; no such stall.
    InputError: a tool is missing.
    """
    verilog = to_verilog(component, "dut")
    if not stalls:
        raise ValueError("stalls: expected at least one pair; nothing would be run")
    for pair in stalls:
        for stall in pair:
            holds(stall, random.Random(0))
    case, ports = _case(component, inputs, expected)
    case |= {
        "shape": shape,
        "seed": seed,
        "patience": patience,
        "stalls": [{"source": source, "sink": sink} for source, sink in stalls],
    }
    how = runner.Build(runner.Simulator(simulator), waves=waves is not None)
    model = runner.build({**(cells or {}), "dut.v": verilog}, "dut", how, public=ports)
    with nullcontext(waves) if waves else outputs.temporary_folder() as folder:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "case.json"
        file.write_text(json.dumps(case), encoding="utf-8")
        environment = {"SHIFTNAS_CASE": str(file.resolve())}
        runner.run(model, "sim.tb_component", folder, seed=seed, env=environment)
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    beats = len(stalls) * sum(len(port["beats"]) for port in case["outputs"].values())
    return Checked(tuple(result["cycles"]), beats, model)


def _case(
    component: wiring.Component,
    inputs: Mapping[str, Sequence[int]],
    expected: Sequence[int] | Mapping[str, Sequence[int]],
) -> tuple[dict, list[str]]:
    """The streams of a case as plain data, and the names of all ports."""
    found: dict[str, dict[str, dict]] = {"inputs": {}, "outputs": {}}
    ports = ["clk", "rst"]
    flows = {}
    for name, member in component.signature.members.items():
        if not (member.is_signature and isinstance(member.signature, stream.Signature)):
            raise ValueError(f"{type(component).__name__}: port {name!r} is no stream")
        payload = Shape.cast(member.signature.members["payload"].shape)
        flows[name] = (member.flow == wiring.In, payload)
        ports += [f"{name}__valid", f"{name}__ready", f"{name}__payload"]
    outputs = [name for name, (is_input, _) in flows.items() if not is_input]
    if not isinstance(expected, Mapping):
        if len(outputs) != 1:
            raise ValueError(
                f"{type(component).__name__} has outputs {outputs}: give `expected` as a mapping"
            )
        expected = {outputs[0]: expected}
    given = {name for name, (is_input, _) in flows.items() if is_input}
    if set(inputs) != given or set(expected) != set(outputs):
        raise ValueError(
            f"{type(component).__name__} has inputs {sorted(given)} and outputs {outputs}; "
            f"got {sorted(inputs)} and {sorted(expected)}"
        )
    for kind, streams in (("inputs", inputs), ("outputs", expected)):
        for name, beats in streams.items():
            payload = flows[name][1]
            low, high = (
                (-(1 << (payload.width - 1)), (1 << (payload.width - 1)) - 1)
                if payload.signed
                else (0, (1 << payload.width) - 1)
            )
            values = [int(beat) for beat in beats]
            if kind == "outputs" and not values:
                raise ValueError(f"{name}: no beats expected; nothing would be compared")
            if values and not low <= min(values) <= max(values) <= high:
                raise ValueError(
                    f"{name}: beats span [{min(values)}, {max(values)}], "
                    f"the payload holds [{low}, {high}]"
                )
            found[kind][name] = {"signed": payload.signed, "beats": values}
    return found, ports
