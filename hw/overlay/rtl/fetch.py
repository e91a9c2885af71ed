"""Which word of the program comes next: loops without a gap, jumps, words that have not arrived."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.overlay import isa


class Fetch(wiring.Component):
    """Follows a program through its memory, which answers two cycles after an address, and a
    register behind it.

    Addresses have a bit more than the memory has: a program that is longer than the memory lies in
    it as in a ring, and this bit tells the words of one turn from those of the next.

    Parameters
    ----------
    address_bits: of the memory
    pass_bits: of the number of a body's passes

    Members
    -------
    go: whether words move on; the memory's registers too are enabled by it
    address: of the word that is shown three cycles later
    written: of the first word that has not arrived; what waits for it are words that are none;
        latest: of the one before it
    held: of the oldest word that may be asked for once more
    starved: the word that is looked for has not arrived
    valid: whether the word shown is one of the program; coming: whether the next one is, where
        nothing leaves; leaves: the next one is none
    pass_end, last: whether it is the last of a body's pass; whether no other pass follows (outside
        of a body: yes)
    body, count: the word shown begins a body of so many words
    once, passes: it is done once and so many times again, one less than a power of two, which does
        not change meanwhile; once: not again. `passes` may be a cycle late.
    begin: the program begins, at 0
    leave: what follows the word shown is looked for anew: with `jump` it is at `target`, or with
        `onwards` the word behind it; without, what was jumped to last, a section's first word,
        where no body has come since then

    Latency: a jump takes `isa.JUMP_CYCLES`, all else a cycle a word.
    """

    def __init__(self, address_bits: int, pass_bits: int):
        self.address_bits, self.pass_bits = address_bits, pass_bits
        super().__init__(
            {
                "go": In(1),
                "address": Out(address_bits + 1),
                "written": In(address_bits + 1),
                "latest": In(address_bits + 1),
                "held": Out(address_bits + 1),
                "starved": Out(1),
                "valid": Out(1),
                "coming": Out(1),
                "leaves": Out(1),
                "pass_end": Out(1),
                "last": Out(1),
                "body": In(1),
                "count": In(12),
                "once": In(1),
                "passes": In(pass_bits),
                "begin": In(1),
                "leave": In(1),
                "jump": In(1),
                "onwards": In(1),
                "target": In(address_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # The addresses of three words: the one that is looked for, and those behind it in the
        # memory's registers. The fourth is shown. Of a word that is none it is the address of the
        # word that it stands for.
        at = Signal(self.address_bits + 1, reset_less=True)
        first = Signal(self.address_bits + 1, reset_less=True)
        second = Signal(self.address_bits + 1, reset_less=True)
        valid = Signal(3, reset_less=True)
        shown = Signal(reset_less=True)
        held = Signal(self.address_bits + 1, reset_less=True)
        pass_end = Signal(reset_less=True)
        last = Signal(reset_less=True)
        # Where a body's next pass begins, or what a jump leads to.
        start = Signal(self.address_bits + 1, reset_less=True)
        leave = Signal()
        jumping = Signal()
        looping = Signal(reset_less=True)
        there = Signal()
        # In a body, the number from 1 of the word behind that which is looked for, and that of the
        # pass from 0; whether it is the pass's last word, and that the last pass, is found a cycle
        # before.
        number = Signal(12, reset_less=True)
        length = Signal(12, reset_less=True)
        again = Signal(self.pass_bits, reset_less=True)
        ending = Signal(reset_less=True)
        final = Signal(reset_less=True)
        at_end = Signal()
        at_last = Signal()
        ends = Signal(2, reset_less=True)
        lasts = Signal(2, reset_less=True)
        shortest = Signal()
        m.d.comb += [
            self.address.eq(at),
            self.held.eq(held),
            self.valid.eq(shown),
            self.pass_end.eq(pass_end),
            self.last.eq(last),
            leave.eq(self.begin | self.leave),
            self.leaves.eq(leave),
            self.starved.eq(~there),
            at_end.eq(looping & ending),
            at_last.eq(~looping | final),
            self.coming.eq(valid[2] & ~jumping),
            shortest.eq((self.count == isa.SHORTEST_BODY) & valid[1] & valid[2] & there),
        ]
        with m.If(self.go):
            m.d.sync += [
                first.eq(at),
                second.eq(first),
                valid.eq(Cat(Const(1), (valid[:2] & Cat(there, 1)) & ~jumping.replicate(2))),
                shown.eq(self.coming),
                ends.eq(Cat(at_end, ends)),
                lasts.eq(Cat(at_last, lasts)),
                pass_end.eq(ends[1]),
                last.eq(lasts[1]),
            ]
            with m.If(jumping | there):
                m.d.sync += at.eq(Mux(jumping | (at_end & ~at_last), start, at + 1))
            with m.If(there):
                m.d.sync += [
                    number.eq(number + 1),
                    ending.eq(number == length),
                    looping.eq(looping & ~(at_end & at_last)),
                ]
                with m.If(at_end):
                    m.d.sync += [number.eq(2), ending.eq(0), again.eq(again + 1)]
                    m.d.sync += final.eq((Cat(~again[0], again[1:]) | ~self.passes).all())
            with m.If(valid[2] & ~looping & ~leave):
                m.d.sync += held.eq(second)
            with m.If(self.body):
                # The body's first two words are behind, its third one looked for: those that have
                # arrived.
                m.d.sync += [
                    start.eq(second),
                    looping.eq(1),
                    length.eq(self.count),
                    ending.eq(shortest),
                    final.eq(self.once),
                    number.eq(_two_more(valid[1], valid[2], there)),
                    again.eq(0),
                    lasts.eq(self.once.replicate(2)),
                    last.eq(self.once),
                ]
        # Whether it has arrived is found a cycle before, too: for what has just come, one later.
        with m.If(jumping):
            m.d.sync += there.eq(start != self.written)
        with m.Elif(there & self.go):
            m.d.sync += there.eq((at_end & ~at_last) | (at != self.latest))
        with m.Else():
            m.d.sync += there.eq(at != self.written)
        m.d.sync += jumping.eq(leave | (jumping & ~self.go))
        with m.If(leave):
            m.d.sync += [valid.eq(0), shown.eq(0), looping.eq(0)]
        with m.If(self.begin):
            m.d.sync += [start.eq(0), held.eq(0)]
        with m.Elif(self.jump):
            m.d.sync += start.eq(Mux(self.onwards, second, self.target))
        return m


def _two_more(*bits: Value) -> Value:
    """Two more than the number of these three bits that are one."""
    assert isa.SHORTEST_BODY == len(bits) + 1
    a, b, c = bits
    some = (a & b) | (a & c) | (b & c)
    return Cat(a ^ b ^ c, ~some, some)
