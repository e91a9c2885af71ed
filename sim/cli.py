"""The subcommands of the simulation side, by name."""

from sim.commands.cosim import cosim

COMMANDS = {
    "cosim": cosim,
}
