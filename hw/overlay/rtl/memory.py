"""The data memory of one row of lanes."""

# By the stubs of amaranth a Component has no `elaborate`.
# pyright: reportArgumentType=false

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.overlay.banks import BLOCK_SHAPES, depths
from hw.overlay.rtl import cells


def local(bank: int, words: int, address: Value) -> Value:
    """A bank's own address, from the memory's: zeros are read where another bank is meant."""
    sizes = depths(words)
    bits = (sizes[bank] - 1).bit_length()
    if len(sizes) == 1:
        return address[:bits]
    second = address[(sizes[0] - 1).bit_length()]
    if bank == 0:
        return address[:bits] & ~second.replicate(bits)
    return address[:bits] | (~second).replicate(bits)


class RowMemory(wiring.Component):
    """A pixel for each lane of a row in every word; one read and one write a cycle.

    Parameters
    ----------
    columns, bits: pixels of a word, bits of a pixel
    words: that can be addressed
    fabric: "ecp5" (block RAMs are instantiated) or "generic"

    Members
    -------
    read<bank>, write<bank>: addresses within each bank
    store<bank>: whether a bank is written
    enable: of which pixels
    pixels: what is written
    o<bank>: what a bank has read, two cycles after its address. A word that is being written must
        not be read.
    """

    def __init__(self, columns: int, bits: int, words: int, fabric: str):
        self.columns, self.bits, self.words, self.fabric = columns, bits, words, fabric
        self.depths = depths(words)
        members: dict[str, wiring.Member] = {
            "enable": In(columns),
            "pixels": In(columns * bits),
        }
        for bank, depth in enumerate(self.depths):
            members |= {
                f"read{bank}": In(range(depth)),
                f"write{bank}": In(range(depth)),
                f"store{bank}": In(1),
                f"o{bank}": Out(columns * bits),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        for bank, depth in enumerate(self.depths):
            read, write = getattr(self, f"read{bank}"), getattr(self, f"write{bank}")
            store, output = getattr(self, f"store{bank}"), getattr(self, f"o{bank}")
            if self.fabric == "ecp5":
                self._blocks(m, bank, read, write, store, output)
                continue
            memory = Memory(
                shape=unsigned(self.columns * self.bits),
                depth=depth,
                init=[],
                attrs={"no_rw_check": 1, "ram_style": "block", "syn_ramstyle": "block_ram"},
            )
            m.submodules[f"bank{bank}"] = memory
            reader = memory.read_port()
            writer = memory.write_port(granularity=self.bits)
            held = Signal(self.columns * self.bits, name=f"held{bank}", reset_less=True)
            m.d.comb += [
                reader.addr.eq(read),
                writer.addr.eq(write),
                writer.data.eq(self.pixels),
                writer.en.eq(self.enable & store.replicate(self.columns)),
                output.eq(held),
            ]
            m.d.sync += held.eq(reader.data)
        return m

    def _blocks(self, m: Module, bank: int, read, write, store, output) -> None:
        assert self.bits == cells.BYTE
        lanes = BLOCK_SHAPES[self.depths[bank]]
        for first in range(0, self.columns, lanes):
            there = range(first, min(first + lanes, self.columns))
            spare = lanes - len(there)
            m.submodules[f"bank{bank}_block{first // lanes}"] = cells.block_ram(
                self.depths[bank],
                write_address=write,
                write=store,
                write_enables=[*(self.enable[k] for k in there), *[Const(0)] * spare],
                write_data=[
                    *(self.pixels.word_select(k, self.bits) for k in there),
                    *[Const(0, self.bits)] * spare,
                ],
                read_address=read,
                read_data=[
                    *(output.word_select(k, self.bits) for k in there),
                    *[Signal(self.bits, name=f"spare{first}_{k}") for k in range(spare)],
                ],
            )
