"""The search: stages, phases, schedules, resumption."""

import json
from itertools import pairwise

import pytest
import torch

from hw import genotypes
from hw.errors import InputError
from nas import search as searching
from nas.config import SearchConfig, load_config
from nas.search import search, temperature

TINY = (
    "search.images=64",
    "search.batch=32",
    "search.cells=1",
    "search.operation_epochs=2",
    "search.topology_epochs=2",
)


class InterruptedRun(Exception):
    """Stands for Ctrl-C in the middle of a run."""


def read_log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def without_times(log):
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in log]


def test_temperature_falls_from_start_to_end():
    config = SearchConfig(topology_epochs=20)
    heats = [temperature(config, epoch) for epoch in range(20)]
    assert heats[0] == 10 and heats[-1] == pytest.approx(0.02)
    ratios = {round(b / a, 9) for a, b in pairwise(heats)}
    assert len(ratios) == 1


def test_inq_is_for_training_only(tmp_path):
    with pytest.raises(InputError, match="inq: a stage of the search is too short"):
        search("digits", tmp_path / "run", load_config("tiny", (*TINY, "shift.layer=inq")))
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search") / "run"
    return folder, search("digits", folder, load_config("tiny", TINY))


def test_the_genotype_is_written(whole):
    folder, genotype = whole
    assert genotypes.load(folder / "genotype.yaml") == genotype
    assert len(genotype.normal) == len(genotype.reduce) == 8


def test_both_stages_have_their_phases_and_schedules(whole):
    log = read_log(whole[0])
    assert [(entry["stage"], entry["phase"]) for entry in log] == [
        ("operation", "warm-up"),
        ("operation", "search"),
        ("operation", "search"),
        ("topology", "warm-up"),
        ("topology", "search"),
        ("topology", "search"),
    ]
    rates = [entry["lr"] for entry in log]
    assert rates[0] == rates[3] == 0.01  # the reset
    assert rates[0] > rates[1] > rates[2]
    assert [entry.get("temperature") for entry in log] == [None, None, None, 10, 10, 0.02]


def test_without_reset_there_is_one_cosine(tmp_path):
    settings = (*TINY, "search.lr_reset=false", "search.operation_epochs=1")
    search("digits", tmp_path / "run", load_config("tiny", settings))
    rates = [entry["lr"] for entry in read_log(tmp_path / "run")]
    assert rates == sorted(rates, reverse=True) and len(set(rates)) == len(rates)


@pytest.mark.parametrize("epochs", [2, 3, 4])
def test_a_search_cut_short_ends_as_one_in_a_piece(whole, tmp_path, monkeypatch, epochs):
    original, seen = searching._Searcher._epoch, []

    def stopping(*arguments):
        if len(seen) == epochs:
            raise InterruptedRun
        seen.append(None)
        return original(*arguments)

    config = load_config("tiny", TINY)
    with monkeypatch.context() as patch:
        patch.setattr(searching._Searcher, "_epoch", stopping)
        with pytest.raises(InterruptedRun):
            search("digits", tmp_path / "run", config)
    genotype = search("digits", tmp_path / "run", config, resume=True)
    folder, expected = whole
    assert genotype == expected
    assert without_times(read_log(tmp_path / "run")) == without_times(read_log(folder))
    states = [
        torch.load(path / "checkpoint.pt", weights_only=True)["architecture"]
        for path in (folder, tmp_path / "run")
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_warm_up_leaves_the_architecture_alone_and_search_moves_it(tmp_path):
    settings = (*TINY, "search.operation_warmup=2", "search.operation_epochs=1")
    moved = []
    original = searching._Searcher._epoch

    def watching(self, stage, epoch, steps, searching_now, *rest):
        before = [p.detach().clone() for p in stage.architecture.parameters()]
        result = original(self, stage, epoch, steps, searching_now, *rest)
        after = list(stage.architecture.parameters())
        same = all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        moved.append((searching_now, not same))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching._Searcher, "_epoch", watching)
        search("digits", tmp_path / "run", load_config("tiny", settings))
    assert (
        moved == [(False, False), (False, False), (True, True), (False, False)] + [(True, True)] * 2
    )


def test_architecture_step_computes_no_weight_gradients(tmp_path):
    seen = []
    original = searching._Searcher._architecture_step

    def watching(self, stage, *rest):
        stage.optimiser.zero_grad()
        original(self, stage, *rest)
        seen.append(any(p.grad.any() for p in stage.net.parameters()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching._Searcher, "_architecture_step", watching)
        search("digits", tmp_path / "run", load_config("tiny", TINY))
    assert seen == [False] * 2


def test_alpha_sees_only_the_half_that_the_weights_do_not(tmp_path):
    seen, parts = set(), []
    original = searching._Searcher._architecture_step

    def watching(self, stage, parameters, pixels, labels):
        parts[:] = [{image.numpy().tobytes() for image in part.pixels} for part in self.parts]
        seen.update(image.numpy().tobytes() for image in pixels)
        original(self, stage, parameters, pixels, labels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching._Searcher, "_architecture_step", watching)
        search("digits", tmp_path / "run", load_config("tiny", TINY))
    assert seen and not parts[0] & parts[1]
    assert seen <= parts[1]
