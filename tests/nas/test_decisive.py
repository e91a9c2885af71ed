"""Which settings may change when a run goes on: this list, and nothing that slips in."""

from dataclasses import asdict

from nas.config import Config
from nas.decisive import decisive


def flat(values, prefix=""):
    names = set()
    for key, value in values.items():
        names |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}"}
    return names


def test_every_setting_decides_but_these():
    every = flat(asdict(Config()))
    for kind, other in (("search", "train."), ("train", "search.")):
        own = {name for name in every if not name.startswith(other)}
        assert own - decisive(Config(), kind).keys() == {
            "device",
            "expect.classes",
            "expect.image",
            "folder.stream",
            "folder.workers",
            "threads",
        }
        assert decisive(Config(), kind).keys() < own


def test_values_are_the_configurations():
    found = decisive(Config(seed=7), "train")
    assert found["seed"] == 7 and found["shift.layer"] == "ps" and found["train.epochs"] == 200
