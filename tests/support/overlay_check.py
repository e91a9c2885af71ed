"""A compiled program in the executable model: every plane equal to the reference's tensor."""

import numpy as np

from hw.ir import reference
from hw.ir.network import Network
from hw.overlay.compiler.compile import Compiled, compile_network
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from hw.overlay.model import Machine


def check(network: Network, hardware: Overlay, *, images: int = 0, seed: int = 0) -> Compiled:
    """Run some images (default: a full batch); all planes, logits and cycles agree."""
    compiled = compile_network(network, hardware)
    program, graph = compiled.program, network.graph
    count = images or program.images
    shape = (count, *graph.input.shape)
    pictures = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    wanted = reference.run(network, pictures)
    complete: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for name, places in compiled.places.items():
        for channel, place in enumerate(places):
            complete.setdefault((place.section, place.index), []).append((name, channel))
    seen: set[tuple[str, int, int]] = set()

    def look(machine: Machine, section: str, index: int) -> None:
        for name, channel in complete.get((section, index), ()):
            place, size = compiled.places[name][channel], graph[name].shape[:2]
            start = place.address + place.image * machine.buffer * program.image_step
            words = machine.memory[start : start + place.words]
            of_all = section == "suffix"
            for image in range(len(machine.logits)) if of_all else (machine.image,):
                found = place.pixels(words, size, divmod(image, program.batch[1]))
                expected = wanted[name][first + image, :, :, channel]
                where = f"{name}, channel {channel}, image {first + image}"
                np.testing.assert_array_equal(found, expected, where)
                seen.add((name, channel, first + image))

    machine = Machine(program)
    counted = cycles(program)
    for first in range(0, count, program.images):
        machine.cycles = 0
        batch = pictures[first : first + program.images]
        logits = machine.run(batch, look)
        expected = wanted[graph.output.name][first : first + len(batch)].reshape(len(batch), -1)
        np.testing.assert_array_equal(logits, expected)
        if len(batch) == program.images:
            assert machine.cycles == counted.batch
    assert len(seen) == count * sum(graph[name].shape[2] for name in compiled.places)
    assert set(compiled.places) | {graph.output.name} == {node.name for node in graph}
    return compiled
