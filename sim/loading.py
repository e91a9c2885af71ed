"""Loading weights in a co-simulation: the accesses of the AXI4-Lite master, and what came of them.

Before the first frame the master sees that memories are closed, and then for each image: halts the
network, writes the image, reads every word back, and lets the network go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.axi_lite import OKAY, SLVERR
from hw.dataflow.loading.axi import HALT, HALTED, IDENTITY, VERSION
from hw.dataflow.loading.image import Image

MASTER = Path(__file__).parent / "rtl" / "axil.sv"

LIST, RESULT = "load.txt", "load_result.txt"

WRITE, READ, POLL = range(3)
TOGETHER, BYTES = 11, 16
"""Kinds of accesses; those between are orders of a harness. To BYTES the strobes are added."""

RULES = {
    "bvalid_early": "bvalid comes before address and data are taken",
    "rvalid_early": "rvalid comes before the address is taken",
    "bvalid_withdrawn": "bvalid is withdrawn before it is taken",
    "rvalid_withdrawn": "rvalid is withdrawn before it is taken",
    "bresp_changed": "bresp changes before it is taken",
    "rdata_changed": "rdata or rresp changes before it is taken",
    "starved": "a read and a write that wait at once do not take turns",
}
"""What a response may not do, by the master's name for it."""


@dataclass(frozen=True)
class Access:
    """One access of the master: its kind, byte address, data written or expected, response."""

    kind: int
    address: int
    data: int
    response: int = OKAY

    @property
    def line(self) -> str:
        return f"{self.kind} {self.address:x} {self.data:08x} {self.response}\n"


def accesses(manifest: Mapping[str, Any], images: Sequence[Image]) -> Iterator[Access]:
    """What the master does to load the images, one after the other."""
    registers = manifest["load"]["registers"]
    control, status = registers["control"], registers["status"]
    yield Access(READ, registers["identity"], IDENTITY)
    yield Access(READ, registers["version"], VERSION)
    digests = {"map": manifest["load"]["map_digest"], "network": manifest["network_digest"]}
    for name, digest in digests.items():
        for half in range(2):
            part = int(digest[8 * half : 8 * half + 8], 16)
            yield Access(READ, registers[name] + 4 * half, part)
    for image in images:
        first, value = image.writes[0]
        yield Access(WRITE, first, ~value & 0xFFFFFFFF, SLVERR)
        yield Access(READ, first, 0, SLVERR)
        yield Access(WRITE, control, HALT)
        yield Access(POLL, status, HALTED)
        yield from (Access(WRITE, address, data) for address, data in image.writes)
        yield from (Access(READ, address, data) for address, data in image.writes)
        yield Access(WRITE, control, 0)
        yield Access(POLL, status, 0)


def write(folder: Path, manifest: Mapping[str, Any], images: Sequence[Image]) -> None:
    """The list of accesses, where the master looks for it."""
    lines = [access.line for access in accesses(manifest, images)]
    (folder / LIST).write_text("".join(lines), encoding="utf-8")


def failure(folder: Path) -> str | None:
    """What went wrong when the images were loaded; None: nothing."""
    if not (folder / LIST).exists():
        return None
    lines = (folder / LIST).read_text(encoding="utf-8").splitlines()
    if not (folder / RESULT).exists():
        return "load: the AXI4-Lite port never answered"
    verdict, number, *rest = (folder / RESULT).read_text(encoding="utf-8").split()
    if verdict == "ok":
        return None if int(number) == len(lines) else f"load: {number} of {len(lines)} accesses"
    if verdict == "rule" and int(number) == len(lines):
        return f"load: after the last access: {RULES[rest[0]]}"
    kind, address, data, response = lines[int(number)].split()
    if verdict == "rule":
        access = "write to" if int(kind) == WRITE else "read of"
        return f"load: {access} 0x{address}: {RULES[rest[0]]}"
    value, answer = rest
    if int(kind) == WRITE:
        return f"load: write to 0x{address}: expected response {response}, got {answer}"
    return (
        f"load: read of 0x{address}: expected 0x{data} and response {response}, got 0x{value}"
        f" and {answer}"
    )


def cycles(folder: Path) -> int:
    """Clock cycles that loading, and reading everything back, took; 0 if nothing was loaded."""
    if not (folder / RESULT).exists():
        return 0
    return int((folder / RESULT).read_text(encoding="utf-8").split()[2])
