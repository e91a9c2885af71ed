"""From accumulator to activation: scale by signed powers of two, add the bias, round, saturate."""

# The stubs of amaranth know neither shaped initial values nor integer attributes of a memory.
# pyright: reportArgumentType=false, reportCallIssue=false

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import In, Out

from hw.dataflow.design.requantiser import AddBiasDesign, RequantiseDesign, RoundDesign
from hw.dataflow.design.scales import (
    BIAS_LOGIC_ROWS,
    Operand,
    high_parts,
    step_words,
    steps_layout,
)
from hw.dataflow.layers.elements import sums_layout
from hw.dataflow.layers.rounding import shift_saturate, signed_of
from hw.dataflow.loading.memory import Access, address, attach, enable
from hw.dataflow.places import ram, rom
from hw.dataflow.plan import Place
from hw.ir.format import width_of


class Requantise(wiring.Component):
    """Serial requantiser: v by Horner over the multiplier's digits, one adder a lane, no shifter,
    no multiplier.

    v = 2·(… 2·(2·(constant >> D) + d·acc + b) …) + d0·acc + b0, with D digits d of the multiplier
    in {-1, 0, 1} and the D low bits b of the constant. Then q = clamp(v >> shift).

    Members
    -------
    i: sums (`sums_layout`), with the row if the data choose it; o: output stream, one channel a
        beat
    load_steps, load_bias: the memories, if loadable

    Latency: D + 2 cycles. Throughput: `pe` beats in D + 1 + pe cycles.
    """

    def __init__(self, design: RequantiseDesign):
        self.design, room, pe = design, design.room, design.pe
        self.rows = len(design.scales)
        loads = {}
        if room is not None:
            steps = Access(self.rows * (room.digits + 1), steps_layout(pe).size)
            bias = Access(self.rows, pe * room.bias_bits)
            loads = {"load_steps": In(steps), "load_bias": In(bias)}
        sums = sums_layout(design.acc_width, pe, self.rows if design.by_row else 1)
        super().__init__(
            {
                "i": In(stream.Signature(sums)),
                "o": Out(stream.Signature(signed_of(design.fmt))),
                **loads,
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, room, pe = self.rows, self.design.room, self.design.pe
        bias_rom, step_rom = self._memories(m)
        bias = bias_rom.read_port()
        steps = step_rom.read_port()
        load_bias = self.load_bias if room else None
        load_steps = self.load_steps if room else None
        attach(m, bias_rom, bias, load_bias)
        attach(m, step_rom, steps, load_steps)
        row = Signal(range(rows))
        pointer = Signal(range(step_rom.depth))
        lane = Signal(range(pe))
        accept = Signal()
        busy = Signal()
        done = Signal()
        leave = Signal()
        last = steps.data.last

        # Idle, then a row's steps, then `pe` beats; the last of them makes room for the next sums.
        m.d.comb += [
            leave.eq(done & self.o.ready & (lane == pe - 1)),
            self.i.ready.eq((~busy & ~done) | leave),
            accept.eq(self.i.valid & self.i.ready),
            self.o.valid.eq(done),
            bias.addr.eq(self.i.payload.row if self.design.by_row else address(load_bias, row)),
            bias.en.eq(enable(load_bias, accept)),
            steps.addr.eq(address(load_steps, pointer)),
            # The step read now is done in the next cycle.
            steps.en.eq(enable(load_steps, accept | (busy & ~last))),
        ]
        self._follow(m, steps, row, pointer, accept, busy & last)
        with m.If(done & self.o.ready):
            m.d.sync += lane.eq(Mux(lane == pe - 1, 0, lane + 1))
        with m.If(leave):
            m.d.sync += done.eq(0)
        with m.If(accept):
            m.d.sync += busy.eq(1)
        with m.If(busy & last):
            m.d.sync += [busy.eq(0), done.eq(1)]

        results = [self._lane(m, k, steps, bias, accept, busy) for k in range(pe)]
        m.d.comb += self.o.payload.eq(Array(results)[lane] if pe > 1 else results[0])
        return m

    def _follow(
        self,
        m: Module,
        steps: ReadPort,
        row: Signal,
        pointer: Signal,
        accept: Signal,
        finished: Value,
    ) -> None:
        """Row and step to be read next."""
        rows, length = self.rows, self.design.digits + 1
        if self.design.by_row:
            with m.If(accept), m.Switch(self.i.payload.row):
                for number in range(rows):
                    with m.Case(number):
                        m.d.comb += steps.addr.eq(number * length)
        else:
            with m.If(accept):
                m.d.sync += row.eq(Mux(row == rows - 1, 0, row + 1))
        if self.design.room is None:
            with m.If(steps.en):
                m.d.sync += pointer.eq(Mux(steps.addr == rows * length - 1, 0, steps.addr + 1))
        else:
            # Rows end where their words say so; the row after the last one is the first.
            with m.If(steps.en):
                m.d.sync += pointer.eq(pointer + 1)
            with m.If(finished & (row == 0)):
                m.d.sync += pointer.eq(0)

    def _lane(
        self, m: Module, k: int, steps: ReadPort, bias: ReadPort, accept: Signal, busy: Signal
    ) -> Value:
        """Accumulator, adder and saturation of one lane; its result."""
        width = self.design.width
        acc = Signal(signed(self.design.acc_width), name=f"acc{k}")
        v = Signal(signed(width), name=f"v{k}")
        addend = Signal(signed(width), name=f"addend{k}")
        total = Signal(width + 1, name=f"total{k}")
        step = steps.data.lanes[k]
        with m.If(accept):
            m.d.sync += acc.eq(self.i.payload.acc[k])
        with m.Switch(step.operand):
            with m.Case(Operand.PLUS):
                m.d.comb += addend.eq(acc)
            with m.Case(Operand.MINUS):
                m.d.comb += addend.eq(~acc)
            with m.Case(Operand.BIAS):
                m.d.comb += addend.eq(bias.data[k])
        carry = step.operand == Operand.MINUS
        m.d.comb += total.eq(Cat(carry, step.bit, v[:-1]) + Cat(carry, addend))
        # Never both; in this order clearing is the flip-flop's own reset.
        with m.If(accept):
            m.d.sync += v.eq(0)
        with m.Elif(busy):
            m.d.sync += v.eq(total[1:])
        return shift_saturate(m, v, self.design.shift, self.design.fmt, name=f"lane{k}")

    def _memories(self, m: Module) -> tuple[Memory, Memory]:
        """High parts of each row's constants; each row's steps: the constant, then the digits,
        highest first."""
        design, room = self.design, self.design.room
        highs = high_parts(design.scales, design.digits)
        words = step_words(design.scales, design.digits)
        few = len(highs) <= BIAS_LOGIC_ROWS
        if room is None:
            bias_attributes = rom(Place.LOGIC if few else Place.BLOCK)
            step_attributes = rom(design.place)
            depth = len(words)
        else:
            depth = len(highs) * (room.digits + 1)
            bias_attributes = ram(Place.LUTRAM if few else design.place)
            step_attributes = ram(design.place)
        m.submodules.bias = bias = Memory(
            shape=data.ArrayLayout(signed(design.bias_bits), design.pe),
            depth=len(highs),
            init=highs,
            attrs=bias_attributes,
        )
        m.submodules.steps = steps = Memory(
            shape=steps_layout(design.pe), depth=depth, init=words, attrs=step_attributes
        )
        return bias, steps


class Round(wiring.Component):
    """Requantiser of a layer without batch norm: scale 1, so q = clamp((acc + constant) >> shift).

    Members
    -------
    i: sums (`sums_layout`); o: output stream

    Latency: 1 cycle. Throughput: one beat a cycle.
    """

    def __init__(self, design: RoundDesign):
        self.design = design
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(design.acc_width, design.pe))),
                "o": Out(stream.Signature(signed_of(design.fmt))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        design = self.design
        lane = Signal(range(design.pe))
        last = lane == design.pe - 1
        acc = self.i.payload.acc[lane]
        v = Signal(signed(design.acc_width + 1 + design.constant.bit_length()))
        m.d.comb += v.eq(acc + design.constant)
        room = ~self.o.valid | self.o.ready
        m.d.comb += self.i.ready.eq(room & last)
        with m.If(room):
            m.d.sync += [
                self.o.valid.eq(self.i.valid),
                self.o.payload.eq(shift_saturate(m, v, design.shift, design.fmt, name="lane")),
            ]
            with m.If(self.i.valid):
                m.d.sync += lane.eq(Mux(last, 0, lane + 1))
        return m


class AddBias(wiring.Component):
    """End of the classifier: logit = acc + bias of its class, not requantised.

    Members
    -------
    i: sums (`sums_layout`); o: output stream
    load: the biases' memory, if they are loadable

    Latency: 1 cycle. Throughput: one beat a cycle.
    """

    def __init__(self, design: AddBiasDesign):
        self.design = design
        loads = {}
        if design.bias_bits:
            loads = {"load": In(Access(len(design.biases), design.bias_bits))}
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(design.acc_width, design.pe))),
                "o": Out(stream.Signature(signed_of(design.fmt))),
                **loads,
            }
        )

    def elaborate(self, platform):
        m = Module()
        biases, loaded_bits, pe = self.design.biases, self.design.bias_bits, self.design.pe
        m.submodules.biases = constants = Memory(
            shape=signed(loaded_bits or width_of(min(biases), max(biases))),
            depth=len(biases),
            init=biases,
            # Read in the same cycle: no block RAM does that.
            attrs=ram(Place.LUTRAM) if loaded_bits else rom(Place.LOGIC),
        )
        bias = constants.read_port(domain="comb")
        loader = self.load if loaded_bits else None
        attach(m, constants, bias, loader)
        number = Signal(range(len(biases)))
        lane = Signal(range(pe))
        room = ~self.o.valid | self.o.ready
        m.d.comb += [
            bias.addr.eq(address(loader, number)),
            self.i.ready.eq(room & (lane == pe - 1)),
        ]
        with m.If(room):
            m.d.sync += [
                self.o.valid.eq(self.i.valid),
                self.o.payload.eq(self.i.payload.acc[lane] + bias.data),
            ]
            with m.If(self.i.valid):
                m.d.sync += [
                    lane.eq(Mux(lane == pe - 1, 0, lane + 1)),
                    number.eq(Mux(number == len(biases) - 1, 0, number + 1)),
                ]
        return m


REQUANTISERS = {RequantiseDesign: Requantise, RoundDesign: Round, AddBiasDesign: AddBias}
"""What stands behind an element -> its component."""
