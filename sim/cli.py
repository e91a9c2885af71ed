"""The subcommands of the simulation side, by name."""

from sim.commands.cosim import cosim
from sim.commands.prove import prove

COMMANDS = {
    "cosim": cosim,
    "prove": prove,
from sim.commands.coverage import coverage

COMMANDS = {
    "cosim": cosim,
    "coverage": coverage,
}
