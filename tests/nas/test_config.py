"""Configuration files and overrides."""

from dataclasses import replace
from importlib import resources

import pytest
import torch
import yaml
from own_plugins import forgotten
from torch import nn

from hw.data import ImageFolder
from hw.errors import InputError
from hw.networks import genotypes
from nas import sources
from nas.auxiliary_head import AuxiliaryHead
from nas.config import PRESETS, Config, ExpectConfig, load_config, merge, register_preset
from nas.data_record import DataRecord
from nas.optimise import ShiftOptimiser, StepSettings
from nas.origin import Origin
from nas.precision import autocast
from nas.search_config import PdartsConfig, SearchConfig
from nas.shift import Linear, ShiftSettings, latent_gradients, make_weight
from nas.strategies.darts_minus import AuxiliarySkipArchitecture
from nas.strategies.strategy import Moment
from nas.task import Task
from nas.train import make_model


@pytest.mark.parametrize("name", PRESETS)
def test_presets_load(name):
    assert isinstance(load_config(name), Config)


def test_defaults_are_the_papers():
    config = load_config("cifar10")
    assert replace(config, expect=ExpectConfig()) == Config()
    assert (config.search.channels, config.search.cells, config.search.batch) == (16, 8, 128)
    stages = (config.search.operation_warmup, config.search.operation_epochs)
    assert sum(stages) == 30
    assert config.search.topology_warmup + config.search.topology_epochs == 40
    assert (config.train.channels, config.train.cells, config.train.epochs) == (36, 20, 200)
    assert config.search.lr == config.train.lr == 0.01
    assert config.search.weight_decay == 3e-4


def test_round_trip(tmp_path):
    config = load_config("demo", ("seed=7", "search.images=null", "shift.inq_portions=[0.6,1]"))
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert load_config(path) == config
    assert config.search.images is None and config.seed == 7


def test_overrides_come_last_and_take_yaml_values():
    config = load_config("demo", ("train.lr=1e-3", "train.flip=true", "search.zero=yes"))
    assert config.train.lr == 1e-3
    assert config.train.flip is True
    assert config.search.zero is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {epochs: many}", "train.epochs: expected int, found 'many'"),
        ("train: {epochs: 0}", "train.epochs: expected at least 1"),
        ("train: {epochs: true}", "train.epochs: expected int"),
        ("search: {lr: -0.1}", "search.lr: expected at least 0"),
        ("search: {lr: 0}", "search.lr: expected more than 0"),
        ("search: {lr: .nan}", "search.lr: expected at least 0"),
        ("train: {lr_steps: [0.5, 0.5]}", "train.lr_steps: expected rising numbers between 0 and"),
        ("train: {lr_steps: [0.5, 1]}", "train.lr_steps: expected rising numbers between 0 and 1"),
        ("train: {lr_steps: 0.5}", "train.lr_steps: expected a list, found 0.5"),
        ("train: {drop_path: 1.0}", "train.drop_path: expected less than 1"),
        ("search: {images: [1]}", "search.images: expected int or null"),
        ("shift: {init: gauss}", "shift.init: expected one of"),
        ("shift: {weight_bits: 4}", "shift.weight_bits: expected one of"),
        ("precision: float16", "precision: expected one of"),
        ("train: {jitter: 1}", "train.jitter: expected less than 1"),
        ("expect: {image: 32x32}", "expect.image: expected HxWxC"),
        ("expect: {image: [32, 32, 3]}", "expect.image: expected str or null"),
        ("expect: {classes: 0}", "expect.classes: expected at least 1"),
        ("shift: {layer: deepshift}", "shift.layer: expected one of ('ps', 'q', 'inq')"),
        ("shift: {scale_terms: 5}", "shift.scale_terms: expected one of"),
        ("shift: {inq_portions: 0.5}", "shift.inq_portions: expected a list, found 0.5"),
        ("shift: {inq_portions: [0.5, a]}", "shift.inq_portions: expected float, found 'a'"),
        ("shift: {inq_portions: []}", "shift.inq_portions: expected rising numbers"),
        ("shift: {inq_portions: [0.5, 0.5, 1]}", "the last 1, found [0.5, 0.5, 1]"),
        ("shift: {inq_portions: [0.5, 0.9]}", "the last 1, found [0.5, 0.9]"),
        ("train: {rounding: up}", "train.rounding: expected one of (None, 'half_up', 'floor')"),
        ("train: {act_bits: 33}", "train.act_bits: expected at most 32, found 33"),
        (
            "train: {activations: 16.16, rounding: half_up}",
            "train.rounding: 'half_up' contradicts train.activations: '16.16'",
        ),
        ("train: {activations: 8.8}", "train.activations: expected one of ('off', '16.16', "),
        ("train: {activations: [8]}", "train.activations: expected str, found [8]"),
        ("train: {optimiser: adam}", "train.optimiser: expected one of ('radam', 'sgd')"),
        ("search: {momentum: 1}", "search.momentum: expected less than 1"),
        ("search: {pdarts: {cells: 5}}", "search.pdarts.cells: expected a list, found 5"),
        ("search: {pdarts: {cells: [5, x, 17]}}", "search.pdarts.cells: expected int, found 'x'"),
        ("search: {pdarts: {cells: [5, 0, 17]}}", "search.pdarts.cells: expected at least 1"),
        ("search: {pdarts: {cells: []}}", "search.pdarts.cells: expected one number or more"),
        ("search: {pdarts: {cells: [5, 11]}}", "search.pdarts.candidates: expected 1 numbers for"),
        ("search: {pdarts: {skip_dropout: [0, 1]}}", "pdarts.skip_dropout: expected less than 1"),
        ("search: {pdarts: {skip_dropout: [0]}}", "pdarts.skip_dropout: expected 3 numbers for"),
        ("search: {pdarts: {candidates: [3, 1]}}", "pdarts.candidates: expected at least 2"),
        ("search: {pdarts: {candidates: [3, 5]}}", "pdarts.candidates: expected at most the 7"),
        ("search: {gdas: {temperature_end: 0}}", "search.gdas.temperature_end: expected more than"),
        ("search: {darts_minus: {decay: step}}", "darts_minus.decay: expected one of ('linear', "),
        ("search: {random: {samples: 0}}", "search.random.samples: expected at least 1"),
        ("serch: {}", "serch: not a field"),
        ("search: 3", "search: expected a mapping"),
        ("- 1", "top level: expected a mapping"),
        ("a: [", "not valid YAML"),
    ],
)
def test_mistakes_name_the_file_and_the_field(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("override", ["epochs", "=3", "train.epochs=a", "nothing.x=1", "seed.x=1"])
def test_wrong_overrides(override):
    with pytest.raises(InputError, match="--set"):
        load_config("demo", (override,))


@pytest.mark.parametrize("choice", ["off", "16.16", "calibrated"])
@pytest.mark.parametrize("quotes", ["", "'"])
def test_words_that_yaml_takes_for_something_else(tmp_path, choice, quotes):
    path = tmp_path / "mine.yaml"
    path.write_text(f"train: {{activations: {quotes}{choice}{quotes}}}")
    config = load_config(path)
    assert config.train.activations == choice
    assert load_config(None, (f"train.activations={quotes}{choice}{quotes}",)) == config
    path.write_text(config.to_yaml())
    assert load_config(path) == config


def test_activations_and_their_epochs_may_not_contradict_each_other(tmp_path):
    assert load_config(None, ("train.quantise_epochs=2",)).train.activations == "calibrated"
    for choice in ("off", "16.16"):
        with pytest.raises(InputError, match=f"2 epochs .* contradict .*: '{choice}'"):
            load_config(None, ("train.quantise_epochs=2", f"train.activations={choice}"))


def test_lists_on_the_command_line():
    settings = ("search.pdarts.cells=[2,3]", "search.pdarts.candidates=[4]")
    config = load_config("tiny", (*settings, "search.pdarts.skip_dropout=[0, 3e-1]"))
    assert config.search.pdarts == PdartsConfig((2, 3), (4,), (0.0, 0.3))


def test_a_mistake_is_named_with_its_line(tmp_path):
    path = tmp_path / "mine.yaml"
    for text, message in (
        ("# mine\nsearch:\n  cells: 3\n  lr: fast\n", "line 4: search.lr: expected float"),
        ("search:\n  darts:\n    order: 3\n", "line 3: search.darts.order: expected one of"),
        ("seed: 1\n\nserch: {}\n", "line 3: serch: not a field"),
        ("seed: 1\ntrain: 4\n", "line 2: train: expected a mapping"),
        ("seed: 1\nseed: 1\n", "not valid YAML: line 2: key 'seed' is given twice"),
        ("? [1]\n: 3\n", "not valid YAML"),
        ("- 1", "top level: expected a mapping"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message) as caught:
            load_config(path)
        assert str(caught.value).startswith(f"{path}: {message[:6]}")


def test_missing_file_lists_the_presets():
    with pytest.raises(InputError, match=f"one of {', '.join(PRESETS)};"):
        load_config("no_such_preset")


def test_merge_leaves_the_original_alone():
    original = Config()
    changed = merge(original, yaml.safe_load("search: {cells: 5}"), Origin("here"))
    assert changed.search.cells == 5 and original.search == SearchConfig()


def test_each_preset_begins_with_what_it_is_for():
    for name in PRESETS:
        text = resources.files("nas").joinpath("presets", f"{name}.yaml").read_text()
        assert text.startswith("# "), name


def test_cifar100_differs_in_the_classes_alone():
    ten, hundred = load_config("cifar10"), load_config("cifar100")
    assert (ten.expect.classes, hundred.expect.classes) == (10, 100)
    assert replace(hundred, expect=ten.expect) == ten


def test_imagenet_mobile_is_the_papers():
    config = load_config("imagenet-mobile")
    train = config.train
    assert (train.stem, train.channels, train.cells) == ("imagenet", 46, 14)
    assert (train.batch, train.epochs, train.warmup_epochs, train.lr) == (1024, 90, 5, 0.01)
    assert (train.label_smoothing, train.auxiliary, train.weight_decay) == (0.1, 0.4, 3e-4)
    assert (train.drop_path, train.cutout, train.crop, train.flip) == (0, 0, 0, True)
    assert config.expect == ExpectConfig(image="224x224x3")


def test_no_choice_stands_for_another(monkeypatch):
    """A value that the configuration lets through by mistake raises in whatever reads it."""
    monkeypatch.setattr("nas.config._CHOICES", {})
    fields = ("train.activations", "train.stem", "precision", "folder.stream")
    fields += ("search.darts_minus.decay", "train.optimiser")
    config = load_config("tiny", tuple(f"{field}=third" for field in fields))
    train = config.train
    ones, known = torch.ones(1), ShiftSettings()
    folder = ImageFolder.__new__(ImageFolder)
    moment = Moment(0, 2)
    minus = object.__new__(AuxiliarySkipArchitecture)
    object.__setattr__(minus, "config", config.search.darts_minus)
    linear = nn.Linear(1, 1)
    steps = StepSettings(weight_decay=1.0)
    genotype = genotypes.get("DARTS_V1")
    data = DataRecord("digits", image=(8, 8, 1), classes=10)
    task = Task("train", data, config, genotype)
    readers = {
        "shift": lambda: load_config("tiny", ("shift.layer=third",)),
        "domain": lambda: make_weight((1, 1), known, domain="third"),
        "grad_rule": lambda: latent_gradients(ones, ones, "third"),
        "stem": lambda: make_model(task),
        "auxiliary": lambda: AuxiliaryHead((9, 9, 1), 10, train.stem, "shift", known),
        "activations": lambda: make_model(
            replace(task, config=replace(config, train=replace(train, stem="cifar"), shift=known))
        ),
        "precision": lambda: autocast(torch.device("cpu"), config.precision),
        "stream": lambda: sources._streams(folder, config.folder.stream, 0.0),
        "decay": lambda: minus.beta(moment),
        "optimiser": lambda: ShiftOptimiser(
            linear, 0.1, replace(steps, optimiser=train.optimiser), known
        ),
        "regularisation": lambda: ShiftOptimiser(
            nn.ModuleList([Linear(1, 1)]), 0.1, replace(steps, regularisation="third"), known
        ).step(),
    }
    for name, read in readers.items():
        with pytest.raises((ValueError, KeyError, InputError), match="third"):
            read()
            pytest.fail(name)


def test_a_preset_of_ones_own(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("search: {cells: 3}\n")
    with forgotten():
        register_preset("mine", file)
        assert load_config("mine", ("seed=2",)).search.cells == 3
        file.write_text("search: {cels: 3}\n")
        with pytest.raises(InputError, match=r"^mine: line 1: search\.cels: not a field"):
            load_config("mine")
        for name, place in (("mine", file), ("tiny", file), ("a/b", file), ("more", "no_such")):
            with pytest.raises(InputError, match="expected a name that is not taken, and a file"):
                register_preset(name, place)
    assert "mine" not in PRESETS
