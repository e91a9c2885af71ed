"""Files of pictures: repeatable, of the right kind, and independent of the user's settings."""

import re
import sys
from functools import partial

import pytest
import sample_runs

from hw.errors import InputError
from hw.report import curves
from hw.report.log import Log
from hw.report.plotting import Picture, render

PICTURE = Picture("accuracy", "Accuracy", partial(curves.accuracy, Log(sample_runs.train_log(3))))


@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_same_numbers_give_the_same_bytes(form, monkeypatch):
    first = render(PICTURE, form)
    import matplotlib

    # The user's own settings do not matter.
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 20)
    monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "black")
    assert render(PICTURE, form) == first
    assert first.startswith({"svg": b"<?xml", "png": b"\x89PNG"}[form])


def test_a_drawing_says_neither_when_nor_by_which_version():
    text = render(PICTURE, "svg").decode()
    assert "dc:date" not in text and not re.search(r"[Mm]atplotlib v|\d+\.\d+\.\d+", text)
    assert "Software" not in render(PICTURE, "png")[:200].decode("latin-1")


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match="matplotlib is missing; pip install matplotlib"):
        render(PICTURE, "svg")
