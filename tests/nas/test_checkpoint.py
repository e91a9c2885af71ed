"""Checkpoints: the newest, the one before, and damage."""

import random

import pytest
import torch

from hw.errors import InputError
from nas import checkpoint
from nas.checkpoint import BEFORE, CHECKPOINT, Damaged, newest, read, save


def write(folder, *numbers):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        save(folder, {"epoch": number, "tensor": torch.full((500,), float(number))})
    return folder


def flip(path, position, bit=0):
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(bytes(content))


def test_the_last_two_are_kept(tmp_path):
    folder = write(tmp_path / "run", 1, 2, 3)
    assert sorted(p.name for p in folder.iterdir()) == [BEFORE, CHECKPOINT]
    assert [read(folder / name)["epoch"] for name in (CHECKPOINT, BEFORE)] == [3, 2]
    assert newest(folder)["tensor"].tolist() == [3.0] * 500
    assert newest(tmp_path) is None


def test_torch_reads_the_file_too(tmp_path):
    folder = write(tmp_path / "run", 1)
    assert torch.load(folder / CHECKPOINT, weights_only=True)["epoch"] == 1


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    path = write(tmp_path / "run", 1) / CHECKPOINT
    content = path.read_bytes()
    tensor = content.index(torch.full((500,), 1.0).numpy().tobytes())
    rng = random.Random(1)
    anywhere = [rng.randrange(len(content)) for _ in range(100)]
    for position in (0, tensor, tensor + 1999, len(content) - 1, -32, -33, -34, *anywhere):
        flip(path, position, bit := rng.randrange(8))
        with pytest.raises(Damaged, match="SHA-256"):
            read(path)
        flip(path, position, bit)
    assert read(path)["epoch"] == 1


@pytest.mark.parametrize("length", [0, 1, 33, 1000, -1])
def test_a_truncated_file_is_noticed(tmp_path, length):
    path = write(tmp_path / "run", 1) / CHECKPOINT
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(Damaged):
        read(path)


def test_a_damaged_newest_is_named_and_skipped(tmp_path, capsys):
    folder = write(tmp_path / "run", 1, 2)
    flip(folder / CHECKPOINT, 1000)
    assert newest(folder)["epoch"] == 1
    err = capsys.readouterr().err
    assert err.startswith(f"{folder / CHECKPOINT}: damaged checkpoint")
    assert err.endswith(f"going on from the one before, {BEFORE}\n") and err.count("\n") == 1


def test_both_damaged(tmp_path):
    folder = write(tmp_path / "run", 1, 2)
    for name in (CHECKPOINT, BEFORE):
        flip(folder / name, 1000)
    with pytest.raises(InputError, match="none before it is whole; run again with --force"):
        newest(folder)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", [1, 2])
def test_killed_while_saving(tmp_path, monkeypatch, step):
    """Before each of the two renames: one whole checkpoint of the last two epochs is there."""
    folder = write(tmp_path / "run", 1, 2)
    original, calls = checkpoint.Path.replace, []

    def stopping(self, target):
        if target.parent == folder and target.name in (CHECKPOINT, BEFORE):
            calls.append(target)
            if len(calls) == step:
                raise Killed
        return original(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Path, "replace", stopping)
        with pytest.raises(Killed):
            write(folder, 3)
    assert newest(folder)["epoch"] == 2
    write(folder, 3)
    assert newest(folder)["epoch"] == 3
