"""A network's program for an overlay: stored where there is room for it, else streamed."""

from dataclasses import replace

from hw.errors import InputError
from hw.ir.network import Network
from hw.overlay.compiler.compile import Compiled, compile_network
from hw.overlay.hardware import AHEAD, Overlay
from hw.overlay.program import Program
from hw.overlay.program_file import ProgramFile


def program_for(network: Network, hardware: Overlay, *, stream: bool = False) -> ProgramFile:
    """The program of a network, as a file.

    stream: it is streamed in any case

    Raises
    ------
    InputError: the network does not fit the overlay; names what, the number and what helps
    """
    compiled = fitted(compile_network(network, hardware), stream=stream)
    return ProgramFile.of(compiled.program, compiled.memory)


def fitted(compiled: Compiled, *, stream: bool = False) -> Compiled:
    """The program as its overlay takes it: streamed where it is too long to be stored.

    Raises
    ------
    InputError: a body that is streamed is too long for the program memory
    """
    if not stream and length(compiled) <= compiled.program.hardware.program_words:
        return compiled
    return replace(compiled, program=streamed(compiled.program))


def streamed(program: Program) -> Program:
    """The same program as a stream.

    Raises
    ------
    InputError: a body is too long for the program memory
    """
    hardware, longest = program.hardware, program.longest_body
    if longest > hardware.streamed_body:
        raise InputError(
            f"program: a body of {longest:,} words; streamed to a memory of"
            f" {hardware.program_depth:,} words it has {hardware.streamed_body:,} at most: take"
            f" program_words {least_memory(program)}"
        )
    return replace(program, streamed=True)


def least_memory(program: Program) -> int:
    """Words of the smallest program memory that the program can be streamed to."""
    return 1 << (program.longest_body + AHEAD - 1).bit_length()


def length(compiled: Compiled) -> int:
    """Words of a program."""
    return len(compiled.program.prefix) + len(compiled.program.suffix)
