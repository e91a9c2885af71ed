"""docs/inside.md runs as a notebook, and is the one in examples/."""

import os
import sys
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from hw.networks.confusion import confusion

ROOT = Path(__file__).parents[2]
PAGE, NOTEBOOK = ROOT / "docs" / "inside.md", ROOT / "examples" / "look_inside.ipynb"


def cells(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_the_notebook_is_the_page():
    page, notebook = jupytext.read(PAGE), nbformat.read(NOTEBOOK, as_version=4)
    assert cells(page) == cells(notebook), (
        f"make it anew: jupytext --to ipynb --output {NOTEBOOK.relative_to(ROOT)} "
        f"{PAGE.relative_to(ROOT)}"
    )
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs belong to a run"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run by this Python and this tree's `shiftnas`, and the folder of it."""
    place = tmp_path_factory.mktemp("look")
    command = place / "bin" / "shiftnas"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "shiftnas.py"} "$@"\n')
    command.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        yield run(place), place


def run(place):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": place}}).execute()
    return notebook


def output(executed, part):
    """Text and pictures of the one cell whose source holds `part`."""
    notebook, _ = executed
    (cell,) = (c for c in notebook.cells if c.cell_type == "code" and part in c.source)
    text = "".join(o.text for o in cell.outputs if o.output_type == "stream")
    return text, [o.data for o in cell.outputs if o.output_type != "stream"]


@pytest.mark.slow
def test_every_cell_says_something_true(executed):
    tensors, _ = output(executed, "model.tensors(x)")
    assert "stem/conv" in tensors and "classifier" in tensors
    layers, _ = output(executed, "exponents_of(model)")
    counted = sum(int(line.split()[1].rstrip(",")) for line in layers.splitlines())
    integers, _ = output(executed, "of_network(network)")
    assert integers.startswith(f"{counted} weights, ")


@pytest.mark.thorough
def test_it_runs_again_where_all_of_it_stands(executed):
    _, place = executed
    run(place)


@pytest.mark.slow
def test_its_pictures_are_shown(executed):
    for part in ("inside.exponents(", "inside.exponents_by_layer(", "inside.confusion("):
        _, shown = output(executed, part)
        assert "image/png" in shown[-1], part


@pytest.mark.slow
def test_its_confusion_matrix_is_of_200_images(executed):
    text, _ = output(executed, "found = model(x)")
    rows = text.replace("[", " ").replace("]", " ").split("\n")
    counts = np.array([[int(n) for n in row.split()] for row in rows if row.strip()])
    assert counts.shape == (10, 10) and counts.sum() == 200
    assert confusion(np.zeros(1, int), np.zeros(1, int), 10).shape == counts.shape
