"""Layers of an emitted design, each simulated on its own: the modules of the text as they are.

Fed with the reference's tensors at its own pace, a layer is driven into corners that its neighbours
keep it from: every FIFO runs full and empty, and its own pace shows.
"""

from collections.abc import Iterable, Mapping

from hw.emit import Emission
from hw.flow import processes
from hw.ir.arithmetic import out_format
from hw.ir.graph import Add, Concat, Node
from hw.ir.network import Network
from hw.plan import Plan
from hw.schedule import busy
from hw.timing import timings
from sim.designs import Bench
from sim.harness import Design, Stream


def module_of(emission: Emission, node: Node) -> str:
    """Name of a layer's module."""
    return f"{emission.manifest['top']}.{node.name.replace('/', '.')}"


def bench(network: Network, emission: Emission, nodes: Iterable[Node]) -> Bench:
    """Each of the layers on its own."""
    designs = []
    for number, node in enumerate(nodes):
        joins = isinstance(node, Add | Concat)
        ports = [f"i{k}" for k in range(len(node.inputs))] if joins else ["i"]
        fifos = [(f"{node.name} input {k} ({t})", f"fifo{k}") for k, t in enumerate(node.inputs)]
        designs.append(
            Design(
                f"u{number}",
                module_of(emission, node),
                [_stream(network, t, p) for t, p in zip(node.inputs, ports, strict=True)],
                [_stream(network, node.name, "o")],
                [],
                fifos if joins else [],
            )
        )
    return Bench(designs, dict(emission.files))


def _stream(network: Network, tensor: str, port: str) -> Stream:
    fmt = out_format(network, tensor)
    return Stream(tensor, port, fmt.width, fmt.signed, network.graph[tensor].shape)


def paces(network: Network, plan: Plan) -> Mapping[str, int]:
    """Cycles a frame that each layer needs where nothing holds it back."""
    found = timings(network, plan)
    return {
        name: busy(network.graph, contract, found)
        for name, contract in processes(network.graph).items()
    }
