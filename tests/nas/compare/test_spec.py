"""What a comparison's file may say, and what is said of one that is wrong."""

from pathlib import Path

import pytest

from hw.errors import InputError
from hw.networks import genotypes
from hw.networks.conventional import Conventional
from nas.compare.comparison import Hardware
from nas.compare.spec import ARM_FIELDS, FIELDS, load

ROOT = Path(__file__).parents[3]

GOOD = """\
data: digits
config: tiny
set:
  train: {epochs: 3}
seeds: 2
domains:
  shift:
  real: {train: {lr: 0.001}}
arms:
  found: {strategy: shiftnas}
  no-reset:
    strategy: shiftnas
    set:
      search: {lr_reset: false}
    search_domain: real
  given:
    genotype: GDAS_V1
    seeds: [7, 3]
    domains: [shift]
baseline: given
hardware: {board: ulx3s-85f, luts: 5000}
"""


def spec_of(tmp_path, text):
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    return load(path)


def test_every_field(tmp_path):
    spec = spec_of(tmp_path, GOOD)
    assert spec.text == GOOD and spec.data == "digits" and spec.baseline == "given"
    assert list(spec.arms) == ["found", "no-reset", "given"]
    assert spec.domains == ["shift", "real"] and spec.unequal == {}
    lr = {"train.lr": {"shift": 0.01, "real": 0.001}}
    assert spec.between_domains == {"found": lr, "no-reset": lr}, "given has one domain"
    assert spec.hardware == Hardware("ulx3s-85f", 5000)
    found, changed, given = spec.arms.values()
    assert found.strategy == "shiftnas" and found.seeds == (1, 2)
    assert found.search.search.strategy == "shiftnas" and found.search.search.lr_reset
    assert found.search_domain == "shift" and changed.search_domain == "real"
    assert not changed.search.search.lr_reset
    assert {name: config.train.lr for name, config in found.train.items()} == {
        "shift": 0.01,
        "real": 0.001,
    }
    assert found.train["real"].train.epochs == 3
    assert given.strategy is None and given.seeds == (7, 3) and list(given.train) == ["shift"]
    assert given.genotype == genotypes.get("GDAS_V1") and given.genotype_name == "GDAS_V1"


def test_the_least_that_will_do(tmp_path):
    spec = spec_of(
        tmp_path, "data: digits\narms: {a: {strategy: random}, b: {genotype: GDAS_V1}}\n"
    )
    assert spec.baseline == "a" and spec.domains == ["shift"] and spec.hardware is None
    assert spec.arms["b"].seeds == (1,)


def test_a_number_of_seeds_begins_with_the_configurations(tmp_path):
    spec = spec_of(tmp_path, GOOD.replace("set:\n  train", "set:\n  seed: 5\n  train", 1))
    assert spec.arms["found"].seeds == (5, 6) and spec.arms["given"].seeds == (7, 3)


def test_files_are_looked_for_beside_the_spec(tmp_path):
    (tmp_path / "own.yaml").write_text(genotypes.to_yaml(genotypes.get("DARTS_V2")))
    (tmp_path / "small.yaml").write_text("train: {channels: 3}\n")
    for name in ("train", "test"):
        (tmp_path / "images" / name).mkdir(parents=True)
    text = GOOD.replace("GDAS_V1", "own.yaml").replace("config: tiny", "config: small.yaml")
    spec = spec_of(tmp_path, text.replace("data: digits", "data: images"))
    assert spec.arms["given"].genotype == genotypes.get("DARTS_V2")
    assert spec.arms["given"].train["shift"].train.channels == 3
    assert Path(spec.data) == tmp_path / "images"
    assert load(tmp_path / "spec.yaml", "digits").data == "digits", "the caller's goes first"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("data: digits", "dta: digits", "line 1: dta: not a field; expected one of data, config"),
        ("data: digits\n", "", "data: expected the name or folder of a data set, found None"),
        ("config: tiny", "config: 3", "line 2: config: expected a preset or a YAML file"),
        (
            "config: tiny",
            "config: nope",
            "line 2: config: 'nope' is neither a file nor one of cifar10",
        ),
        ("data: digits", "data: nodata", "line 1: data: 'nodata' is neither a folder nor one of"),
        ("given:\n", "Found:\n", "line 16: arms.Found: differs from found in case alone, and"),
        ("ulx3s-85f", "nob", "line 21: hardware.board: no board is called 'nob'; choose one of"),
        ("luts: 5000", "luts: 83641", "line 21: hardware.luts: 83641 are more than the 83640"),
        ("{epochs: 3}", "{epochs: x}", "line 4: train.epochs: expected int, found 'x'"),
        ("{epochs: 3}", "{epoch: 3}", "line 4: train.epoch: not a field"),
        ("seeds: 2", "seeds: 0", "line 5: seeds: expected a number of seeds or a list of them"),
        ("seeds: 2", "seeds: [1, x]", "line 5: seeds: expected a number of seeds"),
        ("seeds: 2", "seeds: 1001", "line 5: seeds: expected a number of seeds"),
        ("seeds: 2", "seeds: true", "line 5: seeds: expected a number of seeds"),
        ("[7, 3]", "[7, 7]", "line 18: arms.given.seeds: expected each seed once"),
        ("[7, 3]", "[-1]", "line 18: arms.given.seeds: expected a number of seeds or a list"),
        ("  real: {t", "  rael: {t", "line 8: domains.rael: not a field; expected one of shift,"),
        ("real: {train: {lr", "real: {search: {lr", "line 8: domains.real.search: settings of a"),
        ("[shift]", "[binary]", "line 19: arms.given.domains: expected a list of shift, real"),
        ("search_domain: real", "search_domain: r", "line 15: arms.no-reset.search_domain: exp"),
        ("found: {", "a/b: {", "line 10: arms.a/b: expected a name of letters, digits, - and _"),
        (
            "{strategy: shiftnas}",
            "{}",
            "line 10: arms.found: expected one of strategy, genotype, model",
        ),
        (
            "{strategy: shiftnas}",
            "{strategy: darts, genotype: GDAS_V1}",
            "line 10: arms.found: expected one of strategy, genotype, model",
        ),
        ("{strategy: shiftnas}", "{strategy: s}", "line 10: arms.found.strategy: expected one of"),
        ("{strategy: shiftnas}", "{stratgy: s}", "line 10: arms.found.stratgy: not a field"),
        ("{strategy: shiftnas}", "7", "line 10: arms.found: expected a mapping, found 7"),
        (
            "genotype: GDAS_V1",
            "genotype: GDAS_V1\n    model: resnet8",
            "line 16: arms.given: expected one of strategy, genotype, model",
        ),
        ("genotype: GDAS_V1", "model: resnet9", "line 17: arms.given.model: 'resnet9' is not kn"),
        ("genotype: GDAS_V1", "model: [8]", "line 17: arms.given.model: [8] is not known; use"),
        (
            "genotype: GDAS_V1",
            "model: resnet8\n    width: 0",
            "line 18: arms.given.width: expected a number above 0, found 0",
        ),
        ("GDAS_V1", "GDAS_V1\n    width: 2", "line 18: arms.given.width: of a model: there is no"),
        (
            "genotype: GDAS_V1",
            "model: resnet8\n    search_domain: real",
            "line 18: arms.given.search_domain: of a network that is given: no search",
        ),
        (
            "genotype: GDAS_V1",
            "model: resnet8\n    set: {train: {channels: 3}}",
            "line 18: arms.given.set.train.channels: of networks of cells; a model has its width",
        ),
        ("GDAS_V1", "GDAS_V9", "line 17: arms.given.genotype: 'GDAS_V9' is neither a file"),
        ("GDAS_V1", "GDAS_V1\n    search_domain: real", "line 18: arms.given.search_domain: of a"),
        (
            "GDAS_V1",
            "GDAS_V1\n    set: {search: {cells: 2}}",
            "line 18: arms.given.set.search: of a network that is given: no search",
        ),
        ("{lr_reset: false}", "{strategy: darts}", "line 14: arms.no-reset.set.search.strategy: "),
        ("{lr_reset: false}", "{lr_rest: false}", "line 14: search.lr_rest: not a field"),
        ("      search: {lr_reset: false}", "      seed: 4", "line 14: arms.no-reset.set.seed: "),
        ("{lr_reset: false}", "{cells: 1, cells: 2}", "not valid YAML: line 14: key 'cells' is gi"),
        ("baseline: given", "baseline: gven", "line 20: baseline: expected one of the arms found"),
        ("luts: 5000", "luts: 0", "line 21: hardware.luts: expected a number of LUT sites"),
        ("luts: 5000", "fps: 5", "line 21: hardware.fps: not a field; expected one of board, luts"),
        ("ulx3s-85f", "3", "line 21: hardware.board: expected the name of a board, found 3"),
        (
            "{lr_reset: false}",
            "{lr_reset: false}\n      train: {epochs: 4}",
            (
                "line 15: arms.no-reset.set.train.epochs: train.epochs is 4 in trainings of "
                "no-reset, 3 in those of found: networks that are compared are trained alike"
            ),
        ),
        (
            "strategy: shiftnas}",
            "strategy: shiftnas, set: {shift: {layer: q}}}",
            (
                "line 10: arms.found.set.shift.layer: shift.layer is 'ps' in trainings of "
                "no-reset, 'q' in those of found"
            ),
        ),
        (
            "strategy: shiftnas}",
            "strategy: shiftnas, set: {shift: {layer: inq}}}",
            "line 10: arms.found.set: shift.layer: inq does not search",
        ),
        (
            "{lr_reset: false}",
            "{lr_reset: false}\n      train: {validation: 0.1}",
            "line 15: arms.no-reset.set.train.validation: is the same for all: put it into set",
        ),
        ("{lr: 0.001}", "{validation_seed: 1}", "line 8: domains.real.train.validation_seed: is"),
        ("{train: {lr: 0.001}}", "{threads: 2}", "line 8: domains.real.threads: is the same for"),
        ("{train: {lr: 0.001}}", "{train: 3}", "line 8: train: expected a mapping"),
        ("seeds: 2", "equal_training: 3", "line 5: equal_training: expected true or false"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path, old, new, message):
    assert GOOD.count(old) >= 1
    with pytest.raises(InputError) as error:
        spec_of(tmp_path, GOOD.replace(old, new, 1))
    text = str(error.value).removeprefix(f"{tmp_path / 'spec.yaml'}: ")
    assert text.startswith(message) and "\n" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping with data and arms"),
        ("- 1\n", "expected a mapping with data and arms"),
        ("data: digits\narms: [a]\n", "line 2: arms: expected a mapping, found ['a']"),
        ("data: digits\narms: {1: {strategy: darts}}\n", "line 2: arms.1: expected a name; put it"),
        ("data: digits\narms: {a: {strategy: darts}}\n", "line 2: arms: expected two or more"),
        ("data: digits\ndata: x\n", "not valid YAML: line 2: key 'data' is given"),
    ],
)
def test_a_file_that_is_no_comparison(tmp_path, text, message):
    with pytest.raises(InputError) as error:
        spec_of(tmp_path, text)
    assert str(error.value).removeprefix(f"{tmp_path / 'spec.yaml'}: ").startswith(message)


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"nope\.yaml: expected a YAML file that says what to"):
        load(tmp_path / "nope.yaml")


MODELS = """\
data: digits
config: tiny
arms:
  cells: {genotype: GDAS_V1, set: {train: {channels: 3, cells: 4}}}
  plain: {model: resnet8, width: 0.5}
  whole: {model: mobilenet_v2}
"""


def test_conventional_networks(tmp_path):
    """They stand beside cells, whose own sizes are no difference in training."""
    spec = spec_of(tmp_path, MODELS)
    assert [arm.model for arm in spec.arms.values()] == [
        None,
        Conventional("resnet8", 0.5),
        Conventional("mobilenet_v2"),
    ]
    assert spec.unequal == {}
    with pytest.raises(InputError, match=r"line 6: arms.plain: train.auxiliary: a conventional ne"):
        spec_of(tmp_path, MODELS.replace("arms", "set: {train: {auxiliary: 0.4}}\narms"))
    with pytest.raises(InputError, match=r"train.lr is 0.02 in trainings of plain, 0.01"):
        spec_of(tmp_path, MODELS.replace("width: 0.5", "set: {train: {lr: 0.02}}"))


def test_training_may_differ_where_the_file_says_so(tmp_path):
    text = GOOD.replace("{lr_reset: false}", "{lr_reset: false}\n      train: {epochs: 4}")
    spec = spec_of(tmp_path, text + "equal_training: false\n")
    assert spec.unequal == {
        "shift": {"train.epochs": {"found": 3, "no-reset": 4, "given": 3}},
        "real": {"train.epochs": {"found": 3, "no-reset": 4}},
    }


def test_settings_of_the_search_are_no_difference_in_training(tmp_path):
    spec = spec_of(tmp_path, GOOD + "equal_training: false\n")
    assert spec.unequal == {}


SHIPPED = [ROOT / "benchmarks/evidence.yaml", *ROOT.glob("examples/compare/*.yaml")]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_comparisons_that_are_shipped(path):
    spec = load(path)
    baseline = spec.arms[spec.baseline]
    assert spec.unequal == {} and (baseline.strategy == "random" or baseline.genotype)


def test_there_are_some():
    assert {path.stem for path in SHIPPED} >= {"evidence", "digits"}


def test_the_example_of_the_page(tmp_path):
    page = (ROOT / "docs/search.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## Comparisons")
    text = section.split("```yaml\n")[1].split("```")[0]
    spec = spec_of(tmp_path, text)
    assert list(spec.arms) == ["shiftnas", "random", "no-reset", "published", "resnet"]
    # Every field is in it, but for the one that gives up what the page promises.
    for field in {*FIELDS, *ARM_FIELDS} - {"equal_training"}:
        assert f"{field}:" in text
