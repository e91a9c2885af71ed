"""The RTL of a network as a stream of layers: Verilog, and a manifest with ports, layers, formats,
plan, digests, tool versions.

The top module, and with it every module and file but the manifest, may be called something else,
so that several networks go into one design. The same network, plan and tool versions give the
same bytes.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from math import prod
from typing import Any

from amaranth import Shape
from amaranth.lib.wiring import In

from hw import axi_lite
from hw.dataflow import cost
from hw.dataflow.design.design import Design
from hw.dataflow.design.design import design as design_of
from hw.dataflow.flow.buffers import at_full_speed, needed_depths, short
from hw.dataflow.loading import axi
from hw.dataflow.loading.addresses import address_bits, address_map
from hw.dataflow.loading.image import describe as describe_loading
from hw.dataflow.plan import as_dict, from_dict
from hw.dataflow.top import Top
from hw.errors import InputError
from hw.ir.format import IMAGE_FORMAT, Format
from hw.ir.graph import Node
from hw.ir.network import Network
from hw.ir.schema import stored
from hw.verilog import identifiers, licence, roms, waivers
from hw.verilog.convert import modules, to_rtlil
from hw.verilog.header import counted, describe, header, layer_note
from hw.verilog.identifiers import TOP
from hw.verilog.rtl_folder import (
    MANIFEST,
    SCHEMA_VERSION,
    VERILOG_SUFFIX,
    Emission,
    finished,
    tools,
)


def emit(
    design: Design,
    rom: str = roms.Rom.INLINE,
    name: str = TOP,
    licensed: str = licence.DEFAULT,
) -> Emission:
    """Verilog and manifest of a design.

    Parameters
    ----------
    rom: one of `roms.Rom`
    name: of the top module; names of all other modules and of the files begin with it
    licensed: the SPDX expression that the Verilog carries

    Raises
    ------
    InputError: `pyosys` is not installed, the plan is not for this network, no module can be
    called so, or that is no SPDX expression.
    """
    identifiers.check(name, "name")
    licence.check(licensed, "licence")
    if rom not in tuple(roms.Rom):
        raise InputError(f"rom: expected one of {', '.join(roms.Rom)}, found {rom!r}")
    plan = design.plan
    if plan.network != design.digest:
        raise InputError(
            f"plan: network: is for the network {plan.network[:12]}…, this one is "
            f"{design.digest[:12]}…; run `shiftnas plan` on this network"
        )
    rtl = to_rtlil(Top(design), name)
    layers = list(_layers(design))
    for layer in layers:
        # Scoreboards and reports rely on the paths: a name Amaranth had to change is a defect.
        assert layer["path"] in rtl.instances, layer["path"]
    predicted, fast = cost.predict(design), at_full_speed(design)
    output = design.graph.output
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "top": name,
        "clock": "clk",
        "reset": "rst",
        "ports": [*_ports(design), *_load_ports(design)],
        "input_shape": list(design.graph.input.shape),
        "output": {**_format(design.formats[output.name]), "count": prod(output.shape)},
        "layers": layers,
        "rom": str(rom),
        "licence": licensed,
        "cycles_per_frame": predicted.cycles_per_frame,
        "latency_cycles": predicted.latency,
        "short_buffers": [asdict(one) for one in short(design, fast)],
        "fifos": _fifos(design, fast),
        "plan": as_dict(plan),
        "network_digest": design.digest,
        "plan_digest": plan.digest,
        "tools": tools(),
    }
    if plan.loadable:
        manifest["load"] = describe_loading(design)
    files = _files(rtl.text, manifest, {f"{name}.{layer['path']}": layer for layer in layers})
    return finished(files, manifest)


def _files(
    rtlil: str, manifest: dict[str, Any], layers: dict[str, dict[str, Any]]
) -> dict[str, str]:
    """Content of each file by name; `layers` by the name of their module."""
    verilog = manifest["top"] + VERILOG_SUFFIX
    control = manifest["top"] + waivers.SUFFIX
    body, files = [], {control: waivers.control_file(verilog)}
    for name, text in modules(rtlil):
        match roms.Rom(manifest["rom"]):
            case roms.Rom.HEX:
                text, contents = roms.extract(name, text)
                files |= contents
                if name == manifest["top"]:
                    text = f"{roms.folder(name)}\n{text}"
            case roms.Rom.INLINE:
                pass
        body.append((layer_note(layers[name]) if name in layers else "") + text)
    listed = [verilog, MANIFEST, *files]
    return {verilog: "\n".join([header(manifest, listed), *body]), **files}


def design_in(network: Network, emission: Emission) -> Design:
    """The design that RTL has, for the network or another one of its structure."""
    return design_of(network, replace(from_dict(emission.manifest["plan"]), network=network.digest))


def _layers(design: Design) -> Iterator[dict[str, Any]]:
    graph, plan = design.graph, design.plan
    for node in graph.nodes[1:]:
        kind = type(node).__name__
        known = {field.name for field in fields(Node)}
        attributes = {n: v for n, v in stored(node).items() if n not in known}
        attributes = dict(sorted(attributes.items(), key=lambda item: _rank(item[0])))
        entry = {
            "name": node.name,
            "path": node.name.replace("/", "."),
            "kind": kind,
            "operation": describe(kind, attributes),
            "attributes": _plain(attributes),
            "inputs": list(node.inputs),
            "input_formats": [
                {"shape": list(graph[name].shape), **_format(design.formats[name])}
                for name in node.inputs
            ],
            "shape": list(node.shape),
            **_format(design.formats[node.name]),
            "beats_per_frame": prod(node.shape),
        }
        if node.name in plan.layers:
            entry["plan"] = plan.layers[node.name].file_entry()
        elif node.name in plan.fifos:
            entry["plan"] = {"fifos": list(plan.fifos[node.name])}
        yield entry


def _rank(attribute: str) -> tuple[int, str]:
    """The order of a node's attributes for people."""
    known = ("kernel", "stride", "padding", "dilation", "groups", "relu_in", "batch_norm")
    return known.index(attribute) if attribute in known else len(known), attribute


def _format(fmt: Format) -> dict[str, Any]:
    return {"width": fmt.width, **stored(fmt)}


def _fifos(design: Design, fast: Design) -> dict[str, list[dict[str, int]]]:
    """For each input of each join: the depth built, those without deadlock and at full speed."""
    return {
        name: [
            {"depth": depth, "deadlock": needed.deadlock, "throughput": needed.throughput}
            for depth, needed in zip(design.fifos[name], depths, strict=True)
        ]
        for name, depths in needed_depths(design, fast).items()
    }


def _ports(design: Design) -> list[dict[str, Any]]:
    """Name, direction, width and meaning of each port of the top module, in its order."""
    graph = design.graph
    shape, classes = graph.input.shape, prod(graph.output.shape)
    fmt = design.formats[graph.output.name]
    image, bits = " x ".join(map(str, shape)), -(-fmt.width // 8) * 8
    reset = (
        "synchronous, active high: drops the frames under way, clears valids, counters and FIFOs; "
        "one cycle is enough. Registers begin in the same state without it"
    )
    pixels = (
        f"one byte of an image, {IMAGE_FORMAT}; a frame is {image} (height x width x channels) = "
        f"{counted(prod(shape), 'beat')} in raster order, channels innermost"
    )
    logits = (
        f"one logit, {fmt}, sign-extended to {bits} bits; a frame is {counted(classes, 'beat')}, "
        "class 0 first"
    )
    ports = {
        "clk": ("in", 1, "the only clock, rising edge"),
        "rst": ("in", 1, reset),
        "s_axis_tdata": ("in", 8, pixels),
        "s_axis_tvalid": ("in", 1, "a byte is offered"),
        "s_axis_tready": ("out", 1, "it is taken"),
        "s_axis_tlast": ("in", 1, "accepted and not needed: frames are counted"),
        "m_axis_tdata": ("out", bits, logits),
        "m_axis_tvalid": ("out", 1, "a logit is offered"),
        "m_axis_tready": ("in", 1, "it is taken"),
        "m_axis_tlast": ("out", 1, "with a frame's last logit"),
    }
    return [
        {"name": name, "direction": direction, "width": width, "meaning": meaning}
        for name, (direction, width, meaning) in ports.items()
    ]


def _load_ports(design: Design) -> list[dict[str, Any]]:
    """The AXI4-Lite port of a loadable network."""
    if not design.plan.loadable:
        return []
    return [
        {
            "name": name,
            "direction": "in" if member.flow is In else "out",
            "width": Shape.cast(member.shape).width,
            "meaning": axi.MEANINGS.get(name.removeprefix("s_axil_"), "AXI4-Lite"),
        }
        for name, member in axi_lite.signature(address_bits(address_map(design))).items()
    ]


def _plain(value: Any) -> Any:
    """Tuples become lists, as JSON has them."""
    return json.loads(json.dumps(value))
