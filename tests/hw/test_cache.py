import multiprocessing
import os

import pytest

from hw import cache


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
