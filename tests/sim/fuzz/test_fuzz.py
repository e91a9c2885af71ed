"""A planted bug, from the draw to the folder that runs again."""

import json

import pytest
from click.testing import CliRunner

from sim.commands.fuzz import fuzz


@pytest.mark.slow
@pytest.mark.thorough
def test_planted_bug_is_found_shrunk_and_reproduced(wrong_maximum, tmp_path):
    """Case 1 of seed 3 has max pools."""
    arguments = ["--of=cells", "--seed=3", "--first=1", "--cases=1", "--jobs=0", "--shrink=40s"]
    result = CliRunner().invoke(fuzz, [*arguments, f"--out={tmp_path / 'fuzz'}"])
    assert result.exit_code == 1
    assert "1 failed" in result.stdout
    folder = tmp_path / "fuzz" / "cells-seed-3-case-1"
    small = json.loads((folder / "case.json").read_text())
    drawn = json.loads((folder / "drawn.json").read_text())
    assert "max_pool_3x3" in str(small["net"]["genotype"])
    assert small["net"]["cells"] <= drawn["net"]["cells"]
    assert small["stall"] == 0.0
    assert "max_pool_3x3/pool: frame 0" in (folder / "README.md").read_text()
    assert (folder / "run" / "dump.vcd").is_file()
