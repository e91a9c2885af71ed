"""The cache of built models: one build for each digest, whole or not at all."""

import threading

import pytest

from sim import cache


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "shiftnas" / "sim"


def build(folder):
    (folder / "file").write_text("built")


def test_built_once(place):
    folder, cached = cache.entry("kind", "a", build)
    assert (folder, cached) == (place / "kind" / "a", False)
    assert (folder / "file").read_text() == "built"
    assert cache.entry("kind", "a", build) == (folder, True)


def test_failed_build_leaves_nothing(place):
    def fail(folder):
        build(folder)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.entry("kind", "a", fail)
    assert [path.name for path in (place / "kind").iterdir() if path.is_dir()] == []
    assert cache.entry("kind", "a", build)[1] is False


def test_two_at_once_build_once():
    started = []

    def slow(folder):
        started.append(folder)
        threading.Event().wait(0.2)
        build(folder)

    threads = [threading.Thread(target=cache.entry, args=("kind", "a", slow)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == 1


def test_oldest_entries_go(monkeypatch, place):
    monkeypatch.setattr(cache, "KEEP", 2)
    for number in range(4):
        cache.entry("kind", str(number), build)
        cache.entry("kind", "0", build)
    left = {path.name for path in (place / "kind").iterdir() if path.is_dir()}
    assert left == {"0", "3"}


def test_digest_tells_lists_of_parts_apart():
    assert cache.digest_of("ab", "c") != cache.digest_of("a", "bc")
    assert cache.digest_of("a") != cache.digest_of("a", "")
