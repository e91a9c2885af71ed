"""Generates the SystemVerilog around a design: agents on its ports, taps on its layers, a watchdog.

Everything runs free of Python: cocotb sets the registers of the harness, starts the clock and waits
for `stop`. Taps are hierarchical references, so that the design is simulated as it was emitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from hw.ir.graph import Shape
from sim import resets
from sim.resets import Hold
from sim.stalls import PATTERNS

TOP = "cosim_harness"

CONTROLS = (
    "clk", "go", "frames", "stall_from", "pattern", "stall", "seed", "patience", "resets", "cold",
)  # fmt: skip
"""Registers that the test sets. `rst` is none of them: what it feeds would be evaluated twice a
cycle.
"""

REPORTS = (
    "stop", "cycle", "broken", "stopped_valid", "stopped_ready", "stopped_full", "stopped_empty",
    "surplus", "tlast_wrong", "longest_idle", "fifo_wrong", "reset_wrong", "held_back", "starved",
    "full", "waited", "last_seen", "unready",
)  # fmt: skip
"""Registers that it reads."""

LAST_SEEN = ("held back", "taken at once")
"""Bits of `last_seen`: how the last beats of an AXI4-Stream's frames were taken."""

RUNNING, DONE, HUNG, SURPLUS = range(4)
"""Values of `stop`: still running; every tap has its beats; nothing moved; a layer gave too
many.
"""

SETTLE = 256
"""Cycles watched after the last beat: another one would be one too many."""

STILL = 64
"""Cycles in which nothing moves, after which a run that is to fill or to drain has done so; no
pattern of stalls waits as long for others."""

LOOKS_BITS = 16
"""The first run's streams are kept for so many cycles, 2 to the power of this, to be compared."""

STALL_PATTERNS = (*PATTERNS, "mixed")
"""Values of `pattern`; "mixed": one frame with each of the others, in turn."""

AXI_LITE = {
    "awaddr": 0, "awvalid": 1, "awready": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "wready": 1,
    "bresp": 2, "bvalid": 1, "bready": 1, "araddr": 0, "arvalid": 1, "arready": 1, "rdata": 32,
    "rresp": 2, "rvalid": 1, "rready": 1,
}  # fmt: skip
"""Signals of an AXI4-Lite port and their widths; 0: an address's."""

AGENTS = Path(__file__).parent / "rtl" / "streams.sv"


@dataclass(frozen=True)
class Stream:
    """A stream at a port of a design or inside it.

    Parameters
    ----------
    label: what it carries: the name of a node for its tensor, "node (taps)" for something inside it
    port: prefix of its three signals; "s_axis" and "m_axis" are AXI4-Stream, all others Amaranth's
    width, signed: of the payload as a number; an AXI4-Stream's data are padded to whole bytes
    shape: height, width, channels of a frame; a beat is one channel
    """

    label: str
    port: str
    width: int
    signed: bool
    shape: Shape

    @property
    def node(self) -> str:
        """Name of the node whose beats they are."""
        return self.label.partition(" ")[0]

    @property
    def beats(self) -> int:
        """Beats of a frame."""
        return prod(self.shape)

    @property
    def is_axis(self) -> bool:
        return self.port.endswith("_axis")

    @property
    def data_width(self) -> int:
        """Bits of the port's data."""
        return -(-self.width // 8) * 8 if self.is_axis else self.width

    def signal(self, part: str) -> str:
        """Name of one signal: part is valid, ready or payload."""
        if not self.is_axis:
            return f"{self.port}__{part}"
        return f"{self.port}_t{'data' if part == 'payload' else part}"


@dataclass(frozen=True)
class Dut:
    """A module under test with agents on all its ports.

    Parameters
    ----------
    instance: its name in the harness
    module: the Verilog module
    sources, sinks: its input and output streams
    taps: streams inside it; `port` is the path below the module and the name of the stream there
    fifos: (label, path below the module, beats it holds) of each FIFO that is watched
    load_address: bits of an address of its AXI4-Lite port; 0: it has none
    begins: cycles from the end of reset, or of loading, until it takes the first beat
    engines: (label, path below the module, whether it has a requantiser) of each engine in it
    """

    instance: str
    module: str
    sources: Sequence[Stream]
    sinks: Sequence[Stream]
    taps: Sequence[Stream]
    fifos: Sequence[tuple[str, str, int]]
    load_address: int = 0
    begins: int = 0
    engines: Sequence[tuple[str, str, bool]] = ()


@dataclass(frozen=True)
class Harness:
    """The generated text and what its files and bits mean.

    Parameters
    ----------
    text: SystemVerilog; top module `TOP`
    sources: streams whose beats are read from `source_<k>.bin`
    taps: streams whose beats are written to `tap_<k>.bin`; those at the designs' outputs come first
    sinks: streams whose frame ends are written to `sink_<k>.txt`
    fifos: labels, in the order of the bits of `stopped_full` and `stopped_empty`
    engines: labels, in the order of the bits that are logged at a reset
    """

    text: str
    sources: tuple[Stream, ...]
    taps: tuple[Stream, ...]
    sinks: tuple[Stream, ...]
    fifos: tuple[str, ...]
    engines: tuple[str, ...]


def source_bytes(stream: Stream) -> int:
    """Bytes of one beat in a source's file."""
    return 1 if stream.width <= 8 else 2 if stream.width <= 16 else 4 * -(-stream.width // 32)


def tap_words(stream: Stream) -> int:
    """Words of 32 bits of one beat in a tap's file."""
    return -(-stream.width // 32)


def generate(designs: Sequence[Dut]) -> Harness:
    """The harness of one or more designs, each driven on its own."""
    body: list[str] = []
    sources: list[Stream] = []
    sinks: list[Stream] = []
    taps: list[tuple[Stream, str]] = []
    fifos: list[tuple[str, str]] = []
    engines: list[tuple[str, str, bool]] = []
    for design in designs:
        ports = [".clk(clk)", f".rst({'design_rst' if design.load_address else 'part_rst'})"]
        if design.load_address:
            ports += _master(body, design)
        for stream in design.sources:
            ports += _source(body, len(sources), design.instance, stream)
            sources.append(stream)
        for stream in design.sinks:
            ports += _sink(body, len(sinks), design.instance, stream)
            sinks.append(stream)
            taps.append((stream, f"{design.instance}_{stream.port}"))
        taps += [(stream, f"{design.instance}.{stream.port}") for stream in design.taps]
        for label, path, depth in design.fifos:
            body.append(_watch(len(fifos), f"{design.instance}.{path}", depth))
            fifos.append((label, f"{design.instance}.{path}"))
        for label, path, requantised in design.engines:
            engines.append((label, ".".join(filter(None, [design.instance, path])), requantised))
        body.append(f"  {_name(design.module)} {design.instance} ({', '.join(ports)});\n")
    if not any(stream.is_axis for stream in sinks):
        body.append("  assign tlast_wrong = 0;\n  assign last_seen = 0;\n")
    if not fifos:
        body.append("  assign fifo_wrong = 0;\n")
    for number, (stream, place) in enumerate(taps):
        body.append(_tap(number, stream, place))
    places = [(stream, place) for stream, place in taps]
    words = -(-2 * len(taps) // 32)
    unused = 32 * words - 2 * len(taps)
    text = _HARNESS.format(
        top=TOP,
        settle=SETTLE,
        taps=len(taps),
        fifos=max(1, len(fifos)),
        body="".join(body),
        words=words,
        looks_kept=1 << LOOKS_BITS,
        looks_bits=LOOKS_BITS,
        still=STILL,
        sinks=int(Hold.SINKS),
        sources=int(Hold.SOURCES),
        list=resets.LIST,
        log=resets.LOG,
        levels="{valid, ready}" if unused == 0 else f"{{{unused}'d0, valid, ready}}",
        waiting=" & ".join(
            [
                f"{design.instance}_{_signal(stream, stream.port, 'ready')}"
                for design in designs
                for stream in design.sources
                if stream.is_axis
            ]
            or ["1'b1"]
        ),
        loaded="" if any(design.load_address for design in designs) else " = 1",
        begins=max((design.begins for design in designs), default=0),
        valid=_vector([_signal(stream, place, "valid") for stream, place in places]),
        ready=_vector([_signal(stream, place, "ready") for stream, place in places]),
        full=_vector([f"~{path}.i__ready" for _, path in fifos] or ["1'b0"]),
        empty=_vector([f"~{path}.o__valid" for _, path in fifos] or ["1'b0"]),
        reading=_vector([f"{path}.elements.i__valid" for _, path, _ in engines] or ["1'b0"]),
        summed=_vector([f"{path}.elements.o__valid" for _, path, _ in engines] or ["1'b0"]),
        busy=_vector(
            [f"~{path}.requantise.i__ready" if has else "1'b0" for _, path, has in engines]
            or ["1'b0"]
        ),
        others=_vector(_others([path for _, path in fifos]) or ["1'b0"]),
    )
    return Harness(
        text,
        tuple(sources),
        tuple(stream for stream, _ in taps),
        tuple(sinks),
        tuple(label for label, _ in fifos),
        tuple(label for label, _, _ in engines),
    )


def _others(paths: Sequence[str]) -> list[str]:
    """For each FIFO, whether another one of the same join has a beat."""
    joins: dict[str, list[int]] = {}
    for number, path in enumerate(paths):
        joins.setdefault(path.rpartition(".")[0], []).append(number)
    found = []
    for number, path in enumerate(paths):
        rest = [f"~fifo_empty[{k}]" for k in joins[path.rpartition(".")[0]] if k != number]
        found.append(" | ".join(rest) or "1'b0")
    return found


def _name(module: str) -> str:
    """A Verilog identifier, escaped where it must be."""
    return f"\\{module} " if "." in module else module


def _vector(bits: Sequence[str]) -> str:
    return "{" + ", ".join(reversed(bits)) + "}"


def _signal(stream: Stream, place: str, part: str) -> str:
    """The signal of a stream whose port is called `place` here."""
    return place + stream.signal(part).removeprefix(stream.port)


def _wires(instance: str, stream: Stream) -> tuple[str, list[str]]:
    """Declarations of a port's signals, and the port connections."""
    place = f"{instance}_{stream.port}"
    valid, ready, payload = (_signal(stream, place, part) for part in ("valid", "ready", "payload"))
    text = f"  wire {valid}, {ready};\n  wire [{stream.data_width - 1}:0] {payload};\n"
    ports = [
        f".{stream.signal(part)}({_signal(stream, place, part)})"
        for part in ("valid", "ready", "payload")
    ]
    return text, ports


def _connections(stream: Stream, place: str, *parts: str) -> str:
    """An agent's ports joined to a stream's signals."""
    return ", ".join(f".{part}({_signal(stream, place, part)})" for part in parts)


def _source(body: list[str], number: int, instance: str, stream: Stream) -> list[str]:
    text, ports = _wires(instance, stream)
    place = f"{instance}_{stream.port}"
    last = ""
    if stream.is_axis:
        text += f"  wire {place}_tlast;\n"
        ports.append(f".{stream.port}_tlast({place}_tlast)")
        last = f"{place}_tlast"
    parameters = (
        f"#(.ID({2 * number}), .WIDTH({stream.data_width}), .BYTES({source_bytes(stream)}), "
        f'.BEATS({stream.beats}), .ROW({_row(stream)}), .FILE("source_{number}.bin"))'
    )
    body.append(
        f"{text}  stream_source {parameters} source_{number} (\n"
        f"      {_SHARED}, .block(block_sources), .frames(frames), .last({last}),\n"
        f"      {_connections(stream, place, 'valid', 'ready', 'payload')});\n"
    )
    return ports


def _sink(body: list[str], number: int, instance: str, stream: Stream) -> list[str]:
    text, ports = _wires(instance, stream)
    place = f"{instance}_{stream.port}"
    if stream.is_axis:
        text += f"  wire {place}_tlast;\n"
        ports.append(f".{stream.port}_tlast({place}_tlast)")
    body.append(
        f"{text}  stream_sink #(.ID({2 * number + 1}), .BEATS({stream.beats}), "
        f'.ROW({_row(stream)}), .FILE("sink_{number}.txt")) sink_{number} (\n'
        f"      {_SHARED}, .block(block_sinks), .cycle(cycle),\n"
        f"      {_connections(stream, place, 'valid', 'ready')});\n"
    )
    if stream.is_axis:
        body.append(
            f'  stream_last #(.BEATS({stream.beats}), .REPORT("last.txt")) last_{number} (\n'
            f"      .clk(clk), .rst(rst), .cycle(cycle), .wrong(tlast_wrong),\n"
            f"      .last({place}_tlast), .seen(last_seen),\n"
            f"      {_connections(stream, place, 'valid', 'ready')});\n"
        )
    return ports


def _master(body: list[str], design: Dut) -> list[str]:
    """An AXI4-Lite master; nothing else begins before it is done."""
    place, address = f"{design.instance}_axil", design.load_address
    names = [(name, width or address) for name, width in AXI_LITE.items()]
    declared = "".join(f"  bit [{width - 1}:0] {place}_{name};\n" for name, width in names)
    joined = ", ".join(f".{name}({place}_{name})" for name, _ in names)
    body.append(
        f"{declared}  axil_master #(.ADDRESS({address})) {place} (\n"
        f"      .clk, .rst(design_rst), .seed, .done(loaded), "
        ".failed(), .aside(1'b0), .applied(), .returned(),\n"
        "      .ordering(), .order(), .argument(), .ordered(1'b1),\n"
        f"      {joined});\n"
    )
    return [f".s_axil_{name}({place}_{name})" for name, _ in names]


def _tap(number: int, stream: Stream, place: str) -> str:
    parameters = (
        f"#(.WIDTH({stream.data_width}), .WORDS({tap_words(stream)}), "
        f".SIGNED({int(stream.signed)}), .BEATS({stream.beats}), "
        f'.FILE("tap_{number}.bin"), .CUT("cut_{number}.bin"), .RUNS("runs_{number}.txt"), '
        f'.REPORT("broken_{number}.txt"))'
    )
    return (
        f"  stream_tap {parameters} tap_{number} (\n"
        f"      .clk(clk), .rst(rst), .cutting(cutting), .frames(frames), .flush(flush),\n"
        f"      .cycle(cycle),\n"
        f"      {_connections(stream, place, 'valid', 'ready', 'payload')},\n"
        f"      .complete(complete[{number}]), .broken(broken[{number}]));\n"
    )


def _watch(number: int, path: str, depth: int) -> str:
    ports = ", ".join(
        f".{end}_{part}({path}.{end}__{part})" for end in "io" for part in ("valid", "ready")
    )
    return (
        f"  fifo_watch #(.DEPTH({depth})) watch_{number} (\n"
        f"      .clk(clk), .rst(rst), {ports},\n"
        f"      .wrong(fifo_wrong[{number}]));\n"
    )


def _row(stream: Stream) -> int:
    """Beats of one row of the map."""
    return prod(stream.shape[1:])


_SHARED = (
    ".clk(clk), .rst(rst), .stall_from(stalls), .pattern(pattern), .stall(stall), "
    ".seed(seed),\n      .idle(idle)"
)
"""Connections that sources and sinks have in common."""

_HARNESS = """\
// Generated: agents and taps around the design under test.
module {top};
  bit clk, go, rst = 1, flush;
  wire tlast_wrong;
  wire [1:0] last_seen;
  int frames, stall_from, pattern, patience, idle, longest_idle, stop;
  int resets, resets_done;
  bit [16:0] stall;
  bit [31:0] seed;
  longint cycle;
  // A design that loads its weights does so while all agents still wait.
  bit design_rst = 1;
  // With `cold` the first run begins without a reset. (It is for designs that load nothing.)
  bit cold;
  wire part_rst = rst && !(cold && resets_done == 0);
  bit loaded{loaded};
  // Cycles since the design's reset, or since it was loaded: agents wait until it is ready.
  int since_reset;
  bit [{taps}-1:0] complete, broken, surplus, stopped_valid, stopped_ready, held_back, starved;
  bit [{fifos}-1:0] stopped_full, stopped_empty, full, waited;
  wire [{fifos}-1:0] fifo_wrong;
  // In the end nothing is inside and nothing is on offer: a tready that waits for tvalid is low.
  bit unready;
  // Before the run proper, `resets` others are cut off; each is told when by a line of a file.
  int moments, moments_log, code, stalled, awaited_tap, awaited_beats, hold, delay, most;
  int counted, since;
  bit read, due;
  wire cutting = resets_done < resets;
  // A run that is to fill or to drain has no other pauses: they would end it too early.
  wire [31:0] stalls = !cutting || stalled == 0 && hold == 0 ? stall_from
      : stalled != 0 ? 0 : 32'h7FFFFFFF;
  wire block_sinks = due && hold == {sinks};
  wire block_sources = due && hold == {sources};
  // What the streams look like, cycle by cycle: in this run, and in the first up to its end.
  bit [31:0] look, mixed;
  bit [31:0] looks[0:{looks_kept}-1];
  int looked;
  bit reset_wrong;

{body}
  wire [{taps}-1:0] valid = {valid};
  wire [{taps}-1:0] ready = {ready};
  wire [{taps}-1:0] moves = valid & ready;
  wire [{fifos}-1:0] fifo_full = {full};
  wire [{fifos}-1:0] fifo_empty = {empty};
  wire [{fifos}-1:0] others = {others};

  wire [32*{words}-1:0] levels = {levels};
  wire again = !rst && cutting && due
      && (since >= delay || (hold != 0 && idle >= {still}));

  initial begin
    moments = $fopen("{list}", "r");
    moments_log = $fopen("{log}", "w");
  end

  always @(posedge clk) begin
    design_rst <= !go || again;
    since_reset <= !go || again || !loaded ? 0 : since_reset + 1;
    rst <= !go || again || !loaded || since_reset < {begins};
    if (again) begin
      resets_done <= resets_done + 1;
      $fwrite(moments_log, "%0d %b %b %b %b %b %b\\n", cycle, valid & ~ready, ~fifo_empty,
              fifo_full, {reading}, {summed}, {busy});
      $fflush(moments_log);
    end
    if (rst) begin
      counted <= 0;
      since <= 0;
      due <= 0;
      if (go && cutting && !read) begin
        code = $fscanf(moments, "%d %d %d %d %d %d\\n", stalled, awaited_tap, awaited_beats,
                       hold, delay, most);
        read <= 1;
      end
    end else begin
      read <= 0;
      if (moves[awaited_tap]) counted <= counted + 1;
      if (cutting && (counted >= awaited_beats || cycle >= {{32'd0, most}})) due <= 1;
      if (due) since <= since + 1;
    end
  end

  // A reset leaves nothing behind: what follows it looks like the first run.
  always @(posedge clk) begin
    if (rst) look <= 0;
    else if (cycle < {looks_kept} && !due && !(cutting && (stalled != 0 || hold != 0))
        && (resets_done == 0 ? cutting : cycle < {{32'd0, looked}})) begin
      mixed = look;
      for (int k = 0; k < {words}; k = k + 1)
        mixed = {{mixed[30:0], mixed[31] ^ mixed[21]}} ^ levels[32*k+:32];
      look <= mixed;
      if (resets_done == 0) begin
        looks[cycle[{looks_bits}-1:0]] <= mixed;
        looked <= looked + 1;
      end else if (looks[cycle[{looks_bits}-1:0]] != mixed) reset_wrong <= 1;
    end
  end

  always @(posedge clk) begin
    flush <= 0;
    if (rst) begin
      cycle <= 0;
      idle <= 0;
      stop <= 0;
      held_back <= 0;
      starved <= 0;
      full <= 0;
      waited <= 0;
    end else begin
      cycle <= cycle + 1;
      idle <= |moves ? 0 : idle + 1;
      if (stop == 0) begin
        // Coverage: what was ever seen.
        held_back <= held_back | (valid & ~ready);
        starved <= starved | (ready & ~valid);
        full <= full | fifo_full;
        waited <= waited | (fifo_empty & others);
        surplus <= moves & complete;
        if (idle > longest_idle && !(&complete)) longest_idle <= idle;
        if (|(moves & complete)) stop <= 3;
        else if (idle >= {settle} && &complete) stop <= 1;
        else if (idle >= patience) stop <= 2;
        if (|(moves & complete) || idle >= patience || (idle >= {settle} && &complete)) begin
          flush <= 1;
          unready <= idle >= {settle} && &complete && !({waiting});
          stopped_valid <= valid;
          stopped_ready <= ready;
          stopped_full <= fifo_full;
          stopped_empty <= fifo_empty;
        end
      end
    end
  end
endmodule
"""
