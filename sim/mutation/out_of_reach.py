"""Clamps that are wrong at a value which their layer never has: told from its numbers.

Such a mutant is no change in this network, but the prover, which knows nothing of weights in a
program or of the sums that formats allow, seldom finds that out. Which values a layer can have is
known exactly (`sim.coverage.reach`).
"""

import re

from hw.corners.rules import Mean
from hw.ir.arithmetic import in_formats
from hw.ir.graph import AvgPool, GlobalPool
from hw.ir.network import Network
from sim.coverage import instances
from sim.coverage.values import rounded_kind
from sim.mutation.sites import CLAMP, Mutant

_VALUE = re.compile(r" != (?P<width>\d+)'h(?P<digits>[0-9a-f]+)\) \? ")


def reason(network: Network, layer: str, mutant: Mutant) -> str:
    """Why the layer that a mutant lies in never has the value at which it is wrong; "" where it
    may, and for mutants of other kinds."""
    found = _VALUE.search(mutant.after)
    if mutant.kind != CLAMP or not layer or found is None:
        return ""
    node, value = network.graph[layer], int(found["digits"], 16)
    if value >> int(found["width"]) - 1:
        value -= 1 << int(found["width"])
    if isinstance(node, AvgPool | GlobalPool):
        return _of_a_mean(network, node, value)
    if rounded_kind(node) is None:
        return ""
    name = instances.ONE_ABOVE if value > 0 else instances.ONE_BELOW
    said = instances.clamp_out_of_reach(network, node).get(name)
    return f"{value} is no value of {layer}: {said}" if said else ""


def _of_a_mean(network: Network, node: AvgPool | GlobalPool, value: int) -> str:
    """A mean grows with its sum, so that its ends are those of sums of equal codes."""
    (fmt,) = in_formats(network, node.name)
    (shape,) = network.graph.in_shapes(node)
    most = shape[0] * shape[1] if isinstance(node, GlobalPool) else node.kernel[0] * node.kernel[1]
    mean = Mean(fmt)
    ends = [mean.code(n * end, n) for n in range(1, most + 1) for end in (fmt.qmin, fmt.qmax)]
    low, high = min(ends), max(ends)
    if low <= value <= high:
        return ""
    return f"{value} is no value of {node.name}: its means are {low} to {high}"
