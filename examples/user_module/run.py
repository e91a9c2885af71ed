"""A testbench for a module of one's own around a generated network, in one command.

python examples/user_module/run.py [--sim verilator|icarus] [--waves] [--out DIR]

Makes a small network, emits its Verilog, builds it together with image_classifier.v with cocotb's
own runner, and runs tb_image_classifier.py.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from hw.board.boards import device
from hw.dataflow.planner import propose
from hw.ir import serialize
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.space import Genotype
from hw.verilog import emit, rtl_folder
from sim import tools

HERE = Path(__file__).resolve().parent
TOP = "image_classifier"


def make_network(work: Path) -> list[Path]:
    """A network of one small cell for 6×6 images and three classes; its Verilog files."""
    edges = (("sep_conv_3x3", 0), ("skip_connect", 1))
    genotype = Genotype(normal=edges, normal_concat=(2,), reduce=edges, reduce_concat=(2,))
    graph = build(genotype, channels=2, cells=1, image=(6, 6, 1), classes=3, stem="cifar")
    network = random_network(graph, seed=1)
    serialize.save(network, work / "network")
    emission = emit.emit(propose(network, device("ulx3s-85f")))
    (work / "rtl").mkdir()
    rtl_folder.write(emission, work / "rtl")
    return [work / "rtl" / name for name in emission.files if name.endswith(".v")]


@contextmanager
def build_folder(work: Path, simulator: str) -> Iterator[Path]:
    """Where the model is built: in `work`, but GNU make takes no path with a blank in it."""
    if simulator == "verilator" and " " in str(work):
        with TemporaryDirectory() as folder:
            yield Path(folder)
    else:
        yield work / "build"


def run(
    simulator: str, sources: list[Path], options: list[str], waves: bool, work: Path, build: Path
) -> Path:
    """Build the model in `build` and run the tests in `work`; the file of their results."""
    runner = get_runner(simulator)
    runner.build(
        sources=sources,
        hdl_toplevel=TOP,
        build_dir=build,
        build_args=options,
        timescale=("1ns", "1ps"),
        waves=waves,
        log_file=work / "build.log",
    )
    return runner.test(
        test_module="tb_image_classifier",
        hdl_toplevel=TOP,
        build_dir=build,
        test_dir=work,
        timescale=("1ns", "1ps"),
        waves=waves,
        seed=1,
        extra_env={
            "EXAMPLE_WORK": str(work),
            "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
        },
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sim", choices=["verilator", "icarus"], default="verilator")
    parser.add_argument("--waves", action="store_true", help="write the waves into the folder")
    parser.add_argument("--out", type=Path, default=Path("user_module"), help="folder to make")
    arguments = parser.parse_args()
    work = arguments.out.resolve()
    if work.exists():
        parser.error(f"--out: {arguments.out} exists already")
    work.mkdir(parents=True)
    sources = [*make_network(work), HERE / "image_classifier.v"]
    options = []
    if arguments.sim == "verilator":
        os.environ.update(tools.verilator_environment())
        # Small C++ without optimisation: this run is short.
        options = ["-CFLAGS", "-O0"]
    with build_folder(work, arguments.sim) as build:
        results = run(arguments.sim, sources, options, arguments.waves, work, build)
    tests, failed = get_results(results)
    print(f"{tests} tests, {failed} failed; the run's files are in {arguments.out}")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
