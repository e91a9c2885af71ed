"""The subcommands of the simulation side, by name."""

from sim.commands.cosim import cosim
from sim.commands.coverage import coverage
from sim.commands.fuzz import fuzz
from sim.commands.mutate import mutate
from sim.commands.prove import prove

COMMANDS = {
    "cosim": cosim,
    "coverage": coverage,
    "fuzz": fuzz,
    "mutate": mutate,
    "prove": prove,
}
