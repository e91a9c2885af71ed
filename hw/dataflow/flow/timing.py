"""Cycles of the layers: when an engine's pixel is read and when its beats appear.

The figures follow from the design, its program and its scales. Of a loadable layer they are those
of the network at hand; other weights take other times, never others' results.
"""

from hw.dataflow.design.design import Design
from hw.dataflow.design.engine import EngineDesign
from hw.dataflow.design.pools import GlobalPoolDesign
from hw.dataflow.design.requantiser import RequantiseDesign
from hw.dataflow.flow.contract import Pipeline
from hw.dataflow.flow.schedule import Timing

PIXELS = 12
"""Pixels in a row looked at: by then they follow each other at their final pace."""


def engine_timing(engine: EngineDesign) -> Timing:
    """Timing of an engine, its operands there and its output taken at once."""
    taps, pe = engine.program.groups.tolist(), engine.pe
    if isinstance(engine.end, RequantiseDesign):
        # Taken, digits and the constant added up, then a beat for each lane; busy until the last.
        digits = engine.end.digits
        again, free, first = digits + 1 + pe, 0, digits + 2
    elif engine.end is None:
        again, free, first = 1, 0, 0
    else:
        # Rounding or the classifier's bias: the sums stay where they are until the last lane left.
        again, free, first = pe, pe - 1, 1
    tap = last = free_at = 0
    beats: list[list[int]] = []
    moved: list[int] = []
    for pixel in range(PIXELS):
        # The window's move leaves a gap of one; the very first tap comes two cycles after it could.
        tap += 1
        for group, steps in enumerate(taps):
            tap = max(tap + steps, free_at)
            last = max(tap + 1, last + again) if pixel or group else tap + 1
            free_at = last + free
            beats.append([last + first + k for k in range(pe)])
        moved.append(tap)
    half = PIXELS // 2
    interval = -((moved[half - 1] - moved[-1]) // half)
    flat = [beat for group in beats for beat in group]
    per_pixel = len(flat) // PIXELS
    offsets = tuple(
        max(flat[n * per_pixel + k] - n * interval for n in range(PIXELS)) for k in range(per_pixel)
    )
    reading = max(done - n * interval for n, done in enumerate(moved))
    return Timing(interval, reading, offsets)


def pool_timing(pool: GlobalPoolDesign) -> Timing:
    """Timing of a global pool: of each mean, once the channel's last beat is there."""
    return Timing(pool.end.digits + 2, 0, (pool.end.digits + 2,))


def timings(design: Design) -> dict[str, Timing]:
    """Timing of every engine and global pool of a design."""
    found = {}
    for name, layer in design.layers.items():
        if isinstance(layer, EngineDesign):
            found[name] = engine_timing(layer)
        elif isinstance(layer, GlobalPoolDesign):
            found[name] = pool_timing(layer)
    return found


def pipeline(engine: EngineDesign) -> Pipeline:
    """What the registers of an engine hold."""
    if engine.end is None:
        # On the output is the element's result; the next maximum waits for it.
        return Pipeline(1, False, 1)
    if isinstance(engine.end, RequantiseDesign):
        return Pipeline(engine.pe, True, 3)
    # Behind the rounded beat the element's result, and the sums under way.
    return Pipeline(engine.pe, False, 2)


def pipelines(design: Design) -> dict[str, Pipeline]:
    """What the registers of every engine of a design hold."""
    return {name: pipeline(engine) for name, engine in design.engines.items()}
