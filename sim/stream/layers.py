"""Monitors on every layer inside a generated network."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from cocotb.handle import SimHandleBase

from hw.ir.network import Network
from sim.stream.monitor import Monitor
from sim.stream.signals import Signals
from sim.stream.testbench import Testbench


def layers(
    bench: Testbench, instance: SimHandleBase, network: Network, manifest: Mapping[str, Any]
) -> list[Monitor]:
    """A monitor on the output stream of each layer, in the network's order, named after the layer.

    Parameters
    ----------
    instance: handle of the emitted top module, wherever it is in the design
    manifest: of the emitted RTL: instance paths, signs

    The simulator must show signals inside the design: Icarus does, Verilator with
    `--public-flat-rw`, which cocotb's runner passes.
    """
    monitors = []
    for entry in manifest["layers"]:
        module: Any = reduce(getattr, entry["path"].split("."), instance)
        monitors.append(
            Monitor(
                bench,
                Signals.from_prefix(module, "o", name=entry["name"]),
                shape=network.graph[entry["name"]].shape,
                signed=entry["signed"],
            )
        )
    return monitors
