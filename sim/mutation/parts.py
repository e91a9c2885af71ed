"""Layers and forks of an emitted design, each simulated on its own: the modules of the text as
they are.

Fed with values of its own at its own pace, a part is driven into corners that its neighbours keep
it from: those that are solved from its weights (`hw.corners`), FIFOs that run full and empty, one
reader that waits for another. And its own pace shows.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from hw.corners.frames import make
from hw.dataflow.design.design import Design
from hw.dataflow.flow.contract import processes
from hw.dataflow.flow.schedule import busy
from hw.dataflow.flow.timing import timings
from hw.ir.arithmetic import out_format
from hw.ir.graph import Graph, Node
from hw.ir.integers import Integers
from hw.ir.network import Network
from hw.verilog.rtl_folder import Emission
from hw.verilog.statements import Module
from sim.designs import Bench, Tensors, wrapped
from sim.harness import Dut, Stream

FORK = "fork_"


def module_of(emission: Emission, node: Node) -> str:
    """Name of a layer's module."""
    return f"{emission.manifest['top']}.{node.name.replace('/', '.')}"


def part_of(network: Network, emission: Emission, module: str) -> str:
    """The module of the layer or the fork that a module lies in; "" for one that only joins
    others."""
    if module.rpartition(".")[2].startswith(FORK):
        return module
    for node in network.graph.nodes[1:]:
        layer = module_of(emission, node)
        if module == layer or module.startswith(f"{layer}."):
            return layer
    return ""


def bench(
    network: Network,
    design: Design,
    emission: Emission,
    modules: Mapping[str, Module],
    seed: int,
) -> Bench:
    """Each of the parts, by the names of their modules, on its own."""
    layers = {module_of(emission, node): node for node in network.graph.nodes[1:]}
    designs, made, sources = [], [], dict(emission.files)
    for number, (name, module) in enumerate(modules.items()):
        instance, outside = f"u{number}", f"part{number}"
        if name in layers:
            made.append(layers[name])
            part = _layer(design, instance, outside, layers[name])
        else:
            made.append(_forked(network.graph, name))
            part = _fork(design, instance, outside, name, module)
        inside, sources[f"{outside}.v"] = wrapped(part, module)
        designs.append(inside)
    forks = set(modules) - set(layers)

    def data(tensors: Tensors) -> Tensors:
        """The tensors only say how many frames there are."""
        frames = len(next(iter(tensors.values())))
        found: dict[str, Integers] = {}
        for number, (name, design, node) in enumerate(zip(modules, designs, made, strict=True)):
            if name in forks:
                rng = np.random.default_rng([seed, number])
                values = _random(network, node.name, frames, rng)
                found |= {stream.label: values for stream in (*design.sources, *design.sinks)}
                continue
            corners = make(network, node, frames, seed)
            found |= {s.label: v for s, v in zip(design.sources, corners.inputs, strict=True)}
            found[design.sinks[0].label] = corners.output
        return found

    return Bench(designs, sources, data)


def _layer(built: Design, instance: str, module: str, node: Node) -> Dut:
    depths = built.fifos.get(node.name, ())
    ports = [f"i{k}" for k in range(len(depths))] or ["i"]
    sources = [
        _stream(built, tensor, f"to {node.name} {port}", port)
        for tensor, port in zip(node.inputs, ports, strict=True)
    ]
    fifos = [
        (f"{node.name} input {k} ({node.inputs[k]})", f"fifo{k}", depth)
        for k, depth in enumerate(depths)
    ]
    return Dut(instance, module, sources, [_stream(built, node.name, "", "o")], [], fifos)


def _forked(graph: Graph, module: str) -> Node:
    """The node whose tensor a fork hands out."""
    name = module.rpartition(".")[2].removeprefix(FORK)
    return next(node for node in graph if node.name.replace("/", "_") == name)


def _fork(built: Design, instance: str, wrapper: str, name: str, module: Module) -> Dut:
    tensor = _forked(built.graph, name).name
    branches = sum(port.endswith("__valid") for port in module.directions) - 1
    sinks = [_stream(built, tensor, f"{name} o{k}", f"o{k}") for k in range(branches)]
    return Dut(instance, wrapper, [_stream(built, tensor, f"{name} i", "i")], sinks, [], [])


def _stream(built: Design, tensor: str, where: str, port: str) -> Stream:
    fmt = built.formats[tensor]
    label = f"{tensor} ({where})" if where else tensor
    return Stream(label, port, fmt.width, fmt.signed, built.graph[tensor].shape)


def _random(network: Network, tensor: str, frames: int, rng: np.random.Generator) -> Integers:
    fmt = out_format(network, tensor)
    shape = (frames, *network.graph[tensor].shape)
    return rng.integers(fmt.qmin, fmt.qmax, shape, endpoint=True)


def paces(built: Design, designs: Iterable[Dut]) -> dict[str, int]:
    """Cycles a frame that each part needs where nothing holds it back, by its sink's label."""
    return dict(_paces(built, designs))


def _paces(built: Design, designs: Iterable[Dut]) -> Iterator[tuple[str, int]]:
    found, contracts = timings(built), processes(built.graph)
    for design in designs:
        for sink in design.sinks:
            if sink.label in contracts:
                yield sink.label, busy(built.graph, contracts[sink.label], found)
            else:
                yield sink.label, sink.beats
