"""Folders as `search` and `train` leave them, made without searching or training.

The numbers are invented; their form is that of a real log.jsonl.
"""

import json
import math
import random

import yaml

from hw.networks import genotypes
from hw.networks.space import PAPER_CANDIDATES, candidate_edges, has_weights

EDGES = candidate_edges(4)
OPERATIONS = PAPER_CANDIDATES
CONV_OPERATIONS = tuple(name for name in OPERATIONS if has_weights(name))
TOPOLOGY_OPERATIONS = tuple(name for name in OPERATIONS if not has_weights(name))


def softmax(values, temperature=1.0):
    top = max(values)
    powers = [math.exp((value - top) / temperature) for value in values]
    return [round(power / sum(powers), 4) for power in powers]


def cosine(epoch, epochs, lr=0.01):
    return lr / 2 * (1 + math.cos(math.pi * (epoch - 1) / epochs))


class Drift:
    """Architecture parameters that wander apart, two cells."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.speed = {}

    def values(self, key, count, epoch):
        speeds = self.speed.setdefault(key, [self.random.gauss(0, 1) for _ in range(count)])
        return [speed * epoch * 0.05 for speed in speeds]


def pairs(node):
    edges = [position for position, (_, into) in enumerate(EDGES) if into == node]
    return [(a, b) for i, a in enumerate(edges) for b in edges[i + 1 :]]


def shiftnas_log(warmup=(15, 20), epochs=(30, 40), done=None, seed=1, held_out=True):
    """Both stages of the paper's search; `done` epochs of them."""
    drift, records, retained = Drift(seed), [], None
    for epoch in range(1, epochs[0] + 1):
        step = max(0, epoch - warmup[0])
        alpha = [
            [
                softmax(drift.values(("conv", cell, edge), 4, step))
                + softmax(drift.values(("topology", cell, edge), 3, step))
                for edge in range(14)
            ]
            for cell in (0, 1)
        ]
        candidates = [[list(OPERATIONS)] * 14] * 2
        records.append(
            record("operation", epoch, epochs[0], warmup[0], drift.random, 0.72)
            | {"architecture": {"candidates": candidates, "alpha": alpha}}
        )
        if held_out and epoch > warmup[0]:
            records[-1]["held_out_loss"] = records[-1]["loss"] * 1.1
            records[-1]["held_out_accuracy"] = records[-1]["accuracy"] * 0.96
        retained = [
            [
                [
                    CONV_OPERATIONS[edge[:4].index(max(edge[:4]))],
                    TOPOLOGY_OPERATIONS[edge[4:].index(max(edge[4:]))],
                ]
                for edge in cell
            ]
            for cell in alpha
        ]
    for epoch in range(1, epochs[1] + 1):
        step = max(0, epoch - warmup[1])
        heat = 10 * (0.02 / 10) ** (step / max(1, epochs[1] - warmup[1]))
        alpha = [
            [softmax(drift.values(("a", cell, edge), 2, step), 1e-2 * heat) for edge in range(14)]
            for cell in (0, 1)
        ]
        beta = [
            [
                softmax(drift.values(("b", cell, node), len(pairs(node)), step), heat)
                for node in range(4)
            ]
            for cell in (0, 1)
        ]
        gamma = [
            [
                round(
                    sum(
                        share
                        for share, pair in zip(beta[cell][node], pairs(node), strict=True)
                        if position in pair
                    ),
                    4,
                )
                for position, (_, node) in enumerate(EDGES)
            ]
            for cell in (0, 1)
        ]
        records.append(
            record("topology", epoch, epochs[1], warmup[1], drift.random, 0.85)
            | {
                "temperature": heat,
                "architecture": {
                    "candidates": retained,
                    "alpha": alpha,
                    "gamma": gamma,
                    "beta": beta,
                },
            }
        )
    return records[:done]


def darts_log(warmup=2, epochs=10, seed=1):
    """One stage, one softmax over all operations and the zero operation."""
    drift, records = Drift(seed), []
    names = [*OPERATIONS, "zero"]
    for epoch in range(1, epochs + 1):
        alpha = [
            [
                softmax(drift.values((cell, edge), len(names), max(0, epoch - warmup)))
                for edge in range(14)
            ]
            for cell in (0, 1)
        ]
        records.append(
            record("search", epoch, epochs, warmup, drift.random, 0.8)
            | {
                "strategy": "darts",
                "architecture": {"candidates": [[names] * 14] * 2, "alpha": alpha},
            }
        )
    return records


def progressive_log(epochs=4, seed=1):
    """Three stages with ever fewer candidates an edge."""
    drift, records = Drift(seed), []
    for number, count in enumerate((7, 5, 3), 1):
        candidates = [
            [sorted(drift.random.sample(OPERATIONS, count)) for _ in range(14)] for _ in (0, 1)
        ]
        for epoch in range(1, epochs + 1):
            alpha = [
                [softmax(drift.values((number, cell, edge), count, epoch)) for edge in range(14)]
                for cell in (0, 1)
            ]
            records.append(
                record(f"stage{number}", epoch, epochs, 1, drift.random, 0.6 + 0.1 * number)
                | {
                    "strategy": "pdarts",
                    "architecture": {"candidates": candidates, "alpha": alpha},
                }
            )
    return records


def train_log(epochs=20, seed=1):
    """A training with its validation accuracy."""
    draw = random.Random(seed)
    records = []
    for epoch in range(1, epochs + 1):
        entry = record("train", epoch, epochs, 0, draw, 0.97)
        records.append(entry | {"phase": "train", "validation_accuracy": 0.95 * entry["accuracy"]})
    return records


def record(stage, epoch, epochs, warmup, draw, ceiling):
    accuracy = ceiling * (1 - math.exp(-epoch / (0.25 * epochs))) + draw.gauss(0, 0.004)
    return {
        "strategy": "shiftnas",
        "stage": stage,
        "phase": "warm-up" if epoch <= warmup else "search",
        "epoch": epoch,
        "epochs": epochs,
        "lr": cosine(epoch, epochs),
        "loss": round(2.3 * (1.02 - accuracy), 4),
        "accuracy": min(1.0, max(0.0, accuracy)),
        "seconds": 12.5,
    }


CONFIG = {
    "data": "fashion",
    "domain": "shift",
    "seed": 1,
    "device": "auto",
    "shift": {"weight_bits": 5, "max_shift": 15},
    "search": {"channels": 16, "cells": 8, "batch": 128, "lr": 0.01, "images": None},
    "train": {"channels": 36, "cells": 20, "batch": 96, "lr": 0.01},
}


INSIDE = {
    "exponents": {
        "stem/conv": {"zeros": 3, "powers": {"-4": [1, 2], "-1": [5, 4]}},
        "classifier": {"zeros": 12, "powers": {"0": [2, 1]}},
    },
    "confusion": [[9, 1], [2, 8]],
}


def write_run(
    folder, log, *, genotype="ShiftNAS_C10", kind="search", metrics=None, seed=1, inside=None
):
    """A run's folder; `genotype` None: not finished."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(
        yaml.safe_dump({"kind": kind, **CONFIG, "seed": seed}, sort_keys=False)
    )
    if log is not None:
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    if genotype is not None:
        text = genotypes.to_yaml(genotypes.get(genotype))
        (folder / "genotype.yaml").write_text(text)
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    if inside is not None:
        (folder / "inside.json").write_text(json.dumps(inside))
    return folder
