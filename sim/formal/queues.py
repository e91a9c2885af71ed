"""What is proved of the stream parts of hw.dataflow.layers.streams.

FIFO and register slice: every beat leaves once, in order, unchanged; never more beats inside than
there are places; a beat is refused only while all places are taken; it is offered after the
component's latency at the latest, and a waiting beat is accepted in the cycle after one in which
the reader was ready. Nothing is assumed of either side.

Fork: every reader gets every beat once, in order, unchanged, in the very cycle it comes; the beat
is taken when all have it. Assumed: the source keeps the rules of a stream.
"""

from amaranth.hdl import Cat, Module

from hw.dataflow.layers import streams
from sim.formal.bench import Bench, Port, implies
from sim.formal.rules import Tracked, around, follows, stored, track


class BlockRamFifo(streams.Fifo):
    """The FIFO in block RAM at any depth: small ones are proved quickly."""

    def elaborate(self, platform):
        m = Module()
        self._in_block_ram(m)
        return m


def fifo(width: int, depth: int, *, block: bool = False) -> Bench:
    """A FIFO of `depth` beats of `width` bits, in LUT-RAM or block RAM."""
    bench = Bench(BlockRamFifo(width, depth) if block else streams.Fifo(width, depth))
    i, o = bench.source("i"), bench.sink("o")
    beats = track(bench, i, offered=o.valid, leaves=o.transfer, places=depth)
    bench.rule("right_beat", implies(o.valid & (beats.ahead == 0), o.payload == beats.payload))
    if block:
        _in_block_ram(bench, width, depth, o, beats)
        follows(bench, "offered_within_a_cycle", (beats.inside != 0) & ~o.valid, o.valid)
        # One beat may be on its way from the memory to the output register.
        bench.rule("refuses_only_if_memory_full", implies(beats.inside < depth - 1, i.ready))
    else:
        stored(bench, "queue", width, depth, level=beats.inside, place=beats.ahead, beat=beats)
        bench.rule("offered_at_once", implies(beats.inside != 0, o.valid))
        bench.rule("refuses_only_if_full", implies(beats.inside != depth, i.ready))
    follows(bench, "room_after_reader_ready", i.valid & ~i.ready & o.ready, i.ready)
    return bench


def _in_block_ram(bench: Bench, width: int, depth: int, o: Port, beats: Tracked) -> None:
    """The output register is the first place; the memory holds the rest."""
    places = depth - 1
    level = bench.probe("stored", range(places + 1))
    oldest = bench.probe("read__addr", range(places))
    newest = bench.probe("write__addr", range(places))
    rows = bench.memory("storage", width, places)
    bench.lemma("level_in_range", level <= places)
    behind = beats.ahead - o.valid
    bench.lemma("level_counts", level + o.valid == beats.inside)
    bench.lemma("pointers_in_range", (oldest < places) & (newest < places))
    bench.lemma("pointers_apart", newest == around(oldest + level, places))
    bench.lemma(
        "tracked_beat_stored",
        implies(
            beats.here & ~(o.valid & (beats.ahead == 0)),
            rows[around(oldest + behind[: len(beats.ahead)], places)] == beats.payload,
        ),
    )


def skid(width: int) -> Bench:
    """The register slice for beats of `width` bits."""
    bench = Bench(streams.Skid(width))
    i, o = bench.source("i"), bench.sink("o")
    beats = track(bench, i, offered=o.valid, leaves=o.transfer, places=2)
    spare = bench.probe("spare", width)
    bench.rule("right_beat", implies(o.valid & (beats.ahead == 0), o.payload == beats.payload))
    bench.rule("offered_at_once", implies(beats.inside != 0, o.valid))
    bench.rule("refuses_only_if_full", i.ready == (beats.inside != 2))
    bench.lemma(
        "spare_holds_second",
        implies((beats.inside == 2) & (beats.ahead == 1), spare == beats.payload),
    )
    follows(bench, "room_after_reader_ready", i.valid & ~i.ready & o.ready, i.ready)
    bench.cover("full_speed", i.transfer & o.transfer)
    return bench


def fork(width: int, branches: int) -> Bench:
    """A fork of beats of `width` bits to `branches` readers."""
    bench = Bench(streams.Fork(width, branches))
    m, i = bench.module, bench.source("i", obedient=True)
    done = bench.probe("done", branches)
    served = []
    for k in range(branches):
        o = bench.sink(f"o{k}")
        got = bench.register(f"got{k}", 1)
        m.d.sync += got.eq(~i.transfer & (got | o.transfer))
        served.append(got | o.transfer)
        bench.rule(f"o{k}_only_with_input", implies(o.valid, i.valid))
        bench.rule(f"o{k}_never_twice", implies(o.valid, ~got))
        bench.rule(f"o{k}_never_skipped", implies(i.transfer, got | o.transfer))
        bench.rule(f"o{k}_same_payload", implies(o.valid, o.payload == i.payload))
        bench.rule(f"o{k}_offered_at_once", implies(i.valid & ~got, o.valid))
        bench.lemma(f"o{k}_remembers", done[k] == got)
        bench.lemma(f"o{k}_got_only_while_offered", implies(got, i.valid))
        bench.cover(f"o{k}_waits_for_others", got)
    bench.rule("taken_when_all_have_it", implies(i.valid & Cat(served).all(), i.ready))
    bench.cover("all_at_once", i.transfer & ~done.any())
    return bench
