"""What the tests of the search and training side share."""

from pathlib import Path

import pytest
import torch

from hw import genotypes
from nas.config import load_config
from nas.train import train

# Test processes run side by side, and threads that share cores only wait for each other.
torch.set_num_threads(1)

SETTINGS = (
    "train.channels=4",
    "train.cells=3",
    "train.epochs=3",
    "train.lr=0.1",
    "train.batch=32",
)


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    """A finished training run on digits."""
    folder = tmp_path_factory.mktemp("train") / "run"
    train(genotypes.get("ShiftNAS_C10"), "digits", folder, load_config("tiny", SETTINGS))
    return folder
