"""Images decoded as they are needed."""

import multiprocessing
import os
import shutil
import threading
from collections.abc import Generator
from dataclasses import replace

import numpy as np
import pytest
import torch
from interrupted import InterruptedRun, interrupt_after, tensors_of
from PIL import Image

from hw import data
from hw.errors import InputError
from hw.networks import genotypes
from nas import stream
from nas import train as training
from nas.batches import halves
from nas.config import load_config
from nas.export import export
from nas.runs import Run
from nas.search import search
from nas.sources import load_images, open_data
from nas.stream import StreamedImages, random_resized_crop
from nas.train import train

CPU = torch.device("cpu")
SIZE = ("folder.size=24", "folder.stream=always")


@pytest.fixture
def streamed(image_folder) -> StreamedImages:
    source = open_data(str(image_folder), "train", load_config(None, SIZE))
    images = load_images(source, CPU, resized_crop=0.3)
    assert isinstance(images, StreamedImages)
    return images


def epoch(images, seed: int = 0, **options) -> list[tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(seed)
    return list(images.batches(5, **options))


def assert_equal(one, two) -> None:
    for first, second in zip(one, two, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_evaluation_sees_what_a_deployed_network_sees(streamed, image_folder):
    """The same bytes as `hw.data.load`, which the networks' preprocessing names."""
    loaded = data.load(image_folder, "train", size=(24, 24))
    pixels, labels = (torch.cat(parts) for parts in zip(*streamed.batches(7), strict=True))
    assert torch.equal(pixels, torch.from_numpy(loaded.images))
    assert torch.equal(labels, torch.from_numpy(loaded.labels))
    assert torch.equal(streamed.sample(4), pixels[[0, 6, 12, 18]])
    assert streamed.folder.preprocessing == loaded.preprocessing


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(streamed, workers, monkeypatch):
    monkeypatch.setattr(stream.os, "sched_getaffinity", lambda _: set(range(8)))
    many = replace(streamed, workers=workers)
    for shuffle in (True, False):
        assert_equal(epoch(streamed, shuffle=shuffle), epoch(many, shuffle=shuffle))
    after = [torch.rand(1) for images in (streamed, many) if epoch(images, shuffle=True)]
    assert after[0] == after[1]


def test_no_more_batches_are_under_way_than_said_and_none_is_left_behind(streamed, monkeypatch):
    monkeypatch.setattr(stream.os, "sched_getaffinity", lambda _: {0, 1})
    decoded, lock = [], threading.Lock()
    original = StreamedImages._decoded

    def counted(self, number, seed):
        with lock:
            decoded.append(number)
        return original(self, number, seed)

    monkeypatch.setattr(StreamedImages, "_decoded", counted)
    batches = replace(streamed, workers=2).batches(4)
    next(batches)
    assert 4 <= len(decoded) <= 4 * (1 + stream.AHEAD)
    assert isinstance(batches, Generator)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_no_process_and_no_shared_memory_is_needed(streamed, monkeypatch):
    """A container's /dev/shm of 64 MB is less than a batch of `imagenet-mobile`."""

    def refused(*_):
        raise AssertionError("a process")

    monkeypatch.setattr(os, "fork", refused)
    monkeypatch.setattr(multiprocessing.Process, "start", refused)
    monkeypatch.setattr(torch.UntypedStorage, "_share_fd_cpu_", refused)
    assert_equal(epoch(streamed), epoch(replace(streamed, workers=2)))


def test_order_and_crops_follow_from_torchs_generator(streamed):
    first = epoch(streamed, shuffle=True)
    assert [len(labels) for _, labels in first] == [5, 5, 5, 5]
    assert_equal(first, epoch(streamed, shuffle=True))
    second, other = list(streamed.batches(5, shuffle=True)), epoch(streamed, 1, shuffle=True)
    assert not torch.equal(first[0][0], second[0][0])
    assert not torch.equal(first[0][0], other[0][0])


def test_each_epoch_crops_an_image_anew(streamed):
    one = streamed.subset(torch.tensor([3]))
    crops = [next(iter(one.batches(1, shuffle=True)))[0] for _ in range(3)]
    assert not torch.equal(crops[0], crops[1]) and not torch.equal(crops[1], crops[2])
    plain = StreamedImages(streamed.folder, torch.tensor([3]), CPU)
    assert torch.equal(next(iter(plain.batches(1, shuffle=True)))[0], plain.sample(1))


def test_limit_and_halves(image_folder):
    source = open_data(str(image_folder), "train", load_config(None, SIZE))
    images = load_images(source, CPU, limit=11)
    assert isinstance(images, StreamedImages) and len(images) == 11
    first, second = halves(images)
    assert isinstance(first, StreamedImages) and isinstance(second, StreamedImages)
    indices = first.index.tolist() + second.index.tolist()
    assert sorted(indices) == sorted(images.index.tolist()) and len(set(indices)) == 11


def test_random_resized_crop_is_a_part_of_the_image():
    """Red grows to the right, green downwards: both stay monotonic and say what was cut out."""
    rows, columns = np.indices((100, 200))
    pixels = np.stack((columns, rows * 2, rows * 0), 2).astype(np.uint8)
    image, shares = Image.fromarray(pixels), []
    for seed in range(200):
        part = random_resized_crop(image, (32, 40), 0.25, np.random.default_rng(seed))
        assert part.shape == (32, 40, 3)
        red, green = part[..., 0].astype(int), part[..., 1].astype(int)
        assert (np.diff(red, axis=1) >= 0).all() and (np.diff(green, axis=0) >= 0).all()
        width = (red[0, -1] - red[0, 0]) * 40 / 39
        height = (green[-1, 0] - green[0, 0]) / 2 * 32 / 31
        assert 0.7 < width / height < 1.4
        shares.append(width * height / 20_000)
    assert 0.2 < min(shares) < 0.3 and max(shares) > 0.6


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [(200, 10, (94, 0, 13, 10)), (10, 200, (0, 94, 10, 13)), (1, 1, (0, 0, 1, 1))],
)
def test_where_no_draw_fits_the_largest_crop_of_the_centre_is_taken(width, height, box):
    rng = np.random.default_rng(0)
    found = stream._crop_box(width, height, 0.99, rng)
    assert (abs(np.array(found) - box) <= 1).all()


def test_a_damaged_file_ends_in_one_line(image_folder, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(image_folder, folder)
    (folder / "train/n01440764/bad.jpg").write_bytes(b"\xff\xd8\xff no more")
    source = open_data(str(folder), "train", load_config(None, SIZE))
    for workers in (0, 1):
        with pytest.raises(InputError, match=r"bad\.jpg: not an image") as caught:
            list(load_images(source, CPU, workers=workers).batches(5))
        assert "\n" not in str(caught.value)


def test_what_is_streamed(image_folder, monkeypatch):
    def kind(*settings: str, crop: float = 0.0) -> str:
        config = load_config(None, ("folder.size=24", *settings))
        return type(open_data(str(image_folder), "train", config, crop)).__name__

    assert kind() == "Dataset"
    assert kind(crop=0.1) == kind("folder.stream=always") == "ImageFolder"
    with pytest.raises(InputError, match=r"train\.resized_crop needs an image folder"):
        kind("folder.stream=never", crop=0.1)
    with pytest.raises(InputError, match=r"train\.resized_crop needs an image folder"):
        open_data("digits", "train", load_config(), 0.1)
    monkeypatch.setattr("nas.sources.STREAM_ABOVE", 24 * 24 * 3 * 24 - 1)
    assert kind() == "ImageFolder"
    assert kind("folder.stream=never") == "Dataset"


SMALL = ("folder.workers=0", "train.channels=2", "train.cells=3", "train.batch=8")


def test_imagenet_mobile_in_small_is_resumed_to_the_same_network(
    image_folder, tmp_path, monkeypatch
):
    """The preset's images, stem, auxiliary head and label smoothing; few channels and epochs."""
    small = (*SMALL, "train.epochs=2", "train.warmup_epochs=1")
    config = load_config("imagenet-mobile", small)
    genotype = genotypes.get("ShiftNAS_C10")
    train(genotype, str(image_folder), tmp_path / "whole", config)
    with monkeypatch.context() as patch:
        interrupt_after(patch, training._Trainer, "_epoch", 1)
        with pytest.raises(InterruptedRun):
            train(genotype, str(image_folder), tmp_path / "parts", config)
    train(genotype, str(image_folder), tmp_path / "parts", config, resume=True)
    states = [
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)
        for name in ("whole", "parts")
    ]
    for part in ("model", "auxiliary"):
        assert all(torch.equal(v, states[1][part][k]) for k, v in states[0][part].items())


def test_what_changes_no_figure_may_change_when_a_run_goes_on(image_folder, tmp_path, monkeypatch):
    """And the data may lie elsewhere: the run ends as in one piece."""
    small = ("folder.size=16", "train.channels=2", "train.cells=2", "train.batch=8", "device=auto")
    before = load_config("tiny", (*small, "folder.stream=always", "folder.workers=2"))
    after = load_config(
        "tiny",
        (
            *small, "folder.stream=never", "folder.workers=0", "device=cpu", "search.cells=7",
            "expect.classes=2", "expect.image=16x16x3",
        ),
    )  # fmt: skip
    genotype, parts = genotypes.get("ShiftNAS_C10"), tmp_path / "parts"
    train(genotype, str(image_folder), tmp_path / "whole", before)
    with monkeypatch.context() as patch:
        interrupt_after(patch, training._Trainer, "_epoch", 1)
        with pytest.raises(InterruptedRun):
            train(genotype, str(image_folder), parts, before)
    moved = tmp_path / "another name"
    shutil.copytree(image_folder, moved)
    train(genotype, str(moved), parts, after, resume=True)
    states = [
        tensors_of(torch.load(run / "checkpoint.pt", weights_only=True))
        for run in (tmp_path / "whole", parts)
    ]
    assert states[0].keys() == states[1].keys() and len(states[0]) > 20
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    task = Run.open(parts).task
    assert (task.config, task.data.place) == (after, str(moved))


def test_other_data_is_refused_when_a_run_goes_on(image_folder, tmp_path):
    small = ("folder.size=16", "train.channels=2", "train.batch=8", "train.epochs=1")
    config, run = load_config("tiny", small), tmp_path / "run"
    genotype, other = genotypes.get("GDAS_V1"), tmp_path / "other"
    train(genotype, str(image_folder), run, config)
    before = (run / "config.yaml").read_bytes()
    shutil.copytree(image_folder, other)
    (other / "val/n01440764/n01440764_1.jpg").unlink()
    with pytest.raises(InputError) as caught:
        train(genotype, str(other), run, config, resume=True)
    assert str(caught.value) == (
        f"{other}: not the data that {run} began with, once at {image_folder} (its validation "
        "images differ); give --data, where that is now"
    )
    assert (run / "config.yaml").read_bytes() == before


def test_what_is_trained_on_a_stream_is_exported_with_its_preprocessing(image_folder, tmp_path):
    small = (*SMALL, "folder.size=32", "expect.image=null", "train.auxiliary=0", "train.epochs=1")
    config = load_config("imagenet-mobile", (*small, "train.warmup_epochs=0"))
    metrics = train(genotypes.get("GDAS_V1"), str(image_folder), tmp_path / "run", config)
    network = export(tmp_path / "run")
    assert network.meta["preprocessing"] == data.load(image_folder, size=(32, 32)).preprocessing
    assert network.meta["accuracy_float"] == metrics["accuracy"]


def test_a_search_streams_too(image_folder, tmp_path):
    settings = ("folder.size=8", "folder.stream=always", "search.images=16", "search.batch=4")
    search(str(image_folder), tmp_path / "run", load_config("tiny", settings))
    assert (tmp_path / "run/genotype.yaml").exists()
