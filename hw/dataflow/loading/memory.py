"""A layer's memory of weights or scales, seen from the port that loads it.

The layer reads its memory through one port. A loadable memory has a write port too, and while the
network is halted its read port belongs to the loader: what is read back is what the layer reads.
"""

# By the stubs of amaranth a flipped interface is none.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import In, Out


class Access(wiring.Signature):
    """The loader's end of a loadable memory.

    Parameters
    ----------
    words, bits: of the memory

    Members
    -------
    halt: the layer is in reset, its memory is the loader's
    address, data, write: write `data`, or read, while `halt` is high
    value: the word at `address`, one cycle after it
    """

    def __init__(self, words: int, bits: int):
        self.words, self.bits = words, bits
        super().__init__(
            {
                "halt": Out(1),
                "address": Out(range(words)),
                "data": Out(bits),
                "write": Out(1),
                "value": In(bits),
            }
        )


def attach(m: Module, memory: Memory, port: ReadPort, access: wiring.PureInterface | None) -> None:
    """Give `access` the memory's write port and what its read `port` says; without it, nothing."""
    if access is None:
        return
    write = memory.write_port()
    m.d.comb += [
        write.addr.eq(access.address),
        Value.cast(write.data).eq(access.data),
        write.en.eq(access.write),
        access.value.eq(Value.cast(port.data)),
    ]


def address(access: wiring.PureInterface | None, own: Value) -> Value:
    """What a read port is to look at: the layer's `own` address unless the loader has it."""
    return own if access is None else Mux(access.halt, access.address, own)


def enable(access: wiring.PureInterface | None, own: Value) -> Value:
    """When a read port is to look."""
    return own if access is None else own | access.halt
