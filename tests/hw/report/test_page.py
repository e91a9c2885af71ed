"""The report page: complete, self-contained, and honest about what is missing."""

import base64
import json
import re
import xml.dom.minidom
from html.parser import HTMLParser

import pytest
import sample_runs

from hw.errors import InputError
from hw.networks import genotypes
from hw.report import page

VOID = {"meta", "br", "link", "img", "input"}


class Balanced(HTMLParser):
    """Fails where a tag is closed that is not open; collects tags and attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()


def record(epoch, **fields):
    return {"stage": "train", "epoch": epoch, "loss": 1.0 / epoch, "accuracy": 0.5, **fields}


@pytest.fixture
def demo(tmp_path):
    """A folder as a demo leaves it."""
    for name, lines in (
        ("search", [record(1, stage="operation", phase="warm-up"), record(1, stage="topology")]),
        ("train", [record(e, lr=0.01, validation_accuracy=0.4) for e in (1, 2, 3)]),
    ):
        (tmp_path / name).mkdir()
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / name / "log.jsonl").write_text(text)
    found = genotypes.to_yaml(genotypes.get("ShiftNAS_C10"))
    (tmp_path / "search" / "genotype.yaml").write_text(found)
    layers = [
        {"name": "cell0/edge0_sep_conv_3x3/dw1", "lut": 300, "ff": 100, "ram_bits": 18, "dsp": 0},
        {"name": "classifier", "lut": 1234, "ff": 99, "ram_bits": 0, "dsp": 0},
    ]
    table = {
        "data": "fashion <b>",
        "accuracy_float": 0.8765,
        "accuracy_integer": 0.87,
        "designs": [
            {"style": "overlay", "bits": 1234567, "mismatches": 0, "routed": True, "lut": 4711},
            {"style": "dataflow", "bits": 7654321, "mismatches": 0, "routed": False, "fps": 560},
        ],
        "checks": [{"what": "no DSP block", "measured": "1", "passed": False}],
    }
    steps = [
        {"name": "search", "command": "shiftnas search", "seconds": 75.2, "result": {}},
        {"name": "cosim", "command": "shiftnas cosim", "seconds": 9, "result": {"layers": 82}},
        {
            "name": "overlay bitstream",
            "command": "shiftnas bitstream",
            "seconds": 3,
            "result": {"layers": layers},
        },
    ]
    (tmp_path / "demo.json").write_text(
        json.dumps({"schema_version": 1, "started": {}, "steps": steps, "table": table})
    )
    return tmp_path


def test_everything_is_on_the_page(demo):
    text = page.write(demo).read_text()
    for part in (
        "87.65 %",
        "87.00 %",
        "1,234,567",
        "7,654,321",
        "overlay: LUT sites",
        "placed and routed</td><td>as planned",
        "<td>4,711</td><td></td>",
        "MISSED",
        "classifier",
        "1,234",
        "1 min 15 s",
        "Normal cell",
        "Reduction cell",
        "fashion &lt;b&gt;",
        "<h2>Search</h2>",
        "<h2>Training</h2>",
    ):
        assert part in text, part
    assert text.index("classifier") < text.index("cell0/edge0_sep_conv_3x3/dw1"), "largest first"


def test_the_page_is_well_formed_and_self_contained(demo):
    text = page.write(demo).read_text()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    tags = {tag for tag, _ in parser.seen}
    assert not tags & {"script", "link", "iframe", "object", "svg"}
    assert not re.search(r"href=|@import|url\(|https?://", text)
    images = [attributes for tag, attributes in parser.seen if tag == "img"]
    assert len(images) == 2 + 2 + 3 and all(image["alt"] for image in images)
    for image in images:
        kind, code = image["src"].split(",")
        assert kind == "data:image/svg+xml;base64"
        xml.dom.minidom.parseString(base64.b64decode(code))
    assert text.count("src=") == len(images)


def test_a_training_alone(demo, tmp_path):
    text = page.write(demo / "train", tmp_path / "page.html").read_text()
    assert "<h2>Training</h2>" in text and "Normal cell" not in text and "demo" not in text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "demo.json").write_text("{"), r"demo\.json: not valid JSON"),
        (lambda run: (run / "demo.json").write_text("[]"), r"demo\.json: expected a JSON object"),
        (
            lambda run: (run / "train/log.jsonl").write_text('{"stage": "a", "epoch": 1}\nx'),
            r"train/log\.jsonl: line 2: expected",
        ),
        (
            lambda run: (run / "search/genotype.yaml").write_text("a: 1"),
            r"genotype\.yaml: normal: ",
        ),
        (lambda run: (run / "train/metrics.json").write_text("{"), r"metrics\.json: not valid"),
        (lambda run: (run / "train/config.yaml").write_text("a: ["), r"config\.yaml: not valid"),
        (lambda run: (run / "train/config.yaml").write_text("[]"), r"config\.yaml: expected"),
    ],
)
def test_broken_files_are_named(demo, damage, message):
    damage(demo)
    with pytest.raises(InputError, match=message):
        page.write(demo)
    assert not (demo / "report.html").exists()


def test_not_a_run(tmp_path):
    with pytest.raises(InputError, match="it is not a run's folder"):
        page.read(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        page.read(tmp_path / "none")


def test_a_search(tmp_path):
    log = sample_runs.shiftnas_log((1, 1), (2, 2))
    text = page.write(sample_runs.write_run(tmp_path / "a", log)).read_text()
    for part in (
        "<h2>Search</h2>",
        "Operation weights α, normal cell",
        "Edge weights γ",
        "Topology weights β",
        "Shaded: epochs of warm-up",
        "8 operations, 2 of them skips",
        "All settings",
    ):
        assert part in text, part
    assert "several seeds" not in text


def test_a_run_that_has_only_begun(tmp_path):
    place = sample_runs.write_run(tmp_path / "a", None, genotype=None)
    text = page.write(place).read_text()
    assert "No epoch is done yet" in text and "<img" not in text


def test_several_seeds(tmp_path):
    for number in (1, 2):
        log = sample_runs.train_log(2, seed=number)
        sample_runs.write_run(tmp_path / f"seed{number}", log, kind="train", seed=number)
    (tmp_path / "summary.json").write_text("{}")
    text = page.write(tmp_path).read_text()
    assert "Training with several seeds" in text and "mean ± std" in text
    assert "Training accuracy of all seeds" in text and "<td><code>seed</code></td>" not in text


CLAIM = "Every weight is 0 or ±2<sup>p</sup>"


@pytest.mark.parametrize(
    ("before", "after", "true"),
    [
        ("", "", True),
        ("domain: shift", "domain: real", False),
        ("max_shift: 15", "stem: false", False),
        ("max_shift: 15", "classifier: false", False),
        ("max_shift: 15", "layer: q", True),
        ("max_shift: 15", "layer: inq", False),  # frozen in the last epoch, and it is not done
    ],
)
def test_real_weights_are_not_called_powers_of_two(tmp_path, before, after, true):
    place = sample_runs.write_run(tmp_path / "a", None, genotype=None, kind="train")
    config = place / "config.yaml"
    assert before in config.read_text()
    config.write_text(config.read_text().replace(before, after))
    assert (CLAIM in page.write(place).read_text()) == true


def test_all_weights_of_a_finished_inq_training_are_powers_of_two(tmp_path):
    place = sample_runs.write_run(tmp_path / "a", None, kind="train", metrics={"accuracy": 0.5})
    config = place / "config.yaml"
    config.write_text(config.read_text().replace("max_shift: 15", "layer: inq"))
    assert CLAIM in page.write(place).read_text()
