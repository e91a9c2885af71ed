"""The subcommands of the hardware side, by name."""

from hw.commands.build import bitstream, emit, synth
from hw.commands.inspect import doctor, evaluate, genotypes
from hw.commands.load import load
from hw.commands.prepare import network, plan
from hw.commands.report import report

COMMANDS = {
    "doctor": doctor,
    "network": network,
    "genotypes": genotypes,
    "eval": evaluate,
    "plan": plan,
    "emit": emit,
    "load": load,
    "synth": synth,
    "bitstream": bitstream,
    "report": report,
}
