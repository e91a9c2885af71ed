"""Two networks in one design, and what they compute: in Verilator, in Icarus as Verilog-2005 and as
SystemVerilog, and as Yosys reads them.

The testbench is plain Verilog and knows nothing of ours; it resets nothing, so the designs begin as
their declarations say.
"""

import re
import subprocess
from pathlib import Path

import pytest

from hw.board.boards import device
from hw.dataflow.planner import propose
from hw.ir import reference
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.space import Genotype
from hw.verilog import emit, yosys
from sim import runner, tools
from sim.lint import lint
from sim.stimuli import random_images

NAMES = ("first_net", "second_net")

NETWORK = """\
  reg [7:0] {name}_image [0:{last}];
  integer {name}_beat = 0;
  wire {name}_ready, {name}_valid, {name}_tlast;
  wire signed [{high}:0] {name}_logit;
  initial $readmemh("{name}_image.hex", {name}_image);
  always @(posedge clk) begin
    if (!rst && {name}_ready && {name}_beat <= {last}) {name}_beat <= {name}_beat + 1;
    if (!rst && {name}_valid) begin
      $display("{name} %0d", {name}_logit);
      if ({name}_tlast) done[{number}] <= 1;
    end
  end
  assign offered[{number}] = !rst && {name}_beat <= {last};
"""

PORTS = """\
    .{name}_s_axis_tdata({name}_image[{name}_beat]), .{name}_s_axis_tvalid(offered[{number}]),
    .{name}_s_axis_tready({name}_ready), .{name}_m_axis_tdata({name}_logit),
    .{name}_m_axis_tvalid({name}_valid), .{name}_m_axis_tlast({name}_tlast)"""

BENCH = """\
module bench;
  reg clk = 0;
  reg rst = {rst};
  reg [1:0] done = 0;
  wire [1:0] offered;
  integer cycle = 0;
  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle == 3) rst <= 0;
  end
{networks}
  two both (.clk(clk), .rst(rst),
{ports});
endmodule
"""

CLOCK = """\
module clocked;
  initial begin
    while (bench.done != 3 && $time < 100000) #1 bench.clk = !bench.clk;
    $finish;
  end
endmodule
"""

TEST = """\
import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles


@cocotb.test()
async def both(dut):
    Clock(dut.clk, 2, unit="ns").start(start_high=False)
    for _ in range(500):
        await ClockCycles(dut.clk, 100)
        if int(dut.done.value) == 3:
            return
    assert False, "not done"
"""


@pytest.fixture(scope="module")
def networks():
    edges = (("sep_conv_3x3", 0), ("skip_connect", 1)), (("max_pool_3x3", 0), ("dil_conv_3x3", 1))
    made = []
    for number, edge in enumerate(edges):
        graph = build(
            Genotype(edge, (2,), edge, (2,)),
            channels=2, cells=1, image=(4 + number, 5, 1 + number), classes=2 + number, stem="cifar"
        )  # fmt: skip
        made.append(random_network(graph, seed=5 + number))
    return made


@pytest.fixture(scope="module")
def files(networks):
    """Files of both networks and of a module around them; one has its ROMs in files."""
    found, ports, instances = {}, [], []
    for name, network, rom in zip(NAMES, networks, ("inline", "hex"), strict=True):
        emission = emit.emit(propose(network, device("ulx3s-85f")), rom, name)
        assert not found.keys() & emission.files.keys()
        found |= emission.files
        width = {port["name"]: port["width"] for port in emission.manifest["ports"]}
        ports += [
            f"input [7:0] {name}_s_axis_tdata, input {name}_s_axis_tvalid",
            f"output {name}_s_axis_tready",
            f"output [{width['m_axis_tdata'] - 1}:0] {name}_m_axis_tdata",
            f"output {name}_m_axis_tvalid, output {name}_m_axis_tlast",
        ]
        joined = ", ".join(
            f".{port}({name}_{port})"
            for port in width
            if "axis" in port and port not in ("s_axis_tlast", "m_axis_tready")
        )
        instances.append(
            f"  {name} {name} (.clk(clk), .rst(rst), {joined}, .s_axis_tlast(1'b0), "
            ".m_axis_tready(1'b1));"
        )
    found["two.v"] = "\n".join(
        ["module two(input clk, input rst,", ",\n".join(ports), ");", *instances, "endmodule", ""]
    )
    return found


@pytest.fixture(scope="module")
def images(networks):
    return [random_images(network, 1, seed=9) for network in networks]


@pytest.fixture(scope="module")
def expected(networks, images):
    """Logits by the reference, in the form of the testbench's lines."""
    lines = {}
    for name, network, image in zip(NAMES, networks, images, strict=True):
        logits = reference.run(network, image)[network.graph.output.name]
        lines[name] = [int(value) for value in logits.ravel()]
    assert all(any(values) for values in lines.values())
    return lines


def bench(networks, files, rst: int) -> str:
    parts, ports = [], []
    for number, (name, network) in enumerate(zip(NAMES, networks, strict=True)):
        high = int(re.search(rf"\[(\d+):0\] {name}_m_axis_tdata", files["two.v"])[1])
        height, width, channels = network.graph.input.shape
        facts = {
            "name": name,
            "number": number,
            "high": high,
            "last": height * width * channels - 1,
        }
        parts.append(NETWORK.format(**facts))
        ports.append(PORTS.format(**facts))
    return BENCH.format(rst=rst, networks="".join(parts), ports=",\n".join(ports))


def prepare(folder: Path, files, images) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    for name, image in zip(NAMES, images, strict=True):
        (folder / f"{name}_image.hex").write_text(
            "".join(f"{byte:02x}\n" for byte in image.ravel())
        )


def logits(text: str) -> dict[str, list[int]]:
    return {
        name: [int(value) for value in re.findall(rf"^{name} (-?\d+)$", text, re.M)]
        for name in NAMES
    }


def by_icarus(folder: Path, generation: str, sources: list[str]) -> str:
    subprocess.run(
        ["iverilog", f"-g{generation}", "-s", "bench", "-s", "clocked", "-o", "both", *sources],
        cwd=folder, check=True,
    )  # fmt: skip
    done = subprocess.run(["vvp", "both"], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.icarus
@pytest.mark.parametrize("rst", [0, 1])
@pytest.mark.parametrize("generation", ["2005", "2012"])
def test_icarus(networks, files, images, expected, generation, rst, tmp_path):
    prepare(tmp_path, files, images)
    (tmp_path / "bench.v").write_text(bench(networks, files, rst) + CLOCK)
    sources = [*(f"{name}.v" for name in NAMES), "two.v", "bench.v"]
    assert logits(by_icarus(tmp_path, generation, sources)) == expected


@pytest.mark.icarus
def test_yosys(networks, files, images, expected, tmp_path):
    """What Yosys has read and flattened, simulated."""
    prepare(tmp_path, files, images)
    names = " ".join(f"{name}.v" for name in NAMES)
    yosys.run(
        f"read_verilog {names} two.v\nhierarchy -check -top two\nprep -flatten -top two\n"
        "check -assert\nwrite_verilog -noattr read.v\n",
        tmp_path,
    )
    (tmp_path / "bench.v").write_text(bench(networks, files, 0) + CLOCK)
    assert logits(by_icarus(tmp_path, "2012", ["read.v", "bench.v"])) == expected


def test_verilator(networks, files, images, expected, tmp_path, monkeypatch):
    tools.find()
    own = {name: text for name, text in files.items() if name != "two.v"}
    # The module around them leaves no port open, so both are clean together too.
    lint(files, "two", wall=False)
    model = runner.build(
        {**own, "two.v": files["two.v"], "bench.v": bench(networks, files, 0)},
        "bench",
        public=("clk",),
        visible=("done",),
    )
    (tmp_path / "bench_of_two.py").write_text(TEST)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "run").mkdir()
    prepare(tmp_path / "run", {}, images)
    log = runner.run(model, "bench_of_two", tmp_path / "run")
    assert logits(log.read_text()) == expected


@pytest.mark.icarus
def test_a_wrong_weight_is_seen(networks, files, images, expected, tmp_path):
    name = next(name for name in files if name.endswith("classifier.window.program.hex"))
    changed = re.sub(r"^(\w+)$", lambda m: f"{int(m[1], 16) ^ 1 << 4:0{len(m[1])}x}", files[name],
                     flags=re.M)  # fmt: skip
    prepare(tmp_path, files | {name: changed}, images)
    (tmp_path / "bench.v").write_text(bench(networks, files, 0) + CLOCK)
    sources = [*(f"{name}.v" for name in NAMES), "two.v", "bench.v"]
    found = logits(by_icarus(tmp_path, "2012", sources))
    assert found[NAMES[0]] == expected[NAMES[0]] and found[NAMES[1]] != expected[NAMES[1]]
