"""What must hold of beats on their way through a component."""

from dataclasses import dataclass

from amaranth.hdl import Signal, Value

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


def track(bench: Bench, i: Port, o: Port, places: int, name: str = "beats") -> Tracked:
    """Follow the beats from `i` to `o` and state that none is invented, none one too many inside.

    With the rule that the tracked beat is at the output when its turn has come (`Tracked.ahead`
    is 0), the beats leave in order, each once: none is lost, repeated or overtaken.

    Parameters
    ----------
    places: the most beats that may be inside
    name: prefix of the statements
    """
    m = bench.module
    bits = (places + 1).bit_length()
    number = bench.fixed(f"{name}_number", bits)
    accepted, given = bench.register(f"{name}_in", bits), bench.register(f"{name}_out", bits)
    payload = bench.register(f"{name}_tracked", Value.cast(i.payload).shape())
    inside = bench.named(f"{name}_inside", (accepted - given)[:bits])
    ahead = bench.named(f"{name}_ahead", (number - given)[:bits])
    with m.If(i.transfer):
        m.d.sync += accepted.eq(accepted + 1)
        with m.If(accepted == number):
            m.d.sync += payload.eq(Value.cast(i.payload))
    with m.If(o.transfer):
        m.d.sync += given.eq(given + 1)
    bench.rule(f"{name}_never_overflow", inside <= places)
    bench.rule(f"{name}_never_invented", implies(o.valid, inside != 0))
    bench.cover(f"{name}_all_places_full", inside == places)
    bench.cover(f"{name}_number_wraps", (accepted < given) & o.transfer)
    return Tracked(inside, ahead, ahead < inside, payload)


def follows(bench: Bench, name: str, cause: Value, effect: Value) -> None:
    """State that the cycle after `cause` has `effect`."""
    was = Signal(name=f"{name}_cause")
    bench.module.d.sync += was.eq(cause)
    bench.rule(name, implies(was, effect))
