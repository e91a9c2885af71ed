"""Reads a program and makes micro-operations of it."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay import isa
from hw.overlay.hardware import Overlay
from hw.overlay.isa import Flow, Op, Register
from hw.overlay.rtl.addresses import AXES, PLACE_BITS, Addresses, place, request
from hw.overlay.rtl.fetch import Fetch
from hw.overlay.rtl.issue import Issue, step, write
from hw.overlay.rtl.micro_op import OUTPUT_CONTROL, micro_op
from hw.overlay.rtl.pipeline import Pipeline
from hw.overlay.rtl.small import incremented, less

PLACES = 1 << (2 * PLACE_BITS)


def shape_of_program(overlay: Overlay) -> data.StructLayout:
    """What a program says of itself, beside its words.

    streamed: its sections come one behind the other, as often as they are done
    suffix: address of the suffix; the prefix begins at 0; of one that is streamed nothing
    rows, columns: images of a batch, down and across, less one
    image_step: words from the first image buffer to the second
    """
    return data.StructLayout(
        {
            "streamed": 1,
            "suffix": (overlay.program_words - 1).bit_length(),
            "rows": PLACE_BITS,
            "columns": PLACE_BITS,
            "image_step": (overlay.words - 1).bit_length(),
        }
    )


class Sequencer(wiring.Component):
    """The prefix for each image of a batch, the suffix for the batch, and again.

    Members
    -------
    run: whether a program is there; without it all registers are zero
    program: see `shape_of_program`; constant while `run`
    address, word, next: the program's memory: the word at an address, two cycles of `next` later
    written, latest, held, starved: how far the program has come, see `Fetch`
    image: an image is there, in the buffer whose turn it is; took: it is being read from now on
    free: the image that was taken is not read any more
    flush: a batch that has begun and waits for an image does without it, and without all behind it
    room: whether the output takes another logit
    write, write_valid, write_ready: a pixel from elsewhere, see `Issue`
    o, logit: see `Issue`
    waiting: the cycle is none of a batch: there was no image
    idle: no batch has begun, and nothing is left of the last one
    batch_done: the last word of a batch leaves the sequencer
    """

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        self.address_bits = (overlay.program_words - 1).bit_length()
        size = overlay.rows, overlay.columns, overlay.data_bits, overlay.words
        super().__init__(
            {
                "run": In(1),
                "program": In(shape_of_program(overlay)),
                "address": Out(self.address_bits),
                "next": Out(1),
                "written": In(self.address_bits + 1),
                "latest": In(self.address_bits + 1),
                "held": Out(self.address_bits + 1),
                "starved": Out(1),
                "word": In(isa.WORD_BITS),
                "image": In(1),
                "took": Out(1),
                "free": Out(1),
                "flush": In(1),
                "room": In(1),
                "write": In(write(overlay)),
                "write_valid": In(1),
                "write_ready": Out(1),
                "o": Out(micro_op(*size)),
                "logit": Out(OUTPUT_CONTROL),
                "waiting": Out(1),
                "idle": Out(1),
                "batch_done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = fetch = Fetch(self.address_bits, (self.overlay.words - 1).bit_length())
        m.submodules.addresses = addresses = Addresses(self.overlay)
        m.submodules.issue = issue = Issue(self.overlay)
        go = Signal()
        fetches, early, late, beside = (issue.go[copy] for copy in range(1, 5))
        waits = Signal()
        # The word shown is to be done.
        valid = Signal(reset_less=True)
        # The rest of a section that is not done, as there is no image for it.
        skipping = Signal(reset_less=True)
        m.d.comb += [
            addresses.go.eq(Cat(early, late)),
            addresses.run.eq(self.run),
            addresses.image_step.eq(self.program.image_step),
            fetch.go.eq(go),
            self.address.eq(fetch.address[: self.address_bits]),
            self.next.eq(fetches),
            fetch.written.eq(self.written),
            fetch.latest.eq(self.latest),
            self.held.eq(fetch.held),
            self.starved.eq(fetch.starved),
        ]
        # What a word is, is found before it is shown.
        word = Signal(isa.WORD_BITS, name="shown")
        coming = Signal()
        m.d.comb += coming.eq(fetch.coming & ~skipping)
        with m.If(go):
            m.d.sync += [word.eq(self.word), valid.eq(coming)]
        with m.If(fetch.leaves):
            m.d.sync += valid.eq(0)
        operation = {
            op: self._kind(m, fetch, op.name, coming & (self.word[12:] == 8 | op)) for op in Op
        }
        weight = self._kind(m, fetch, "weight", coming & ~self.word[15])
        in_flow = (8 | Op.FLOW) << 4
        flow = {}
        for kind in Flow:
            found = fetch.coming if kind is Flow.END_PREFIX else coming
            found &= self.word[8:] == in_flow | kind
            flow[kind] = self._kind(m, fetch, kind.name, found)
        ends = (self.word[8:] == in_flow | Flow.END_PREFIX) & fetch.coming
        ends |= (self.word[8:] == in_flow | Flow.END_SUFFIX) & coming
        ends = self._kind(m, fetch, "end", ends)
        registers = self._registers(m, go, word, operation)
        row, column, first = self._images(m, go, fetch, flow, ends, waits, skipping)
        buffer = Signal(init=1)
        with m.If(~self.run):
            m.d.sync += buffer.eq(1)
        with m.Elif(self.took):
            m.d.sync += buffer.eq(~buffer)
        pitch = registers[Register.OUT_PITCH]
        up = {axis: Signal(3, name=f"up_{axis}") for axis in AXES}
        for axis, part in zip(AXES, (pitch[4:], pitch[:4]), strict=True):
            m.d.comb += up[axis].eq(Mux(part[3], 0, part[:3]))
        together = Signal(4)
        m.d.comb += together.eq(up["y"] + up["x"])
        m.d.sync += [fetch.passes[bit].eq(together > bit) for bit in range(len(fetch.passes))]
        m.d.comb += [
            fetch.body.eq(operation[Op.BODY] & go),
            fetch.count.eq(word[:12]),
            fetch.once.eq(~(up["y"].any() | up["x"].any())),
        ]
        asked = self._request(m, fetch, word, operation, registers, valid, buffer, row, column)
        m.d.comb += addresses.i.eq(asked)
        self._steps(
            m, beside, word, valid & ~waits, weight, first, operation, flow, registers, addresses,
            issue,
        )  # fmt: skip
        m.d.comb += go.eq(issue.go[0])
        m.d.comb += [
            self.free.eq(issue.free),
            issue.room.eq(self.room),
            issue.write.eq(self.write),
            issue.write_valid.eq(self.write_valid),
            self.write_ready.eq(issue.write_ready),
            self.o.eq(issue.o),
            self.logit.eq(issue.logit),
        ]
        return m

    def _kind(self, m: Module, fetch: Fetch, name: str, found: Value) -> Signal:
        """Whether the word shown is one of a kind; `found`: whether the next one is."""
        kind = Signal(name=f"is_{name.lower()}", reset_less=True)
        with m.If(fetch.go):
            m.d.sync += kind.eq(found)
        with m.If(fetch.leaves):
            m.d.sync += kind.eq(0)
        return kind

    def _registers(self, m: Module, go: Signal, word, operation) -> dict[Register, Signal]:
        """What SET and DEST set, in stage D; the bounds are kept behind the address stages."""
        bounds = range(Register.LAST_ROW, Register.OUTPUT)
        registers = {
            register: Signal(8, name=register.name.lower(), reset_less=True)
            for register in Register
            if register not in bounds
        }
        for register, held in registers.items():
            with m.If(operation[Op.SET] & go & (word[8:12] == register)):
                m.d.sync += held.eq(word[:8])
            with m.If(~self.run):
                m.d.sync += held.eq(0)
        return registers

    def _images(
        self, m: Module, go, fetch: Fetch, flow, ends, waits, skipping
    ) -> tuple[Signal, Signal, Signal]:
        """Which image of the batch it is, and where the program goes on; whether it is the first.

        Returns its row and column in the batch.
        """
        row = Signal(PLACE_BITS, reset_less=True)
        column = Signal(PLACE_BITS, reset_less=True)
        present = Signal(range(PLACES + 1), reset_less=True)
        first = Signal(init=1)
        # Without an image the prefix's first word is done again, until there is one.
        fails = Signal()
        failed = Signal(reset_less=True)
        # The batch does without the images that are left.
        short = Signal(reset_less=True)
        streamed = self.program.streamed
        # Known a cycle late; what they depend on changes longer than that before it matters.
        there = Signal()
        at_end = Signal()
        does_without = Signal()
        restarts = Signal()
        m.d.sync += [
            first.eq((row == 0) & (column == 0)),
            there.eq(self.image & ~short),
            at_end.eq((row == self.program.rows) & (column == self.program.columns)),
            does_without.eq((self.flush | short) & ~first),
            restarts.eq((self.flush | short) & ~first & ~streamed),
        ]
        m.d.comb += [
            waits.eq(flow[Flow.WAIT_IMAGE] & ~there),
            fails.eq(waits & go),
            self.took.eq(flow[Flow.WAIT_IMAGE] & there & go),
        ]
        begin = Signal()
        end = Signal()
        over = Signal()
        early = Signal()
        m.d.comb += [
            begin.eq(~self.run),
            end.eq(flow[Flow.END_PREFIX] & go),
            over.eq(flow[Flow.END_SUFFIX] & go),
            early.eq(fails & does_without),
        ]
        with m.If(fails):
            m.d.sync += failed.eq(1)
        with m.If(self.took | early | begin):
            m.d.sync += failed.eq(0)
        with m.If(self.took):
            m.d.sync += present.eq(incremented(present))
        with m.If(end):
            m.d.sync += skipping.eq(0)
            with m.If(at_end):
                m.d.sync += [row.eq(0), column.eq(0)]
            with m.Elif(column == self.program.columns):
                m.d.sync += [row.eq(row + 1), column.eq(0)]
            with m.Else():
                m.d.sync += column.eq(column + 1)
        with m.If(early & ~restarts):
            # The words come nevertheless.
            m.d.sync += [short.eq(1), skipping.eq(1)]
        with m.If(begin | over):
            m.d.sync += [present.eq(0), short.eq(0)]
        with m.If(begin | over | (fails & restarts)):
            m.d.sync += [row.eq(0), column.eq(0)]
        with m.If(begin):
            m.d.sync += skipping.eq(0)
        m.d.comb += [
            fetch.begin.eq(begin),
            fetch.leave.eq(go & (ends | waits)),
            fetch.jump.eq(go & (ends | (waits & restarts))),
            fetch.onwards.eq(streamed),
            fetch.target.eq(
                Mux(
                    flow[Flow.END_SUFFIX] | (flow[Flow.END_PREFIX] & ~at_end),
                    0,
                    self.program.suffix,
                )
            ),
        ]
        self._present = present
        self._none = begin | fails | (failed & ~self.took)
        return row, column, first

    def _request(self, m: Module, fetch, word, operation, registers, valid, buffer, row, column):
        """The address stages' part of the word in stage D."""
        asked = Signal(request(self.overlay))
        weight = ~word[15]
        mode = registers[Register.MODE]
        tap_bits = mode[:3]
        dest = Signal(12, reset_less=True)
        capturing = operation[Op.CAPTURE]
        last = fetch.last
        with m.If(operation[Op.DEST] & self.next):
            m.d.sync += dest.eq(word[:12])
        with m.If(capturing & self.next & word[8] & last):
            m.d.sync += dest.eq(dest + 1)
        with m.If(~self.run):
            m.d.sync += dest.eq(0)
        base = Cat(registers[Register.BASE_LOW], registers[Register.BASE_HIGH])[:12]
        slot = Signal(isa.OPERAND_BITS)
        taps = {axis: Signal(isa.MOST_TAP_BITS, name=f"tap_{axis}") for axis in AXES}
        with m.Switch(Cat(tap_bits, ~weight)):
            for bits in range(isa.MOST_TAP_BITS + 1):
                low = isa.OPERAND_BITS - 2 * bits
                with m.Case(bits):
                    m.d.comb += [
                        slot.eq(word[:low]),
                        taps["x"].eq(word[low : low + bits]),
                        taps["y"].eq(word[low + bits : low + 2 * bits]),
                    ]
            with m.Default():
                m.d.comb += slot.eq(word[4:8])
        bound = operation[Op.SET] & (word[8:12] >= Register.LAST_ROW)
        bound = bound & (word[8:12] < Register.OUTPUT)
        # A last row is a bound of those beyond it; a first class ends before its bound.
        value = Signal(9)
        inclusive = ~((word[8:12] == Register.FIRST_Y) | (word[8:12] == Register.FIRST_X))
        m.d.comb += [
            value.eq(word[:8] + inclusive),
            asked.weight.eq(weight),
            asked.capture.eq(capturing),
            asked.plane.eq(Mux(weight, base, dest)),
            asked.slot.eq(slot),
            asked.image.eq(weight & mode[4]),
            asked.buffer.eq(buffer),
            asked.pass_end.eq(valid & fetch.pass_end),
            asked.last.eq(last),
            asked.pitch_out_x.eq(registers[Register.OUT_PITCH][:4]),
        ]
        pitches = {
            name: dict(zip(AXES, (registers[r][4:], registers[r][:4]), strict=True))
            for name, r in (("in", Register.IN_PITCH), ("out", Register.OUT_PITCH))
        }
        per_axis = {
            "y": (Register.STEP_Y, Register.OFFSET_Y, mode[5], row, word[2:4]),
            "x": (Register.STEP_X, Register.OFFSET_X, mode[6], column, word[:2]),
        }
        bounds = {
            "y": (Register.LAST_ROW, Register.FIRST_Y, Register.LAST_Y),
            "x": (Register.LAST_COLUMN, Register.FIRST_X, Register.LAST_X),
        }
        for axis, (steps, offset, cut, own, select) in per_axis.items():
            pitch = Mux(weight, pitches["in"][axis], pitches["out"][axis])
            fields = {
                "dilation": registers[steps][:4],
                "stride": registers[steps][4:],
                "tap": taps[axis],
                "offset": Mux(bound, value, registers[offset].as_signed()),
                "pitch": pitch,
                "cut": cut,
                "place": own,
                "select": select,
                "which": Cat(bound & (word[8:12] == r) for r in bounds[axis]),
            }
            m.d.comb += [asked[f"{name}_{axis}"].eq(value) for name, value in fields.items()]
        return asked

    def _steps(
        self,
        m: Module,
        go,
        word,
        valid,
        weight,
        first,
        operation,
        flow,
        registers,
        addresses,
        issue,
    ) -> None:
        """What goes beside the addresses, and the steps of both."""
        image = registers[Register.OUTPUT][:4]
        # Images of a batch lie row by row in the grid's corner.
        lane = Signal(4)
        with m.Switch(self.program.columns):
            with m.Case(0):
                m.d.comb += lane.eq(Cat(Const(0, 2), image[:2]))
            with m.Case(1):
                m.d.comb += lane.eq(Cat(image[0], Const(0, 1), image[1:3]))
            with m.Default():
                m.d.comb += lane.eq(image)
        output = flow[Flow.OUT] & less(Cat(image, Const(0, 1)), self._present)
        control = operation[Op.IMM] | operation[Op.SHIFT]
        kinds = ["weight", "immediate", "shift", "capture", "clear_negative", "free", "out"]
        counted = ["batch", "none"]
        p = Pipeline(
            m,
            go,
            [*kinds, *counted],
            weight=weight,
            immediate=operation[Op.IMM],
            shift=operation[Op.SHIFT],
            capture=operation[Op.CAPTURE],
            clear_negative=flow[Flow.CLEAR_NEGATIVE],
            free=flow[Flow.FREE_IMAGE],
            out=output,
            negative=word[14],
            rectify=registers[Register.MODE][3],
            halve=Mux(control, Mux(operation[Op.IMM], word[10], word[3]), word[13]),
            low=word[:12],
            collect=registers[Register.OUTPUT][7],
            lane=lane,
            batch=flow[Flow.END_SUFFIX],
            none=self._none,
        )
        names = [*kinds, "negative", "rectify", "halve", "low", "collect", "lane"]
        moving = valid
        under_way = []
        for stage in range(Addresses.LATENCY):
            if stage == Addresses.LATENCY - 1:
                m.d.comb += [
                    issue.next_lasts.eq(p.weight & addresses.travels),
                    issue.next_waits.eq(p.out),
                ]
            p.advance(f"with{stage}", [*names, *counted])
            held = Signal(name=f"valid{stage}")
            with m.If(go):
                m.d.sync += held.eq(moving)
            with m.If(~self.run):
                # None is left of a program that has ended.
                m.d.sync += [held.eq(0), *(getattr(p, kind).eq(0) for kind in [*kinds, "batch"])]
            moving = held
            under_way.append(held)
        m.d.comb += [self.waiting.eq(p.none), self.batch_done.eq(p.batch & go)]
        m.d.comb += self.idle.eq(first & (self._present == 0) & ~Cat(under_way).any())
        ready = Signal(step(self.overlay))
        m.d.comb += [getattr(ready, name).eq(getattr(p, name)) for name in names if name != "low"]
        m.d.comb += [
            ready.direction.eq(p.low[:2]),
            ready.add.eq(p.low[2]),
            ready.value.eq(p.low[:9].as_signed()),
            ready.carry.eq(p.low[9]),
            ready.mode.eq(p.low[10:12]),
            ready.clear.eq(p.low[9]),
            ready.final.eq(p.low[0]),
            *(getattr(ready, name).eq(addresses.o[name]) for name, _ in place(self.overlay)),
        ]
        m.d.comb += issue.i.eq(ready)
