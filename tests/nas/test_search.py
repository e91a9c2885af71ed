"""The search: stages, phases, schedules, resumption."""

import json

import pytest
import torch
from interrupted import InterruptedRun, interrupt_after, tensors_of, without_times

from hw.errors import InputError
from hw.networks import genotypes
from nas import search as searching
from nas.batches import Augmentation
from nas.config import load_config
from nas.model import image_tensor
from nas.optimise import cosine
from nas.search import search
from nas.strategies.registry import STRATEGIES, make_strategy

TINY = (
    "search.images=64",
    "search.batch=32",
    "search.cells=1",
    "search.operation_epochs=2",
    "search.topology_epochs=2",
    "search.epochs=2",
    "search.pdarts.cells=[1,1,1]",
)


def read_log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


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
    # Of each epoch's last step; the topology search takes two steps of all images an epoch.
    heats = [entry.get("temperature") for entry in log]
    assert heats == [None, None, None, 1, pytest.approx(10 * 0.002 ** (1 / 3)), 0.02]


def test_learning_rate_and_temperature_change_at_every_step(tmp_path, monkeypatch):
    seen = []
    original = searching._Searcher._step

    def watching(self, active, moment, *rest):
        heat = getattr(active.architecture, "temperature", lambda _: None)(moment)
        seen.append((active.plan.name, active.optimiser.lr, heat))
        original(self, active, moment, *rest)

    monkeypatch.setattr(searching._Searcher, "_step", watching)
    search("digits", tmp_path / "run", load_config("tiny", TINY))
    # 64 images in batches of 32: a step an epoch on a half of them, two on all.
    rates = {name: [rate for stage, rate, _ in seen if stage == name] for name, *_ in seen}
    for name, steps in (("operation", 3), ("topology", 1 + 2 * 2)):
        assert rates[name] == [cosine(0.01, step, steps) for step in range(steps)]
    heats = [heat for stage, _, heat in seen if stage == "topology"]
    assert heats == pytest.approx([1, 10, 10 * 0.002 ** (1 / 3), 10 * 0.002 ** (2 / 3), 0.02])


def test_alpha_and_beta_begin_at_zero_in_shiftnas_and_at_random_in_its_rivals():
    for name, settings in STRATEGIES.items():
        config = load_config(None, (f"search.strategy={name}",)).search
        strategy = make_strategy(config)
        first = list(strategy.architecture(0, strategy.start).parameters())
        lineage = settings.name in ("shiftnas", "dots", "random")
        assert all(p.any() != lineage for p in first), name


def test_the_first_beta_of_adam_is_the_stages(tmp_path, monkeypatch):
    seen = {}
    original = searching._Searcher._run

    def watching(self, active, bar):
        seen[active.plan.name] = active.arch_optimiser.defaults["betas"][0]
        original(self, active, bar)

    monkeypatch.setattr(searching._Searcher, "_run", watching)
    search("digits", tmp_path / "run", load_config("tiny", TINY))
    assert seen == {"operation": 0.5, "topology": 0.9}


@pytest.mark.parametrize(("half", "images"), [("true", 32), ("false", 64)])
def test_topology_search_warms_up_on_the_half_of_the_weights(tmp_path, monkeypatch, half, images):
    seen = []
    original = searching._Searcher._images

    def watching(self, stage, epoch):
        found = original(self, stage, epoch)
        seen.append((stage.name, epoch < stage.warmup, len(found[0]), found[0] is self.halves[0]))
        return found

    monkeypatch.setattr(searching._Searcher, "_images", watching)
    settings = (*TINY, f"search.topology_warmup_half={half}")
    search("digits", tmp_path / "run", load_config("tiny", settings))
    assert {of for of in seen if of[0] == "topology"} == {
        ("topology", True, images, half == "true"),
        ("topology", False, 64, False),
    }


def test_images_of_a_search_are_changed_as_the_settings_say(tmp_path, monkeypatch):
    changed, seen = {}, []
    augmented, loss = Augmentation.__call__, searching._loss

    def changing(augmentation, pixels):
        images = augmented(augmentation, pixels)
        changed[id(images)] = augmentation, images
        return images

    def watching(active, batch, mixture):
        seen.append(id(batch[0]))
        return loss(active, batch, mixture)

    monkeypatch.setattr(Augmentation, "__call__", changing)
    monkeypatch.setattr(searching, "_loss", watching)
    settings = (*TINY, "search.crop=1", "search.flip=true", "search.cutout=3")
    search("digits", tmp_path / "run", load_config("tiny", settings))
    # Of the weights and of the architecture alike.
    assert set(seen) == set(changed)
    assert {augmentation for augmentation, _ in changed.values()} == {Augmentation(1, True, 3)}


def test_without_reset_there_is_one_cosine(tmp_path):
    settings = (*TINY, "search.lr_reset=false", "search.operation_epochs=1")
    search("digits", tmp_path / "run", load_config("tiny", settings))
    rates = [entry["lr"] for entry in read_log(tmp_path / "run")]
    assert rates == sorted(rates, reverse=True) and len(set(rates)) == len(rates)


@pytest.mark.parametrize("epochs", [2, 3, 4])
def test_a_search_cut_short_ends_as_one_in_a_piece(whole, tmp_path, monkeypatch, epochs):
    config = load_config("tiny", TINY)
    with monkeypatch.context() as patch:
        interrupt_after(patch, searching._Searcher, "_epoch", epochs)
        with pytest.raises(InterruptedRun):
            search("digits", tmp_path / "run", config)
    genotype = search("digits", tmp_path / "run", config, resume=True)
    folder, expected = whole
    assert genotype == expected
    assert without_times(read_log(tmp_path / "run")) == without_times(read_log(folder))
    states = [
        tensors_of(torch.load(path / "checkpoint.pt", weights_only=True))
        for path in (folder, tmp_path / "run")
    ]
    assert {name.split("/")[1] for name in states[0]} == {
        "net",
        "architecture",
        "optimiser",
        "arch_optimiser",
        "random",
    }
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_warm_up_leaves_the_architecture_alone_and_search_moves_it(tmp_path):
    settings = (*TINY, "search.operation_warmup=2", "search.operation_epochs=1")
    moved = []
    original = searching._Searcher._epoch

    def watching(self, active, epoch, bar):
        before = [p.detach().clone() for p in active.architecture.parameters()]
        result = original(self, active, epoch, bar)
        after = list(active.architecture.parameters())
        moved.append(not all(torch.equal(a, b) for a, b in zip(before, after, strict=True)))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching._Searcher, "_epoch", watching)
        search("digits", tmp_path / "run", load_config("tiny", settings))
    assert moved == [False, False, True, False, True, True]


def test_architecture_step_changes_no_weight(tmp_path):
    seen = []
    original = searching._Searcher._architecture_step

    def watching(self, active, *rest):
        before = [p.detach().clone() for p in active.net.parameters()]
        active.optimiser.zero_grad()
        original(self, active, *rest)
        after = list(active.net.parameters())
        seen.append(all(torch.equal(a, b) for a, b in zip(before, after, strict=True)))
        seen.append(not any(p.grad.any() for p in after))

    for order in (1, 2):
        settings = (*TINY, f"search.darts.order={order}", "search.strategy=darts")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(searching._Searcher, "_architecture_step", watching)
            search("digits", tmp_path / str(order), load_config("tiny", settings))
    assert len(seen) == 8 and all(seen)


def test_alpha_sees_only_the_half_that_the_weights_do_not(tmp_path):
    seen, parts = set(), []
    original = searching._Searcher._architecture_step

    def watching(self, active, moment, batch, held_out, meter):
        images = [image_tensor(part.pixels) for part in self.halves]
        parts[:] = [{image.numpy().tobytes() for image in part} for part in images]
        seen.update(image.numpy().tobytes() for image in held_out[0])
        original(self, active, moment, batch, held_out, meter)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching._Searcher, "_architecture_step", watching)
        search("digits", tmp_path / "run", load_config("tiny", TINY))
    assert seen and not parts[0] & parts[1]
    assert seen <= parts[1]


def test_without_topology_search_there_is_one_stage(tmp_path):
    search("digits", tmp_path / "run", load_config("tiny", (*TINY, "search.topology=false")))
    assert {entry["stage"] for entry in read_log(tmp_path / "run")} == {"operation"}


def test_every_strategy_has_a_name_and_defaults():
    for name in STRATEGIES:
        assert load_config(None, (f"search.strategy={name}",)).search.strategy == name


def test_a_strategy_brings_its_defaults_and_settings_go_before_them():
    dots = load_config(None, ("search.strategy=dots",)).search
    assert (dots.lr_reset, dots.regularisation, dots.zero) == (False, "latent", True)
    assert load_config(None, ("search.lr_reset=true", "search.strategy=dots")).search.lr_reset


@pytest.mark.parametrize("domain", ["shift", "real"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_finds_a_genotype(tmp_path, strategy, domain):
    config = load_config("tiny", (*TINY, f"search.strategy={strategy}"))
    genotype = search("digits", tmp_path / "run", config, domain=domain)
    assert genotypes.load(tmp_path / "run" / "genotype.yaml") == genotype
    for entry in read_log(tmp_path / "run"):
        assert entry["strategy"] == strategy
        shares = entry["architecture"]["alpha"]
        assert [len(cell) for cell in shares] == [14, 14]


def test_data_that_does_not_match_the_preset(tmp_path):
    with pytest.raises(InputError, match="image 8x8x1, but the configuration is for 32x32x3"):
        search("digits", tmp_path / "run", load_config("cifar10"))
    assert not (tmp_path / "run").exists()
