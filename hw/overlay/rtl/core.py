"""An overlay with its streams: programs and images in, logits out."""

# By the stubs of amaranth a Component has no `elaborate`, a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.overlay.hardware import Overlay
from hw.overlay.header import Status
from hw.overlay.rtl.array import LaneArray
from hw.overlay.rtl.loader import Loader
from hw.overlay.rtl.output import Output, logit
from hw.overlay.rtl.program_store import ProgramStore, program_word
from hw.overlay.rtl.sequencer import Sequencer


class Core(wiring.Component):
    """Lanes, sequencer, program, images, logits.

    A new program waits until the images that came before it are done; none begins meanwhile, and a
    batch that has begun goes on without those that it lacks.

    Members
    -------
    program: see `hw.overlay.header`
    image: bytes, raster order, channels innermost
    logits: of each image in turn
    flush: a batch that has begun goes on without the images that it lacks
    status: of the last program
    busy: images, or parts of one, are inside
    pending: a program waits until they are done
    crc: of the program that is there
    running: a program is being done; waiting: for an image
    batch: a batch's last word leaves the sequencer, for one cycle
    """

    def __init__(self, overlay: Overlay):
        self.overlay = overlay
        self.store = ProgramStore(overlay)
        super().__init__(
            {
                "program": In(stream.Signature(program_word())),
                "image": In(stream.Signature(8)),
                "logits": Out(stream.Signature(logit(overlay))),
                "flush": In(1),
                "status": Out(Status),
                "busy": Out(1),
                "pending": Out(1),
                "crc": Out(32),
                "running": Out(1),
                "waiting": Out(1),
                "batch": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        size = self.overlay
        m.submodules.store = store = self.store
        m.submodules.loader = loader = Loader(size)
        m.submodules.sequencer = sequencer = Sequencer(size)
        m.submodules.array = array = LaneArray(
            size.rows,
            size.columns,
            bits=size.data_bits,
            total_bits=size.acc_bits,
            words=size.words,
            fabric=size.fabric,
        )
        m.submodules.output = output = Output(size)
        wiring.connect(m, wiring.flipped(self.program), store.i)
        wiring.connect(m, wiring.flipped(self.image), loader.i)
        wiring.connect(m, output.o, wiring.flipped(self.logits))
        quiet = Signal()
        running = Signal()
        m.d.sync += running.eq(loader.cleared)
        about = store.about
        m.d.comb += [
            quiet.eq(sequencer.idle & loader.empty),
            store.open.eq(~store.ready | quiet),
            loader.run.eq(store.ready),
            loader.about.eq(about),
            store.step.eq(loader.step),
            loader.words.eq(store.words),
            loader.close.eq(store.pending),
            loader.ready.eq(sequencer.write_ready),
            loader.took.eq(sequencer.took),
            loader.free.eq(sequencer.free),
            sequencer.run.eq(running),
            sequencer.write.eq(loader.o),
            sequencer.write_valid.eq(loader.valid),
            sequencer.image.eq(loader.image),
            sequencer.flush.eq(self.flush | store.pending),
            sequencer.room.eq(output.room),
            sequencer.word.eq(store.word),
            store.address.eq(sequencer.address),
            store.next.eq(sequencer.next),
            store.held.eq(sequencer.held),
            store.starved.eq(sequencer.starved),
            sequencer.written.eq(store.written),
            sequencer.latest.eq(store.latest),
            array.i.eq(sequencer.o),
            output.i.eq(sequencer.logit),
            output.run.eq(running),
            output.falls.eq(array.falls),
            self.status.eq(store.status),
            self.busy.eq(~quiet),
            self.pending.eq(store.pending),
            self.crc.eq(store.crc),
            self.running.eq(running),
            self.waiting.eq(sequencer.waiting),
            self.batch.eq(sequencer.batch_done),
        ]
        m.d.comb += [
            getattr(sequencer.program, name).eq(getattr(about, name))
            for name in ("streamed", "suffix", "rows", "columns", "image_step")
        ]
        return m
