"""Which images are held out, and what a training does with them."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from hw import data
from hw.errors import InputError
from hw.networks import genotypes
from nas import train as training
from nas.batches import Images
from nas.config import load_config
from nas.export import export
from nas.hold_out import hold_out
from nas.runs import Run
from nas.search import search
from nas.sources import evaluated, open_data, open_splits
from nas.train import train

GENOTYPE = genotypes.get("GDAS_V1")
SHARE = ("train.validation=0.1",)


def read_log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_share_is_of_every_class():
    """Half up, and an image of each class stays."""
    labels = np.repeat(np.arange(5), (40, 25, 5, 4, 1))
    rest, chosen = hold_out(labels, 0.1, seed=0)
    assert np.bincount(labels[chosen], minlength=5).tolist() == [4, 3, 1, 0, 0]
    assert sorted([*rest, *chosen]) == list(range(75)) and np.all(np.diff(chosen) > 0)
    rest, _ = hold_out(labels, 0.99, seed=0)
    assert np.bincount(labels[rest]).tolist() == [1, 1, 1, 1, 1]


def test_the_draw_follows_from_its_seed_and_each_class_alone():
    labels = np.arange(300) % 3
    first = hold_out(labels, 0.2, seed=0)[1]
    torch.rand(1)
    assert np.array_equal(first, hold_out(labels, 0.2, seed=0)[1])
    assert not np.array_equal(first, hold_out(labels, 0.2, seed=1)[1])
    longer = np.concatenate([labels, np.full(50, 2)])
    more = hold_out(longer, 0.2, seed=0)[1]
    for kept in (0, 1):
        assert np.array_equal(first[labels[first] == kept], more[longer[more] == kept])
    # By value: drawn otherwise, runs would no longer be compared over the same images.
    assert hold_out(np.zeros(20, np.int64), 0.2, seed=0)[1].tolist() == [2, 4, 6, 19]


def test_no_image_is_in_two_splits():
    whole = data.load("digits")
    splits = open_splits("digits", data.SPLITS, load_config("tiny", SHARE))
    assert [len(splits[name]) for name in data.SPLITS] == [1294, 144, 359]
    images = np.concatenate([splits[name].read(np.arange(len(splits[name]))) for name in splits])
    everything = np.concatenate([whole.images, data.load("digits", "test").images])
    order = [np.lexsort(pixels.reshape(len(pixels), -1).T) for pixels in (images, everything)]
    assert np.array_equal(images[order[0]], everything[order[1]])


def test_a_share_that_is_no_image():
    with pytest.raises(InputError, match=r"digits: train.validation: 0.001 of 1438 training im"):
        open_data("digits", "train", load_config("tiny", ("train.validation=0.001",)))
    with pytest.raises(InputError, match=r"train.validation: expected less than 1, found 1.0"):
        load_config("tiny", ("train.validation=1",))


def test_test_images_are_looked_at_once_and_after_the_last_epoch(tmp_path, monkeypatch):
    seen = []
    epoch, looked = training._Trainer._epoch, Images.batches

    def trained(self, *arguments):
        seen.append("epoch")
        return epoch(self, *arguments)

    def counted(self, size, shuffle=False):
        if not shuffle:
            seen.append(len(self))
        return looked(self, size, shuffle)

    monkeypatch.setattr(training._Trainer, "_epoch", trained)
    monkeypatch.setattr(Images, "batches", counted)
    metrics = train(GENOTYPE, "digits", tmp_path / "run", load_config("tiny", SHARE))
    assert seen == ["epoch", 144, "epoch", 144, 359]
    log = read_log(tmp_path / "run")
    assert metrics["validation_accuracy"] == log[-1]["validation_accuracy"]
    assert metrics["validation_accuracy"] != metrics["accuracy"]
    assert (metrics["split"], metrics["images"]) == ("test", 359)
    assert metrics["training_images"] == 1294
    assert export(tmp_path / "run").meta["accuracy_float"] == metrics["accuracy"]
    seen.clear()
    train(GENOTYPE, "digits", tmp_path / "other", load_config("tiny"))
    assert seen == ["epoch", "epoch", 359]
    assert not [key for entry in read_log(tmp_path / "other") for key in entry if "valid" in key]


def test_looking_at_validation_images_changes_nothing(tmp_path, monkeypatch):
    """Two runs on the same training images, one of which is evaluated after each epoch."""
    folder, config = photos(tmp_path / "data", "train", "val", "test"), load_config("tiny", PHOTOS)
    train(GENOTYPE, str(folder), tmp_path / "with", config)
    shutil.rmtree(folder / "val")
    train(GENOTYPE, str(folder), tmp_path / "without", config)
    states = [
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)
        for name in ("with", "without")
    ]
    for name, value in states[0]["model"].items():
        assert torch.equal(value, states[1]["model"][name]), name
    assert torch.equal(states[0]["random"]["cpu"], states[1]["random"]["cpu"])


PHOTOS = ("folder.size=8", "train.batch=4", "train.epochs=2", "search.batch=4")


def photos(folder, *names):
    """An image folder with so many images a class: train 6, val 3, test 2."""
    rng = np.random.default_rng(3)
    for name in names:
        for number, animal in enumerate(("cat", "dog")):
            (folder / name / animal).mkdir(parents=True)
            for picture in range({"train": 6, "val": 3, "test": 2}[name]):
                pixels = rng.integers(0, 130, (8, 8, 3), np.uint8) + np.uint8(120 * number)
                Image.fromarray(pixels).save(folder / name / animal / f"{picture}.png")
    return folder


@pytest.mark.parametrize(
    ("names", "share", "split", "images", "trained", "validated"),
    [
        (("train", "val", "test"), "0", "test", 4, 12, True),
        (("train", "test"), "0", "test", 4, 12, False),
        (("train", "test"), "0.5", "test", 4, 6, True),
        # Without test images nothing is called so: the last epoch's validation is the figure.
        (("train", "val"), "0", "validation", 6, 12, True),
        (("train",), "0.5", "validation", 6, 6, True),
    ],
)
def test_folders_mean_what_they_say(tmp_path, names, share, split, images, trained, validated):
    folder = photos(tmp_path / "data", *names)
    config = load_config("tiny", (*PHOTOS, f"train.validation={share}"))
    assert evaluated(str(folder), config) == split
    metrics = train(GENOTYPE, str(folder), tmp_path / "run", config)
    assert (metrics["split"], metrics["images"]) == (split, images)
    assert metrics["training_images"] == trained
    log = read_log(tmp_path / "run")
    assert ["validation_accuracy" in entry for entry in log] == [validated] * 2
    assert ("validation_accuracy" in metrics) == (validated and split == "test")
    if split == "validation":
        assert metrics["accuracy"] == log[-1]["validation_accuracy"]
    meta = export(tmp_path / "run").meta
    assert (meta["split"], meta[f"{split}_images"]) == (split, images)
    assert meta["accuracy_float"] == metrics["accuracy"]
    digests = Run.open(tmp_path / "run").task.data.digests
    assert len(set(digests.values())) == len(digests) == 1 + (split == "test") + validated


def test_a_share_beside_a_val_folder_is_a_contradiction(tmp_path):
    folder = photos(tmp_path / "data", "train", "val")
    config = load_config("tiny", (*PHOTOS, "train.validation=0.5"))
    for run in (
        lambda: train(GENOTYPE, str(folder), tmp_path / "run", config),
        lambda: search(str(folder), tmp_path / "run", config),
    ):
        with pytest.raises(InputError) as caught:
            run()
        assert str(caught.value) == (
            f"train.validation: 0.5: {folder} has validation images of its own, in val; set "
            "train.validation=0, or call that folder test if that is what it is"
        )
        assert not (tmp_path / "run").exists()


def test_nothing_to_judge_by(tmp_path):
    folder = photos(tmp_path / "data", "train")
    with pytest.raises(InputError, match=r"data/test: missing, and so is val; add one of them"):
        train(GENOTYPE, str(folder), tmp_path / "run", load_config("tiny", PHOTOS))
    assert not (tmp_path / "run").exists()


def test_a_search_does_not_see_what_a_training_holds_out(tmp_path):
    settings = ("search.images=null", *SHARE)
    search("digits", tmp_path / "run", load_config("tiny", settings))
    whole = search_digests(tmp_path / "run")
    rest = open_data("digits", "train", load_config("tiny", settings))
    assert whole == {"train": rest.digest} and len(rest) == 1294
    with pytest.raises(InputError, match=r"train.validation is 0.1 there, 0.2 here"):
        other = load_config("tiny", (*settings, "train.validation=0.2"))
        search("digits", tmp_path / "run", other, resume=True)


def search_digests(folder):
    return dict(Run.open(folder).task.data.digests)


def test_seeds_share_the_split_and_another_split_is_not_resumed(tmp_path):
    digests = []
    for seed in (1, 2):
        config = load_config("tiny", (*SHARE, f"seed={seed}", "train.epochs=1"))
        train(GENOTYPE, "digits", tmp_path / str(seed), config)
        digests.append(search_digests(tmp_path / str(seed)))
    assert digests[0] == digests[1] and set(digests[0]) == set(data.SPLITS)
    other = load_config("tiny", (*SHARE, "train.validation_seed=1", "train.epochs=1"))
    with pytest.raises(InputError, match=r"train.validation_seed is 0 there, 1 here"):
        train(GENOTYPE, "digits", tmp_path / "1", other, resume=True)
