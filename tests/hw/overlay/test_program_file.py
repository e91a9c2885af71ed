"""A program's folder: what is read is what was written, and nothing damaged or foreign is taken."""

import json
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest

from hw.errors import InputError
from hw.ir import canonical
from hw.overlay.cycles import cycles
from hw.overlay.hardware import Overlay
from hw.overlay.header import FIELDS
from hw.overlay.packet import packet
from hw.overlay.program_file import DOCUMENT, PACKET, ProgramFile, load, save
from sim.overlay.random_programs import random_program

HARDWARE = Overlay(rows=3, columns=4, acc_bits=17, words=64, program_words=512)


@pytest.fixture(scope="module")
def file():
    program = next(p for p in (random_program(HARDWARE, seed, views=2) for seed in range(20, 99))
                   if p.images == 2)  # fmt: skip
    return ProgramFile.of(program, memory=60)


@pytest.fixture
def folder(file, tmp_path):
    save(file, tmp_path)
    return tmp_path


def changed(folder, **fields):
    """The document with other fields, and the digest that fits them."""
    path = folder / DOCUMENT
    document = json.loads(path.read_text()) | fields
    del document["digest"]
    path.write_text(json.dumps(document | {"digest": canonical.digest(document)}))


def test_what_is_read_is_what_was_written(file, folder):
    found = load(folder, HARDWARE)
    assert (packet(found.program) == packet(file.program)).all()
    for name, value in vars(file.program).items():
        theirs = getattr(found.program, name)
        same = (theirs == value).all() if isinstance(value, np.ndarray) else theirs == value
        assert same, name
    assert found.memory == 60
    assert found.cycles_per_batch == cycles(file.program).batch
    assert found.cycles_per_frame == cycles(file.program).frame
    assert found.cycles_alone == cycles(file.program).lone
    assert found.digest == file.digest
    assert found.files == file.files


def test_a_streamed_program_s_file_has_its_sections(file, tmp_path):
    """Each with a CRC of its own; the header says that it is streamed, nothing of it when not."""
    streamed = ProgramFile.of(replace(file.program, streamed=True), memory=60)
    save(streamed, tmp_path)
    found = load(tmp_path, HARDWARE)
    assert found.program.streamed and found.files == streamed.files
    assert (found.program.suffix == file.program.suffix).all()
    assert found.document["streamed"] and "streamed" not in file.document
    words = np.frombuffer((tmp_path / PACKET).read_bytes(), "<u2")
    stored = packet(file.program)
    prefix, suffix = file.program.prefix, file.program.suffix
    assert words[6] == stored[6] | 0x8000
    at = 0
    for section in (words[: len(FIELDS)], prefix, suffix):
        assert (words[at : at + len(section)] == section).all()
        at += len(section) + 2
        crc = zlib.crc32(section.tobytes())
        assert words[at - 2 : at].tolist() == [crc & 0xFFFF, crc >> 16]
    assert at == len(words)


def test_the_packet_s_words_have_their_lower_byte_first(file, folder):
    assert (folder / PACKET).read_bytes()[:4] == b"OS\x02\x00"
    assert (
        np.frombuffer((folder / PACKET).read_bytes(), "<u2").tolist()
        == packet(file.program).tolist()
    )


def test_without_hardware_the_sizes_are_the_file_s(folder):
    found = load(folder).program.hardware
    assert found == HARDWARE.resized(fabric="generic")
    assert found.fingerprint == HARDWARE.fingerprint


def test_another_overlay_is_named_by_the_size_that_differs(folder):
    with pytest.raises(InputError, match=r"overlay: acc_bits: 17, and 19 of the hardware; compile"):
        load(folder, HARDWARE.resized(acc_bits=19))


@pytest.mark.parametrize("at", [0, 8, 40, -1])
def test_every_damaged_byte_is_noticed(folder, at):
    content = bytearray((folder / PACKET).read_bytes())
    content[at] ^= 1
    (folder / PACKET).write_bytes(content)
    with pytest.raises(
        InputError, match=r"program\.bin: .* bytes that are not those of program\.json"
    ):
        load(folder, HARDWARE)


def test_a_truncated_packet_is_noticed(folder):
    content = (folder / PACKET).read_bytes()
    (folder / PACKET).write_bytes(content[:-2])
    with pytest.raises(InputError, match=f"{len(content) - 2:,} bytes that are not those"):
        load(folder)


def test_a_missing_packet_is_named(folder):
    (folder / PACKET).unlink()
    with pytest.raises(InputError, match=r"program\.bin: No such file"):
        load(folder)


def test_a_folder_without_a_program_is_named(tmp_path):
    with pytest.raises(InputError, match=r"program\.json: no such program; compile it again: "):
        load(tmp_path)


def test_an_edited_document_is_noticed(folder):
    text = (folder / DOCUMENT).read_text()
    (folder / DOCUMENT).write_text(text.replace('"memory_words": 60', '"memory_words": 61'))
    with pytest.raises(InputError, match="digest: does not match the content"):
        load(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schema_version": 2}, "schema_version: expected 1; compile it again"),
        ({"isa": 9}, "isa: 9; expected 2; compile it again"),
        ({"image": [2, 3, 1]}, "says something else than the header of program.bin"),
        ({"prefix_words": 3}, "says something else than the header of program.bin"),
        ({"batch": 4}, "expected other fields: TypeError"),
        ({"overlay": {"rows": 0}}, "overlay: rows: 0; expected an integer 1 to 64"),
    ],
)
def test_what_no_document_can_say(folder, fields, message):
    changed(folder, **fields)
    with pytest.raises(InputError, match=re.escape(message)):
        load(folder)
