"""First weights from another training."""

import json
import shutil

import pytest
import torch

from hw.errors import InputError
from hw.networks import genotypes
from nas import beginning
from nas.config import load_config
from nas.model import image_tensor, weight_of
from nas.runs import Run
from nas.search import search
from nas.shift import Layer
from nas.task import Task
from nas.train import load_trained, make_model, train

SMALL = ("train.channels=4", "train.cells=3", "train.batch=64", "train.images=128")
GENOTYPE = genotypes.get("ShiftNAS_C10")


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A run of real weights."""
    folder = tmp_path_factory.mktemp("real") / "run"
    train(
        GENOTYPE, "digits", folder, load_config("tiny", (*SMALL, "train.epochs=2")), domain="real"
    )
    return folder


def model_of(folder, *settings, domain="shift", **changes):
    task = Run.open(folder).task
    config = load_config("tiny", (*SMALL, *settings))
    return make_model(Task("train", task.data, config, GENOTYPE, domain, **changes))


def nearest(w: float, least: int) -> float:
    """The shift weight nearest in the logarithm, by trying all."""
    if abs(w) < 2.0 ** (least - 1):
        return 0.0
    size = min((2.0**p for p in range(least, 1)), key=lambda s: max(s / abs(w), abs(w) / s))
    return size if w > 0 else -size


@pytest.mark.parametrize(("there", "here"), [(1, 1), (3, 1), (0, 1), (1, 0)])
def test_factors_held_are_taken_over_where_they_are_of_as_many_terms(real, there, here):
    source, model = (model_of(real, f"shift.scale_terms={terms}") for terms in (there, here))
    for name, buffer in source.named_buffers():
        if name.endswith("held"):
            buffer.fill_(4.0)
    beginning.take_over(model, source, "there")
    held = [buffer for name, buffer in model.named_buffers() if name.endswith("held")]
    assert bool(held) == bool(here)
    assert all(bool((one == (4.0 if there == here else 0.0)).all()) for one in held)


@pytest.mark.parametrize("kind", [Layer.PS, Layer.Q])
def test_real_weights_become_the_nearest_powers_of_two(real, kind):
    source = load_trained(real)
    with torch.no_grad():
        for k, unit in enumerate(source.units.values()):
            weight = weight_of(unit)
            if weight is not None:
                weight.value.mul_(2.0 ** (k % 12 - 8))
    model = model_of(real, f"shift.layer={kind}", "shift.max_shift=7")
    found = beginning.take_over(model, source, "there")
    larger = lost = weights = 0
    for name, theirs in source.units.items():
        ours, given = weight_of(model.units[name]), weight_of(theirs)
        if ours is None:
            continue
        want = [nearest(w, -7) for w in given().flatten().tolist()]
        assert ours().flatten().tolist() == want
        weights += len(want)
        larger += sum(abs(w) > 1 for w in given().flatten().tolist())
        lost += sum(w != 0 and not v for w, v in zip(given().flatten().tolist(), want, strict=True))
    assert (found.weights, found.larger, found.lost, found.new) == (weights, larger, lost, ())
    assert larger and lost
    assert f"{weights:,} weights became the nearest powers of two; {larger:,}" in str(found)


def test_inq_begins_with_the_real_weights(real):
    source = load_trained(real)
    model = model_of(real, "shift.layer=inq")
    given = [weight_of(unit).value for unit in source.units.values() if weight_of(unit) is not None]
    larger = sum(int((value.abs() > 1).sum()) for value in given)
    found = str(beginning.take_over(model, source, "there"))
    assert larger and found == f"{larger:,} weights above 1, the largest, became 1 in size"
    for name, weight in model.shift_weights().items():
        assert torch.equal(weight(), weight_of(source.units[name])().clamp(-1, 1))
        assert not weight.frozen.any()
    with torch.no_grad():
        for value in given:
            value.clamp_(-1, 1)
    assert str(beginning.take_over(model, source, "there")) == "weights as they were"


@pytest.mark.parametrize("kind", [Layer.PS, Layer.Q])
def test_weights_of_the_same_kind_are_taken_as_they_are(real, kind):
    torch.manual_seed(3)
    source, model = (model_of(real, f"shift.layer={kind}").eval() for _ in range(2))
    images = torch.randint(0, 256, (4, 8, 8, 1), dtype=torch.uint8)
    for module in source.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
    assert not torch.equal(model(image_tensor(images)), source(image_tensor(images)))
    found = beginning.take_over(model, source, "there")
    assert str(found) == "weights as they were"
    assert torch.equal(model(image_tensor(images)), source(image_tensor(images)))
    for one, two in zip(model.parameters(), source.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("kind", [Layer.PS, Layer.Q])
def test_only_what_changed_is_counted(real, kind):
    """Powers of two of another kind stay as they are, unless the code is too narrow for them."""
    source = model_of(real, "shift.layer=ps")
    before = torch.cat([weight().flatten() for weight in source.shift_weights().values()])
    found = beginning.take_over(model_of(real, f"shift.layer={kind}"), source, "there")
    assert str(found) == "weights as they were"
    narrow = model_of(real, f"shift.layer={kind}", "shift.max_shift=2")
    found = beginning.take_over(narrow, source, "there")
    after = torch.cat([weight().flatten() for weight in narrow.shift_weights().values()])
    assert found.weights == int((before != after).sum()) > 0
    assert found.lost == int(((before != 0) & (after == 0)).sum())


def test_the_command_begins_there_and_a_resume_must_too(real, tmp_path):
    config = load_config(
        "tiny", (*SMALL, "train.epochs=1", "train.lr=1e-9", "train.warmup_epochs=0")
    )
    train(GENOTYPE, "digits", tmp_path / "run", config, start=real)
    trained, source = load_trained(tmp_path / "run"), load_trained(real)
    for name, weight in trained.shift_weights().items():
        got = weight().flatten().tolist()
        want = [nearest(w, -14) for w in weight_of(source.units[name])().flatten().tolist()]
        assert sum(a != b for a, b in zip(got, want, strict=True)) <= len(want) // 100, name
    assert Run.open(tmp_path / "run").task.start == beginning.read(real).digest
    with pytest.raises(
        InputError, match=r"other weights: of SHA-256 \w{12}… there, drawn anew here"
    ):
        train(GENOTYPE, "digits", tmp_path / "run", config, resume=True)
    train(GENOTYPE, "digits", tmp_path / "run", config, resume=True, start=real / "checkpoint.pt")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["images"] > 0


def test_a_classifier_of_other_classes_begins_anew(real):
    source, model = load_trained(real), model_of(real)
    (name,) = [node.name for node in model.graph if node.name == model.graph.output.name]
    weight = weight_of(source.units[name])
    weight.value = torch.nn.Parameter(weight.value[:4])
    before = weight_of(model.units[name])().detach().clone()
    found = beginning.take_over(model, source, "there")
    assert found.new == (name,)
    assert torch.equal(weight_of(model.units[name])(), before)
    assert str(found).endswith(f"{name}: another number of classes, begins anew")


def test_what_does_not_fit_is_named(real, tmp_path):
    source = load_trained(real)
    with pytest.raises(
        InputError, match=r"there: .* has weights \(12, 1, 3, 3\), here \(24, 1, 3, 3\)"
    ):
        beginning.take_over(model_of(real, "train.channels=8"), source, "there")
    with pytest.raises(InputError, match="there: has no layer like cell3/"):
        beginning.take_over(model_of(real, "train.cells=4"), source, "there")
    with pytest.raises(InputError, match=r"checkpoint\.pt: no such checkpoint"):
        beginning.read(tmp_path)
    damaged = tmp_path / "damaged.pt"
    shutil.copy(real / "checkpoint.pt", damaged)
    damaged.write_bytes(damaged.read_bytes()[:-9])
    with pytest.raises(InputError, match="damaged checkpoint"):
        beginning.read(damaged)
    search("digits", tmp_path / "search", load_config("tiny"))
    with pytest.raises(InputError, match="of a search; give a run of `train`"):
        beginning.read(tmp_path / "search")
