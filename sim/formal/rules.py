"""What must hold of beats on their way through a component."""

from dataclasses import dataclass

from amaranth.hdl import Mux, Signal, Value

from sim.formal.bench import Bench, Port, implies


@dataclass(frozen=True)
class Tracked:
    """One arbitrary beat of a stream, followed through the component.

    Beats are numbered modulo a power of two that exceeds what the component can hold, so that the
    number names one beat among those inside. Since the number is any, what is proved of this beat
    holds for every beat, for all time.

    Attributes
    ----------
    inside: beats accepted and not yet given out
    ahead: how many beats leave before the tracked one, counted modulo as well
    here: the tracked beat is inside
    payload: what it was when it came in
    """

    inside: Value
    ahead: Value
    here: Value
    payload: Signal


def track(
    bench: Bench,
    i: Port,
    *,
    offered: Value,
    leaves: Value,
    places: int,
    name: str = "beats",
    number: Signal | None = None,
) -> Tracked:
    """Follow the beats of the input `i` and state that none is invented, none one too many inside.

    With the rule that the tracked beat is offered when its turn has come (`Tracked.ahead` is 0),
    the beats leave in order, each once: none is lost, repeated or overtaken.

    Parameters
    ----------
    offered: a beat of this input, or what was made of it, is offered at the output
    leaves: and is taken in this cycle
    places: the most beats that may be inside
    name: prefix of the statements
    number: of the tracked beat, where several inputs share it; at least as wide as `places` + 1
    """
    m = bench.module
    bits = (places + 1).bit_length() if number is None else len(number)
    number = bench.fixed(f"{name}_number", bits) if number is None else number
    accepted, given = bench.register(f"{name}_in", bits), bench.register(f"{name}_out", bits)
    payload = bench.register(f"{name}_tracked", Value.cast(i.payload).shape())
    inside = bench.named(f"{name}_inside", (accepted - given)[:bits])
    ahead = bench.named(f"{name}_ahead", (number - given)[:bits])
    with m.If(i.transfer):
        m.d.sync += accepted.eq(accepted + 1)
        with m.If(accepted == number):
            m.d.sync += payload.eq(Value.cast(i.payload))
    with m.If(leaves):
        m.d.sync += given.eq(given + 1)
    bench.rule(f"{name}_never_overflow", inside <= places)
    bench.rule(f"{name}_never_invented", implies(offered, inside != 0))
    bench.cover(f"{name}_all_places_full", inside == places)
    return Tracked(inside, ahead, ahead < inside, payload)


def follows(bench: Bench, name: str, cause: Value, effect: Value) -> None:
    """State that the cycle after `cause` has `effect`."""
    was = Signal(name=f"{name}_cause")
    bench.module.d.sync += was.eq(cause)
    bench.rule(name, implies(was, effect))


def stored(
    bench: Bench, path: str, width: int, depth: int, *, level: Value, place: Value, beat: Tracked
) -> None:
    """Lemmas of a FIFO in LUT-RAM inside the component: a ring buffer that holds the beats.

    Parameters
    ----------
    path: instance path of the queue
    level: how many beats the model says it holds
    place: how many of them are ahead of the tracked beat
    """
    name = path.replace(".", "_")
    held = bench.probe(f"{path}.level", range(depth + 1))
    oldest = bench.probe(f"{path}.consume", range(depth))
    newest = bench.probe(f"{path}.produce", range(depth))
    rows = bench.memory(f"{path}.storage", width, depth)
    bench.lemma(f"{name}_level_counts", held == level)
    bench.lemma(f"{name}_level_in_range", held <= depth)
    bench.lemma(f"{name}_pointers_in_range", (oldest < depth) & (newest < depth))
    bench.lemma(f"{name}_pointers_apart", newest == around(oldest + held, depth))
    row = rows[around(oldest + place, depth)]
    bench.lemma(f"{name}_has_tracked", implies(place < level, row == beat.payload.as_unsigned()))


def around(place: Value, places: int) -> Value:
    """A row of a ring buffer, `place` below twice its size."""
    return Mux(place >= places, place - places, place)
