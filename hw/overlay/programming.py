"""A network's program for an overlay, as a file: compiled, and no longer than there is room for."""

from hw.errors import InputError
from hw.ir.network import Network
from hw.overlay.compiler.compile import Compiled, compile_network
from hw.overlay.hardware import Overlay
from hw.overlay.program_file import ProgramFile


def program_for(network: Network, hardware: Overlay) -> ProgramFile:
    """The program of a network.

    Raises
    ------
    InputError: the network does not fit the overlay; names what, the number and what helps
    """
    compiled = compile_network(network, hardware)
    words = length(compiled)
    if words > hardware.program_words:
        raise InputError(
            f"program: {words:,} words; the overlay's memory for it has"
            f" {hardware.program_words:,}: take program_words {words}"
        )
    return ProgramFile.of(compiled.program, compiled.memory)


def length(compiled: Compiled) -> int:
    """Words of a program."""
    return len(compiled.program.prefix) + len(compiled.program.suffix)
