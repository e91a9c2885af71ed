"""From a training run to a NETWORK, with the accuracy of both sides of the step."""

from pathlib import Path

import numpy as np
import torch

from hw.ir.network import Network
from hw.ir.parameters import Arithmetic, Rounding
from hw.ir.reference import classify
from hw.ir.validate import validate
from hw.networks import genotypes
from hw.networks.counts import count
from nas.model import image_tensor
from nas.quantise import CALIBRATION_IMAGES, calibrate, quantise
from nas.runs import Run
from nas.sources import load_images, open_data
from nas.train import EVALUATION_BATCH, evaluate, load_trained

SCALE_TERMS = 3
"""Powers of two of a scale where neither the caller nor the training says otherwise."""


def export(
    run: str | Path,
    *,
    act_bits: int = 8,
    scale_terms: int | None = None,
    guard: int | None = None,
    rounding: Rounding | None = None,
    like: Network | None = None,
) -> Network:
    """The integer network of a training run, its accuracy over the whole test set in its `meta`.

    Parameters
    ----------
    run: folder that `train` wrote
    act_bits: width of every tensor but the image, 2 to 32
    scale_terms: K, the most powers of two a scale is the sum of, 1 to 4; None: those that the
        network was trained with (`shift.scale_terms`), or 3
    guard: bits kept below the input's last one; None: exact products
    rounding: of requantisations, additions and concatenations; None: as the network was trained
        (`train.rounding`), or half up
    like: a network whose formats are taken, instead of those that fit best

    Raises
    ------
    InputError: not a training run, an unfinished one without a single epoch, or real weights;
        `like` has another graph or other arithmetic
    """
    task = Run.open(run).task
    training, test = (open_data(task.data, split, task.config) for split in ("train", "test"))
    model = load_trained(run, training.image_shape, training.classes)
    chosen = np.random.default_rng(0).permutation(len(training))[:CALIBRATION_IMAGES]
    x = image_tensor(torch.from_numpy(training.read(np.sort(chosen))))
    arithmetic = Arithmetic(
        weight_bits=task.config.shift.weight_bits,
        guard=guard,
        rounding=rounding or Rounding(task.config.train.rounding or Rounding.HALF_UP),
        scale_terms=scale_terms or task.config.shift.scale_terms or SCALE_TERMS,
    )
    train, genotype = task.config.train, task.genotype
    assert genotype is not None  # or `load_trained` had raised
    meta = {
        "genotype": genotypes.to_mapping(genotype),
        "data": task.data,
        "classes": training.classes,
        "preprocessing": training.preprocessing,
        "channels": train.channels,
        "cells": train.cells,
        "stem": train.stem,
    }
    if like is None:
        formats = calibrate(model, x, act_bits)
    else:
        formats = like.formats_for(model.live, arithmetic)
    network = quantise(model, formats, arithmetic, meta)
    validate(network)
    cpu = torch.device("cpu")
    images = load_images(test, cpu, workers=task.config.folder.workers)
    network.meta["accuracy_float"] = evaluate(model, images, cpu).accuracy
    right = [
        classify(network, test.read(index)) == test.labels[index]
        for index in np.array_split(np.arange(len(test)), -(-len(test) // EVALUATION_BATCH))
    ]
    network.meta["accuracy_integer"] = float(np.concatenate(right).mean())
    network.meta["test_images"] = len(test)
    network.meta["weights"] = count(network.graph).weights
    return network
