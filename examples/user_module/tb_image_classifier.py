"""cocotb tests of image_classifier; started by run.py."""

import os
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock

from hw.ir import reference, serialize
from hw.verilog import rtl_folder
from sim.stimuli import random_images
from sim.stream import CoverGroup, Scoreboard, Signals, Sink, Source, Testbench, layers

FRAMES = 2
CLASSES = 3


class ClassHeld:
    """Covers how classes are taken: a rule that looks at each cycle and never complains."""

    def __init__(self, cover: CoverGroup):
        self.cover = cover

    def check(self, before, now):
        if now.waits:
            self.cover.hit("class held back")
        elif now.moves and not (before is not None and before.waits):
            self.cover.hit("class taken at once")


def cover_group() -> CoverGroup:
    """What the tests of this module should see, over all of them."""
    return CoverGroup(
        "image_classifier",
        [
            *("black pixel", "white pixel", "class held back", "class taken at once"),
            *(f"class {number}" for number in range(CLASSES + 1)),
        ],
        out_of_reach={f"class {CLASSES}": f"the network has {CLASSES} classes"},
    )


@cocotb.test()
@cocotb.parametrize(
    stall=["never", 0.4, "after_valid", "adversarial"],
)
async def every_image_gets_its_class(dut, stall):
    """Images through the whole module: the classes, and every layer of the network inside."""
    work = Path(os.environ["EXAMPLE_WORK"])
    network = serialize.load(work / "network")
    manifest = rtl_folder.read(work / "rtl").manifest
    images = random_images(network, FRAMES, seed=cocotb.RANDOM_SEED)
    # What this module must do, in NumPy.
    seen = 255 - images
    logits = reference.run(network, seen)[network.graph.output.name]
    classes = logits.reshape(FRAMES, -1).argmax(axis=1)

    Clock(dut.clk, 10, unit="ns").start(start_high=False)
    bench = Testbench(dut.clk, dut.rst)
    source = Source(bench, Signals.from_prefix(dut, "s_axis"), shape=images.shape[1:], stall=stall)
    sink = Sink(bench, Signals.from_prefix(dut, "m_axis"), shape=(1,), stall=stall)
    # Each monitor and agent checks its stream's rules; the scoreboards check what it carries.
    cover = cover_group()
    source.on_beat.append(
        lambda pixel: (
            cover.hit({0: "black pixel", 255: "white pixel"}[pixel]) if pixel in (0, 255) else None
        )
    )
    sink.on_beat.append(lambda number: cover.hit(f"class {number}"))
    sink.rules.append(ClassHeld(cover))
    inside = Scoreboard(network)
    for monitor in layers(bench, dut.network, network, manifest):
        inside.watch(monitor)
    inside.expect(seen)
    outside = Scoreboard()
    outside.watch(sink, "class")
    for number in classes:
        outside.expect_frame("class", np.array([number]))

    await bench.reset()
    for image in images:
        source.send_nowait(image)
    received = await sink.receive(FRAMES)
    await bench.finish()
    assert received[:, 0].tolist() == classes.tolist()
    cover.save(work / "coverage.json")
    beats = sum(watched.compared for watched in inside.streams.values())
    cocotb.log.info(
        f"{FRAMES} images, {bench.cycles} cycles, {beats} beats of {len(inside.streams)} layers "
        f"and {len(classes)} classes compared"
    )


@cocotb.test()
async def reset_in_mid_frame(dut):
    """What was in flight is gone; the next image is classified as if nothing had been."""
    work = Path(os.environ["EXAMPLE_WORK"])
    network = serialize.load(work / "network")
    images = random_images(network, 2, seed=7)
    logits = reference.run(network, 255 - images)[network.graph.output.name]

    Clock(dut.clk, 10, unit="ns").start(start_high=False)
    bench = Testbench(dut.clk, dut.rst)
    source = Source(bench, Signals.from_prefix(dut, "s_axis"), shape=images.shape[1:])
    sink = Sink(bench, Signals.from_prefix(dut, "m_axis"), shape=(1,))
    await bench.reset()
    source.send_nowait(images[0])
    await bench.until(lambda: source.place == images[0].size // 2)
    await bench.reset()
    source.send_nowait(images[1])
    assert (await sink.receive())[0, 0] == logits[1].argmax()
    await bench.finish()
