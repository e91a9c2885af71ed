"""An overlay's plan: read as it was written; what is wrong is named by file and field."""

import pytest
import yaml

from hw.errors import InputError
from hw.overlay.hardware import Overlay
from hw.overlay.plan import OverlayPlan, as_dict, from_dict
from hw.overlay.plan_file import dumps, loads, save

PLAN = OverlayPlan(Overlay(rows=4, columns=8, acc_bits=20), "ulx3s-85f", 100.0)


def test_what_is_read_is_what_was_written(tmp_path):
    save(PLAN, tmp_path / "plan.yaml")
    text = (tmp_path / "plan.yaml").read_text()
    assert loads(text, "plan.yaml") == PLAN
    assert text == dumps(PLAN)
    assert text.startswith("schema_version: 1\nstyle: overlay\nboard: ulx3s-85f\n")
    assert from_dict(as_dict(PLAN)) == PLAN


def test_the_digest_is_of_every_field():
    others = [
        OverlayPlan(PLAN.hardware.resized(rows=8), PLAN.board, PLAN.clock_mhz),
        OverlayPlan(PLAN.hardware.resized(fabric="generic"), PLAN.board, PLAN.clock_mhz),
        OverlayPlan(PLAN.hardware, "none", PLAN.clock_mhz),
        OverlayPlan(PLAN.hardware, PLAN.board, 50.0),
    ]
    assert len({plan.digest for plan in (PLAN, *others)}) == 5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schema_version": 2}, "schema_version: 2 is newer than 1, the newest known here"),
        ({"schema_version": True}, "schema_version: True; expected 1"),
        ({"style": "dataflow"}, "style: 'dataflow'; expected overlay"),
        ({"board": ""}, "board: expected a board's name"),
        ({"clock_mhz": 0}, "clock_mhz: expected a number in (0, 1000], found 0"),
        ({"rows": 65}, "overlay: rows: 65; expected an integer 1 to 64"),
        ({"fabric": "asic"}, "overlay: fabric: 'asic'; expected ecp5 or generic"),
        ({"lanes": 64}, "lanes: unknown field; known ones are schema_version, style, board"),
        ({"words": None}, "words: missing"),
    ],
)
def test_what_no_plan_says(fields, message):
    content = yaml.safe_load(dumps(PLAN)) | fields
    content = {name: value for name, value in content.items() if value is not None}
    with pytest.raises(InputError) as caught:
        loads(yaml.safe_dump(content), "p.yaml")
    assert str(caught.value).startswith(f"p.yaml: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "p.yaml: expected YAML: line 1: "),
        ("- 1\n", "p.yaml: expected a mapping with names as keys"),
        ("rows: 1\nrows: 2\n", "p.yaml: expected YAML: line 2: key 'rows' is given twice"),
    ],
)
def test_what_is_no_plan(text, message):
    with pytest.raises(InputError) as caught:
        loads(text, "p.yaml")
    assert str(caught.value).startswith(message)
