"""Which word of the program comes next: loops without a gap, jumps."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.overlay import isa


class Fetch(wiring.Component):
    """Follows a program through its memory, which answers two cycles after an address.

    Parameters
    ----------
    address_bits: of the memory
    pass_bits: of the number of a body's passes

    Members
    -------
    go: whether words move on; the memory's registers too are enabled by it
    address: of the word that comes two cycles later
    valid: whether the word that the memory shows is one to be done
    pass_end, last: whether it is the last of a body's pass; whether no other pass follows (outside
        of a body: yes)
    body, count: the word shown begins a body of so many words
    passes: it is done once and so many times again, which does not change meanwhile
    jump, target: what follows the word shown is at `target`

    Latency: a jump takes `isa.JUMP_CYCLES`, all else a cycle a word.
    """

    def __init__(self, address_bits: int, pass_bits: int):
        self.address_bits, self.pass_bits = address_bits, pass_bits
        super().__init__(
            {
                "go": In(1),
                "address": Out(address_bits),
                "valid": Out(1),
                "pass_end": Out(1),
                "last": Out(1),
                "body": In(1),
                "count": In(12),
                "passes": In(pass_bits),
                "jump": In(1),
                "target": In(address_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # The addresses of two words: the one that is looked for, and the one behind it in the
        # memory's first register. The third is shown.
        at = Signal(self.address_bits)
        behind = Signal(self.address_bits)
        valid = Signal(2)
        # Where a body's next pass begins, or what a jump leads to.
        start = Signal(self.address_bits)
        jumping = Signal()
        looping = Signal()
        # In a body, the number from 1 of the word that is looked for, and that of the pass from 0.
        number = Signal(12)
        length = Signal(12)
        again = Signal(self.pass_bits)
        at_end = Signal()
        at_last = Signal()
        end_behind = Signal()
        last_behind = Signal()
        m.d.comb += [
            self.address.eq(at),
            at_end.eq(looping & (number == length)),
            at_last.eq(~looping | (again == self.passes)),
        ]
        with m.If(self.go):
            m.d.sync += [
                at.eq(Mux(jumping | (at_end & ~at_last), start, at + 1)),
                behind.eq(at),
                valid.eq(Cat(Const(1), valid[0] & ~jumping)),
                self.valid.eq(valid[1] & ~jumping),
                number.eq(number + 1),
                end_behind.eq(at_end),
                last_behind.eq(at_last),
                self.pass_end.eq(end_behind),
                self.last.eq(last_behind),
                looping.eq(looping & ~(at_end & at_last)),
            ]
            with m.If(at_end):
                m.d.sync += [number.eq(1), again.eq(again + 1)]
            with m.If(self.body):
                # The body's first word is behind, its second one looked for.
                only = self.passes == 0
                m.d.sync += [
                    start.eq(behind),
                    looping.eq(1),
                    length.eq(self.count),
                    number.eq(isa.SHORTEST_BODY),
                    again.eq(0),
                    last_behind.eq(only),
                    self.last.eq(only),
                ]
        m.d.sync += jumping.eq(self.jump | (jumping & ~self.go))
        with m.If(self.jump):
            m.d.sync += [start.eq(self.target), valid.eq(0), self.valid.eq(0), looping.eq(0)]
        return m
