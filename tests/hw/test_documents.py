"""YAML and JSON read strictly."""

import json
import shutil

import pytest
import yaml
from click.testing import CliRunner

import shiftnas
from hw import documents
from hw.networks import genotypes

SIZES = ("--channels", "1", "--cells", "1", "--image", "4x4x1", "--classes", "2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' is given twice"),
        ("a:\n  b: 1\n  'b': 1\n", "line 3: key 'b' is given twice"),
        ("- {a: 1, a: 1}\n", "line 1: key 'a' is given twice"),
        ("a: 1\nb: [\n", "line 3: "),
        ("a: 2026-02-31\n", "line 1: '2026-02-31': not of its type"),
        ("a: !!timestamp noon\n", "line 1: 'noon': not of its type"),
        ("a: !!bool 7\n", "line 1: '7': not of its type"),
        ("[1, 2]: 3\n", "line 1: "),
        ("[" * 100_000, "too many values within each other"),
    ],
)
def test_yaml_that_is_refused(text, said):
    with pytest.raises(yaml.YAMLError) as caught:
        documents.load_yaml(text)
    assert documents.reason(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "b": 2, "a": 1}', "key 'a' is given twice"),
        ('[{"a": {"c": 1, "b": 2, "b": 2}}]', "key 'b' is given twice"),
        ("[" * 100_000, "too many values within each other"),
        ("{", "Expecting property name"),
    ],
)
def test_json_that_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        documents.load_json(text)


def test_what_is_right_is_read_as_ever():
    text = "base: &b {x: 1, y: [a, 2.5]}\nmore:\n  <<: *b\n  x: 2\n"
    assert documents.load_yaml(text) == yaml.safe_load(text)
    assert documents.load_yaml("") is None
    content = {"a": [{"b": None}, {"b": 1}], "b": "a"}
    assert documents.load_json(json.dumps(content)) == content


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with one right file of each kind."""
    folder = tmp_path_factory.mktemp("made")
    net = folder / "net"
    call("network", "--genotype", "DARTS_V2", *SIZES, "--out", net)
    call("emit", net, "--out", folder / "rtl")
    (folder / "genotype.yaml").write_text(genotypes.to_yaml(genotypes.get("DARTS_V2")))
    (folder / "config.yaml").write_text("seed: 3\n")
    (folder / "run").mkdir()
    (folder / "run" / "config.yaml").write_text("kind: search\ndata: digits\ndomain: shift\n")
    (folder / "run" / "log.jsonl").write_text('{"stage": "a", "epoch": 1, "epochs": 1}\n')
    (folder / "run" / "checkpoint.pt").write_bytes(b"")
    (folder / "case.json").write_text('{"seed": 1}\n')
    (folder / "coverage.json").write_text('{"schema_version": 1}\n')
    (folder / "demo").mkdir()
    (folder / "demo" / "demo.json").write_text('{"steps": []}\n')
    return folder


def call(*words):
    result = CliRunner().invoke(shiftnas.shiftnas, [str(word) for word in words])
    assert result.exit_code == 0, result.output


def repeat_the_first_line(text):
    return text + text.splitlines()[0] + "\n"


def repeat_a_key(text):
    """The first key of a JSON object once more, with its own value."""
    key, value = next(iter(json.loads(text).items()))
    return text.rstrip()[:-1] + f", {json.dumps(key)}: {json.dumps(value)}}}\n"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("genotype.yaml", f"network --genotype genotype.yaml {' '.join(SIZES)} --out new"),
        ("config.yaml", "search --data digits --config config.yaml --out new"),
        ("run/config.yaml", "search --data digits --out run --resume"),
        ("run/config.yaml", "report run --out new"),
        ("run/log.jsonl", "report run --out new"),
        ("net/network.json", "emit net --out new"),
        ("rtl/manifest.json", "synth net --rtl rtl"),
        ("case.json", "fuzz --case case.json"),
        ("coverage.json", "coverage coverage.json"),
        ("demo/demo.json", "report demo --out new"),
        ("demo/demo.json", "demo --data digits --out demo"),
    ],
)
def test_a_key_given_twice_is_refused_everywhere(made, tmp_path, monkeypatch, file, words):
    folder = tmp_path / "here"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    damage = repeat_the_first_line if file.endswith(".yaml") else repeat_a_key
    text = (folder / file).read_text()
    (folder / file).write_text(damage(text))
    result = CliRunner().invoke(shiftnas.shiftnas, words.split())
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "is given twice" in result.stderr and file.rpartition("/")[2] in result.stderr
    assert not (folder / "new").exists()
