"""The programs in docs/library.md run, and do what the page says."""

import re
from pathlib import Path

import torch

PAGE = Path(__file__).parents[2] / "docs" / "library.md"
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def test_the_loop_on_digits_learns():
    (program,) = PROGRAMS
    names: dict = {}
    exec(compile(program, str(PAGE), "exec"), names)
    assert names["accuracy"] > 0.75
    weights = names["net"][0].weight().detach()
    assert torch.equal(weights, names["sign"] * torch.exp2(names["power"].float()))
    assert torch.equal(weights.abs().log2().round(), weights.abs().log2())
