"""A program as a folder: what it is and rests on in `program.json`, its packet in `program.bin`.

    PROG/program.json   versions, the overlay's sizes, the network's digest, image, batch, logits,
                        cycles, memory, digests
    PROG/program.bin    the words that go to an overlay, 16 bits each, lower byte first; of one that
                        is streamed header, prefix and suffix once, each with its CRC

The same program gives the same bytes.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from hw import documents
from hw.errors import InputError
from hw.ir import canonical
from hw.overlay import isa
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from hw.overlay.header import CRC_WORDS, FIELDS
from hw.overlay.packet import packet
from hw.overlay.program import Program

SCHEMA_VERSION = 1

DOCUMENT, PACKET = "program.json", "program.bin"

AGAIN = "compile it again: shiftnas program NET --overlay RTL --out PROG"


@dataclass(frozen=True, eq=False)
class ProgramFile:
    """A program and what its file says of it.

    Parameters
    ----------
    program: it
    memory: words of the data memory in use at most
    cycles_per_batch: of a full batch, without waiting for images and outputs
    cycles_alone: of a batch of one image
    """

    program: Program
    memory: int
    cycles_per_batch: int
    cycles_alone: int

    @classmethod
    def of(cls, program: Program, memory: int) -> Self:
        """With the cycles that the program takes."""
        found = cycles(program)
        return cls(program, memory, found.batch, found.lone)

    @property
    def cycles_per_frame(self) -> float:
        """Of a full batch."""
        return self.cycles_per_batch / self.program.images

    @cached_property
    def packet(self) -> bytes:
        """Content of `program.bin`."""
        return packet(self.program).astype("<u2").tobytes()

    @cached_property
    def document(self) -> dict[str, Any]:
        """Content of `program.json`."""
        program = self.program
        content = {
            "schema_version": SCHEMA_VERSION,
            **program.hardware.content,
            "overlay_digest": program.hardware.digest,
            "network_digest": program.network,
            "image": list(program.image),
            "image_pitch": list(program.image_pitch),
            "image_slot": program.image_slot,
            "image_step": program.image_step,
            "batch": list(program.batch),
            "logits": program.logits,
            # Not in files of stored programs: they are as they were before there was anything else.
            **({"streamed": True} if program.streamed else {}),
            "prefix_words": len(program.prefix),
            "suffix_words": len(program.suffix),
            "memory_words": self.memory,
            "cycles_per_batch": self.cycles_per_batch,
            "cycles_alone": self.cycles_alone,
            "packet": {
                "file": PACKET,
                "words": len(self.packet) // 2,
                "sha256": hashlib.sha256(self.packet).hexdigest(),
            },
        }
        return content | {"digest": canonical.digest(content)}

    @property
    def digest(self) -> str:
        """SHA-256 over the document, and so over the words."""
        return self.document["digest"]

    @property
    def files(self) -> dict[str, bytes]:
        """Content of the folder's files, by name."""
        text = json.dumps(self.document, indent=1, sort_keys=True) + "\n"
        return {DOCUMENT: text.encode(), PACKET: self.packet}


def save(file: ProgramFile, folder: str | Path) -> None:
    """Write the files into `folder`, which exists: see `hw.outputs.folder`."""
    for name, content in file.files.items():
        (Path(folder) / name).write_bytes(content)


def load(folder: str | Path, hardware: Overlay | None = None) -> ProgramFile:
    """A program read back, every digest checked.

    Parameters
    ----------
    hardware: that it must be for; without one, its sizes are the file's and its fabric is generic

    Raises
    ------
    InputError: it is none, damaged, of another version or for another overlay; names the file and
        the field
    """
    path = Path(folder) / DOCUMENT
    document = documents.read_json(path, "program", SCHEMA_VERSION, AGAIN)
    if document.get("isa") != isa.VERSION:
        raise InputError(f"{path}: isa: {document.get('isa')}; expected {isa.VERSION}; {AGAIN}")
    content = {key: value for key, value in document.items() if key != "digest"}
    if document.get("digest") != canonical.digest(content):
        raise InputError(f"{path}: digest: does not match the content; {AGAIN}")
    try:
        file = _file(document, folder, hardware)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: expected other fields: {error!r}; {AGAIN}") from None
    if file.document != document:
        raise InputError(f"{path}: says something else than the header of {PACKET}; {AGAIN}")
    return file


def _file(document: dict[str, Any], folder: str | Path, hardware: Overlay | None) -> ProgramFile:
    sizes = document["overlay"]
    if hardware is None:
        hardware = Overlay(**sizes, fabric="generic")
    require_for(sizes, hardware, Path(folder) / DOCUMENT)
    words = _words(Path(folder) / PACKET, document["packet"])
    streamed = document.get("streamed", False)
    body = words[len(FIELDS) + CRC_WORDS * streamed : -CRC_WORDS].astype(np.uint16)
    prefix, suffix = np.split(body, [document["prefix_words"]])
    program = Program(
        hardware=hardware,
        prefix=prefix,
        suffix=suffix[CRC_WORDS * streamed :],
        image=tuple(document["image"]),
        image_pitch=tuple(document["image_pitch"]),
        image_slot=document["image_slot"],
        image_step=document["image_step"],
        batch=tuple(document["batch"]),
        logits=document["logits"],
        network=document["network_digest"],
        streamed=streamed,
    )
    return ProgramFile(
        program,
        document["memory_words"],
        document["cycles_per_batch"],
        document["cycles_alone"],
    )


def require_for(sizes: dict[str, Any], hardware: Overlay, source: str | Path) -> None:
    """InputError where a program is for other sizes than the hardware's."""
    ours = asdict(hardware)
    for name, value in sizes.items():
        if value != ours[name]:
            raise InputError(
                f"{source}: overlay: {name}: {value}, and {ours[name]} of the hardware; {AGAIN}"
            )


def _words(path: Path, said: dict[str, Any]) -> np.ndarray:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; {AGAIN}") from None
    if hashlib.sha256(content).hexdigest() != said["sha256"]:
        raise InputError(
            f"{path}: {len(content):,} bytes that are not those of {DOCUMENT}: truncated, damaged"
            f" or of another program; {AGAIN}"
        )
    return np.frombuffer(content, "<u2")
