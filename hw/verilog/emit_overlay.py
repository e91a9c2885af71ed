"""The RTL of an overlay: Verilog; a manifest with ports, registers, parts, sizes, tool versions.

No network is in it: the same plan and tool versions give the same bytes.
"""

from dataclasses import asdict
from typing import Any

from amaranth import Shape
from amaranth.lib.wiring import In

from hw import axi_lite
from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.plan import OverlayPlan, as_dict, from_dict
from hw.overlay.registers import Register
from hw.overlay.rtl.top import Top
from hw.verilog import identifiers, licence, waivers
from hw.verilog.convert import modules, to_rtlil
from hw.verilog.identifiers import TOP
from hw.verilog.overlay_header import header
from hw.verilog.rtl_folder import (
    MANIFEST,
    OVERLAY,
    SCHEMA_VERSION,
    VERILOG_SUFFIX,
    Emission,
    finished,
    tools,
)
from hw.verilog.sharing import shared

PARTS = {
    "array": ("core.array", "lanes, their data memory, and the control that all of them get"),
    "sequencer": ("core.sequencer", "words of the program become steps with addresses"),
    "program": ("core.store", "the program's memory; header and CRC are checked as it comes"),
    "loader": ("core.loader", "bytes of images go to their places in the data memory"),
    "logits": ("core.output", "bits that halvings lose become logits"),
    "registers": ("registers", "what AXI4-Lite shows and sets"),
}
"""What stands in the top: its name, its instance path, what it does."""

CELLS = {"ecp5": ("CCU2C", "DP16KD", "LUT4", "PFUMX", "TRELLIS_FF"), "generic": ()}
"""Cells of the fabric that are instantiated, for which a simulator needs models."""


def emit(plan: OverlayPlan, name: str = TOP, licensed: str = licence.OPEN) -> Emission:
    """Verilog and manifest of an overlay.

    Parameters
    ----------
    name: of the top module; names of all other modules and of the files begin with it
    licensed: the SPDX expression that the Verilog carries

    Raises
    ------
    InputError: `pyosys` is not installed, no module can be called so, or that is no SPDX expression
    """
    identifiers.check(name, "name")
    licence.check(licensed, "licence")
    hardware = plan.hardware
    top = Top(hardware)
    rtl = to_rtlil(top, name)
    for part, (path, _) in PARTS.items():
        assert path in rtl.instances, part
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "style": OVERLAY,
        "top": name,
        "clock": "clk",
        "reset": "rst",
        "ports": _ports(top),
        "registers": {register.name.lower(): 4 * register for register in Register},
        "parts": [
            {"name": part, "path": path, "meaning": meaning}
            for part, (path, meaning) in PARTS.items()
        ],
        "cells": list(CELLS[hardware.fabric]),
        "rom": "inline",
        "licence": licensed,
        "overlay": asdict(hardware),
        "overlay_digest": hardware.digest,
        "isa": isa.VERSION,
        "plan": as_dict(plan),
        "plan_digest": plan.digest,
        "tools": tools(),
    }
    verilog, control = name + VERILOG_SUFFIX, name + waivers.SUFFIX
    body = (text for _, text in modules(shared(rtl.text)))
    head = header(manifest, [verilog, MANIFEST, control])
    files = {
        verilog: "\n".join([head, *body]),
        control: waivers.control_file(verilog),
    }
    return finished(files, manifest)


def plan_in(emission: Emission) -> OverlayPlan:
    """The plan of an overlay's RTL."""
    return from_dict(emission.manifest["plan"])


def _ports(top: Top) -> list[dict[str, Any]]:
    """Name, direction, width and meaning of each port of the top module, in its order."""
    meanings = _meanings(top.overlay)
    members = {"clk": In(1), "rst": In(1), **dict(top.signature.members)}
    return [
        {
            "name": name,
            "direction": "in" if member.flow is In else "out",
            "width": Shape.cast(member.shape).width,
            "meaning": meanings[name],
        }
        for name, member in members.items()
    ]


def _meanings(hardware: Overlay) -> dict[str, str]:
    bus = {
        name: axi_lite.MEANINGS.get(name.removeprefix("s_axil_"), "AXI4-Lite")
        for name in axi_lite.signature(1)
    }
    bits = -(-hardware.logit_bits // 8) * 8
    return {
        "clk": "the only clock, rising edge",
        "rst": "synchronous, active high: images and the program are lost, one cycle is enough. "
        "Registers begin in the same state without it",
        "s_axis_program_tdata": "a word of a program's packet, the words of program.bin in turn",
        "s_axis_program_tvalid": "a word is offered",
        "s_axis_program_tready": "it is taken",
        "s_axis_program_tlast": "with a packet's last word",
        "s_axis_tdata": "one byte of an image, in raster order, channels innermost",
        "s_axis_tvalid": "a byte is offered",
        "s_axis_tready": "it is taken",
        "s_axis_tlast": "accepted and not needed: bytes are counted",
        "m_axis_tdata": f"one logit, in its lowest {hardware.logit_bits} bits, sign-extended to "
        f"{bits}; class 0 first",
        "m_axis_tvalid": "a logit is offered",
        "m_axis_tready": "it is taken",
        "m_axis_tlast": "with a frame's last logit",
        **bus,
    }
