"""A batch of a network too long for any program memory through an overlay's Verilog, its program as
a stream: every plane of every node against the reference, every logit, every cycle.

    python benchmarks/overlay_stream.py [--case paper] [--side 16] [--words 1535]
        [--program-words 1024] [--batches 1] [--optimise -O2]

Cases are those of `overlay_cycles.py`; the model is built once and found again in the cache.
Printed are the figures of `docs/overlay.md`. On a machine with other work the processor's time says
more than that of the clock on the wall.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

from overlay_cycles import CASES, network

from hw.networks.images import random_images
from hw.overlay.compiler.compile import compile_network
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from hw.overlay.plan import OverlayPlan
from hw.overlay.programming import fitted
from hw.verilog.emit_overlay import emit
from sim.overlay import run
from sim.overlay.cosim import Hardware, Subject, cosim, sources_of
from sim.runner import Build
from sim.stimuli import Stimuli

WHO = {"own": resource.RUSAGE_SELF, "children's": resource.RUSAGE_CHILDREN}


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints how long it took: on the wall, and of the processor here and in processes begun."""
    start, before = time.monotonic(), [resource.getrusage(who) for who in WHO.values()]
    yield
    wall = time.monotonic() - start
    parts = []
    for name, old, who in zip(WHO, before, WHO.values(), strict=True):
        now = resource.getrusage(who)
        spent = now.ru_utime + now.ru_stime - old.ru_utime - old.ru_stime
        parts.append(f"{name} {spent:.0f} s, most memory so far {now.ru_maxrss / 1024:,.0f} MiB")
    print(f"{what}: {wall:.0f} s; processor: {'; '.join(parts)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=CASES, default="paper")
    parser.add_argument("--side", type=int, default=16)
    parser.add_argument("--words", type=int, default=1535)
    parser.add_argument("--acc-bits", type=int, default=17)
    parser.add_argument("--program-words", type=int, default=1024)
    parser.add_argument("--batches", type=int, default=1)
    parser.add_argument("--optimise", default="-O2", help="g++ flag of the model")
    options = parser.parse_args()
    overlay = Overlay(
        rows=options.side,
        columns=options.side,
        words=options.words,
        acc_bits=options.acc_bits,
        program_words=options.program_words,
        fabric="generic",
    )
    with timed("network"):
        made = network(options.case)
    with timed("program"):
        compiled = fitted(compile_network(made, overlay), stream=True)
    program = compiled.program
    print(
        f"{len(program.prefix):,} words of prefix, {len(program.suffix):,} of suffix, streamed to a"
        f" memory of {overlay.program_depth:,}; longest body {program.longest_body}; batches of"
        f" {program.images}; {cycles(program).batch:,} cycles a batch predicted"
    )
    with timed("Verilog"):
        hardware = Hardware.of(emit(OverlayPlan(overlay, "none", 100.0)))
    build = Build(optimise=options.optimise)
    with timed("model"):
        sources = sources_of(hardware, None)
        model = run.build(overlay, sources, hardware.module, build)
    print(f"model {'found in the cache' if model.model.cached else 'built'}")
    images = random_images(made, options.batches * program.images, 1)
    with timed("simulation and comparison"):
        found = cosim(
            made,
            hardware,
            Stimuli(images, stall=0.0, resets=0),
            Subject(refusals=False),
            build,
            compiled=compiled,
        )
    assert found.cycles_per_frame is not None
    print(
        f"{found.frames} frames, {found.cycles:,} cycles in all,"
        f" {found.cycles_per_frame * program.images:,.0f} of a batch; {found.layers} nodes,"
        f" {found.beats:,} pixels and logits compared, {found.mismatches} bits differ;"
        f" {found.cycles_per_second:,.0f} cycles a second"
    )


if __name__ == "__main__":
    main()
