"""Memory that is not there ends a command with a line."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from hw.errors import InputError
from nas.cli import COMMANDS
from nas.memory import enough_memory


def cuda():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.50 GiB. GPU 0 has")


@pytest.mark.parametrize(
    ("allocate", "told"),
    [
        (lambda: torch.empty(1 << 50, dtype=torch.uint8), "memory for another 1048576 GiB; less"),
        (lambda: torch.empty(1 << 62), "memory; less"),
        (lambda: np.empty(1 << 50, np.uint8), "memory for another 1.00 PiB; less"),
        (lambda: bytearray(1 << 50), "memory; less"),
        (cuda, "GPU memory for another 20.50 GiB; less"),
    ],
)
def test_what_could_not_be_had(allocate, told):
    with pytest.raises(InputError) as caught, enough_memory("less"):
        allocate()
    assert str(caught.value) == f"not enough {told}"


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shape"), enough_memory("less"):
        torch.zeros(2).view(3)


@pytest.mark.parametrize("command", [("search",), ("train", "--genotype", "GDAS_V1")])
def test_a_network_larger_than_memory(tmp_path, command):
    name, *rest = command
    arguments = ["--data", "digits", "--config", "tiny", "--set", f"{name}.channels=1000000000000"]
    result = CliRunner().invoke(COMMANDS[name], [*rest, *arguments, "--out", str(tmp_path / "run")])
    assert result.exit_code == 2
    line = result.output.strip().splitlines()[-1]
    assert line.startswith("shiftnas: error: not enough memory for another ")
    assert line.endswith("; take a smaller batch, fewer channels or cells, or fewer --jobs")


def test_an_export_without_memory(run, tmp_path, monkeypatch):
    def refused(*_, **__):
        raise MemoryError

    monkeypatch.setattr("nas.export.calibrate", refused)
    result = CliRunner().invoke(COMMANDS["export"], [str(run), "--out", str(tmp_path / "net")])
    assert result.exit_code == 2
    assert result.output == "shiftnas: error: not enough memory; export where there is more\n"
    assert not (tmp_path / "net").exists()
