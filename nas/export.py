"""From a training run to a NETWORK, with the accuracy of both sides of the step."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hw.console import note
from hw.data import Dataset, ImageFolder
from hw.errors import InputError
from hw.ir.network import Network
from hw.ir.paper import PAPER, PAPER_FORMAT
from hw.ir.parameters import Arithmetic, Rounding
from hw.ir.reference import classify
from hw.ir.validate import validate
from hw.networks import genotypes
from hw.networks.conventional import Conventional
from hw.networks.counts import count
from nas.config import ExpectConfig
from nas.model import GraphModel, image_tensor
from nas.own import Own
from nas.quantise import calibrate, quantise
from nas.runs import Run
from nas.sources import evaluated, load_images, open_data
from nas.task import Task
from nas.train import EVALUATION_BATCH, evaluate, load_trained

SCALE_TERMS = 3
"""Powers of two of a scale where neither the caller nor the training says otherwise."""


def export(
    run: str | Path,
    *,
    data: str | None = None,
    act_bits: int = 8,
    scale_terms: int | None = None,
    guard: int | None = None,
    rounding: Rounding | None = None,
    paper: bool = False,
    like: Network | None = None,
) -> Network:
    """The integer network of a training run, its accuracy over the whole test set in its `meta`.

    The run has what the network needs. Data without test images is measured on its validation
    images. Where the images are no longer to be found, that is said, and nothing is measured.

    Parameters
    ----------
    run: folder that `train` wrote
    data: name or folder of the run's data set; None: where it was when the run began
    act_bits: width of every tensor but the image, 2 to 32
    scale_terms: K, the most powers of two a scale is the sum of, 1 to 4; None: those that the
        network was trained with (`shift.scale_terms`), or 3
    guard: bits kept below the input's last one; None: exact products
    rounding: of requantisations, additions and concatenations; None: as the network was trained
        (`train.rounding`), or half up
    paper: the paper's arithmetic (`hw.ir.paper`); then `act_bits`, `guard` and `rounding` do not
        count
    like: a network whose formats are taken, instead of those that fit best

    Raises
    ------
    InputError: not a training run, an unfinished one without a single epoch, or real weights;
        `like` has another graph or other arithmetic; `data` is not the data of the run
    """
    opened = Run.open(run)
    task, model = opened.task, load_trained(run)
    images = _images(task, data)
    x = image_tensor(torch.from_numpy(opened.read_calibration()))
    terms = scale_terms or task.config.shift.scale_terms or SCALE_TERMS
    if paper:
        arithmetic = replace(PAPER, scale_terms=terms)
        width, frac = PAPER_FORMAT.width, PAPER_FORMAT.frac
    else:
        rounding = rounding or Rounding(task.config.train.rounding or Rounding.HALF_UP)
        arithmetic = Arithmetic(task.config.shift.weight_bits, guard, rounding, terms)
        width, frac = act_bits, None
    meta = {
        **_origin(task),
        "data": task.data.name,
        "classes": task.data.classes,
        "class_names": list(task.data.class_names),
        "digests": dict(task.data.digests),
        "preprocessing": dict(task.data.preprocessing),
    }
    if like is None:
        formats = calibrate(model, x, width, frac)
    else:
        formats = like.formats_for(model.live, arithmetic)
    network = quantise(model, formats, arithmetic, meta)
    validate(network)
    network.meta["weights"] = count(network.graph).weights
    if images is not None:
        network.meta.update(_measured(model, network, *images, task.config.folder.workers))
    return network


def _origin(task: Task) -> dict[str, Any]:
    """What network it is, as `shiftnas network` has it too."""
    train = task.config.train
    match task.model:
        case Conventional(name, width):
            return {"model": name, "width": width, "stem": train.stem}
        case Own(place):
            return {"own": place}
    assert task.genotype is not None  # or `load_trained` had raised
    return {
        "genotype": genotypes.to_mapping(task.genotype),
        "channels": train.channels,
        "cells": train.cells,
        "stem": train.stem,
    }


def _images(task: Task, data: str | None) -> tuple[str, Dataset | ImageFolder] | None:
    """The run's test images at `data`, or where they were, or of data without any its validation
    images, after the name of their split; None, and a line, where they are not."""
    place = task.data.place if data is None else data
    anything = replace(task.config, expect=ExpectConfig())
    try:
        split = evaluated(place, task.config)
        images = open_data(place, split, anything)
        digests = task.data.digests
        unlike = images.known_classes.difference(task.data.known_classes)
        if unlike is not None:
            raise InputError(f"{place}: not the data of the run: {unlike}")
        # A run of an older version called the images of a folder without `test` its test images.
        judged = "test" if "test" in digests else "validation"
        if images.digest != digests.get(judged):
            unlike = (
                f"its {split} images differ"
                if split == judged
                else f"it has {split} images in place of the {judged} images"
            )
            raise InputError(f"{place}: not the data of the run: {unlike}")
    except InputError as error:
        if data is not None:
            raise
        note(f"{error}; no accuracy is measured: --data says where the run's data is now")
        return None
    return split, images


def _measured(
    model: GraphModel, network: Network, split: str, source: Dataset | ImageFolder, workers: int
) -> dict[str, Any]:
    """Accuracy of both models over all images of the split."""
    cpu, count = torch.device("cpu"), len(source)
    images = load_images(source, cpu, workers=workers)
    right = [
        classify(network, source.read(index)) == source.labels[index]
        for index in np.array_split(np.arange(count), -(-count // EVALUATION_BATCH))
    ]
    return {
        "accuracy_float": evaluate(model, images, cpu).accuracy,
        "accuracy_integer": float(np.concatenate(right).mean()),
        "split": split,
        f"{split}_images": count,
    }
