import errno
import multiprocessing
import os
import shutil

import pytest

from hw import cache
from hw.errors import InputError


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def write(folder):
    (folder / "result").write_text("made")


def test_made_once_and_kept():
    folder, cached = cache.entry("kind", "a", write)
    assert not cached
    assert folder == cache.root() / "kind" / "a"

    def never(folder):
        raise AssertionError("made twice")

    again, cached = cache.entry("kind", "a", never)
    assert (again, cached) == (folder, True)
    assert (again / "result").read_text() == "made"


def test_failure_leaves_nothing():
    def fail(folder):
        write(folder)
        raise RuntimeError("stopped half-way")

    with pytest.raises(RuntimeError):
        cache.entry("kind", "a", fail)
    assert [path.name for path in (cache.root() / "kind").iterdir()] == [".a.lock"]
    assert not cache.entry("kind", "a", write)[1]


def test_longest_unused_go_first(monkeypatch):
    monkeypatch.setattr(cache, "KEEP", 2)
    for age, name in ((300, "old"), (200, "older_but_used"), (100, "young")):
        folder, _ = cache.entry("kind", name, write)
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
        if name == "older_but_used":
            cache.entry("kind", name, write)
    left = {path.name for path in (cache.root() / "kind").iterdir() if path.name[0] != "."}
    assert left == {"older_but_used", "young"}


def make_slowly(folder):
    with (folder.parent / "count").open("a") as file:
        file.write("x")
    write(folder)


def test_processes_make_it_once():
    jobs = [
        multiprocessing.get_context("fork").Process(
            target=cache.entry, args=("kind", "a", make_slowly)
        )
        for _ in range(4)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * 4
    assert (cache.root() / "kind" / "count").read_text() == "x"


def test_keys_tell_parts_apart():
    keys = {cache.digest_of(*parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""])}
    assert len(keys) == 4
    assert cache.digest_of("a", b"b") == cache.digest_of(b"a", "b")


def damage_cut(folder):
    (folder / "result").write_text("ma")


def damage_emptied(folder):
    (folder / "result").write_text("")


def damage_other(folder):
    (folder / "result").write_text("{}")


def damage_missing(folder):
    (folder / "result").unlink()


def damage_more(folder):
    (folder / "more").touch()


def damage_seal(folder):
    (folder / cache.SEAL).write_bytes(b"\xff")


def damage_unsealed(folder):
    (folder / cache.SEAL).unlink()


def damage_all(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def damage_file(folder):
    shutil.rmtree(folder)
    folder.write_text("no folder")


@pytest.mark.parametrize(
    "damage",
    [one for name, one in list(globals().items()) if name.startswith("damage_")],
)
def test_a_damaged_entry_is_made_again(damage):
    folder, _ = cache.entry("kind", "a", write)
    damage(folder)
    again, cached = cache.entry("kind", "a", write)
    assert (again, cached) == (folder, False)
    assert (folder / "result").read_text() == "made" and not (folder / "more").exists()
    assert cache.entry("kind", "a", write)[1]
    assert [path.name for path in (cache.root() / "kind").glob(".new-*")] == []


def test_one_that_was_made_meanwhile_is_taken(tmp_path, monkeypatch):
    """Where locks do not hold: the other process was faster, or left something damaged."""

    def slowly(content):
        def build(folder):
            write(folder)
            other = cache.root() / "kind" / "a"
            other.mkdir()
            (other / "result").write_text("made")
            (other / cache.SEAL).write_text(content or cache._digest(other))

        return build

    for content in ("", "damaged"):
        folder, _ = cache.entry("kind", "a", slowly(content))
        assert (folder / "result").read_text() == "made" and cache._used(folder)
        shutil.rmtree(folder)


def test_a_relative_cache_is_ignored(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("relative", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache.root() == tmp_path / ".cache" / "shiftnas"


@pytest.mark.parametrize("home", [None, "relative"])
def test_no_home(monkeypatch, home):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])  # KeyError: no such entry
    with pytest.raises(InputError, match=r"HOME names no folder.*; set XDG_CACHE_HOME to a folder"):
        cache.root()


def refused(path, *arguments):
    """In place of a method of Path: a file system that is read only, to root too."""
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def test_a_cache_that_cannot_be_written_is_read(monkeypatch):
    folder, _ = cache.entry("kind", "a", write)
    monkeypatch.setattr(os, "utime", refused)
    monkeypatch.setattr("pathlib.Path.mkdir", lambda path, **how: refused(path))
    assert cache.entry("kind", "a", write) == (folder, True)
    line = "cache: .*/shiftnas/kind: Read-only file system; set XDG_CACHE_HOME to a folder that can"
    with pytest.raises(InputError, match=line):
        cache.entry("kind", "b", write)


def test_a_file_in_place_of_the_cache(tmp_path):
    (tmp_path / "shiftnas").write_text("")
    with pytest.raises(InputError, match=r"cache: .*/shiftnas.*; set XDG_CACHE_HOME"):
        cache.entry("kind", "a", write)


def test_a_full_cache():
    def full(folder):
        write(folder)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputError) as caught:
        cache.entry("kind", "a", full)
    assert str(caught.value) == (
        f"cache: {cache.root() / 'kind'}: No space left on device; "
        "set XDG_CACHE_HOME to a folder that can be written and has room"
    )
    assert [path.name for path in (cache.root() / "kind").iterdir()] == [".a.lock"]


def test_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(FileNotFoundError):
        cache.entry("kind", "a", lambda folder: (folder / "none").read_text())
