"""hw.networks.genotypes: names and files."""

import re

import pytest

from hw.errors import InputError
from hw.networks import genotypes

GOOD = """\
normal:
  - [sep_conv_3x3, 0]
  - [skip_connect, 1]
normal_concat: [2]
reduce:
  - [max_pool_3x3, 0]
  - [skip_connect, 1]
reduce_concat: [2]
"""


def test_thirteen_are_published_each_with_a_source():
    published = genotypes.published()
    assert len(published) == 13
    assert all(entry.source and entry.name == name for name, entry in published.items())
    assert len(genotypes.get("NASNet").normal) == 10
    assert genotypes.get("NASNet").reduce_concat == (4, 5, 6)


@pytest.mark.parametrize("name", list(genotypes.published()))
def test_written_genotypes_are_read_back(tmp_path, name):
    genotype = genotypes.get(name)
    path = tmp_path / "genotype.yaml"
    path.write_text(genotypes.to_yaml(genotype))
    assert genotypes.get(path) == genotype
    assert genotypes.get(str(path)) == genotype
    assert genotypes.from_mapping(genotypes.to_mapping(genotype)) == genotype


def test_text_is_as_people_write_it(tmp_path):
    path = tmp_path / "genotype.yaml"
    path.write_text(GOOD)
    assert genotypes.to_yaml(genotypes.load(path)) == GOOD


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match=r"'DARTS_V9' is neither a file nor .* NASNet, AmoebaNet"):
        genotypes.get("DARTS_V9")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "genotype: expected the keys normal, normal_concat, reduce, reduce_concat"),
        ("- 1\n", "genotype: expected the keys"),
        ("normal: [\n", "not valid YAML: line 2: "),
        ("a: \x07\n", "not valid YAML"),
        (GOOD.replace("reduce_concat", "reduce_cat"), "reduce_concat: missing"),
        (GOOD + "extra: 1\n", "extra: not a key of a genotype"),
        (GOOD.replace("[skip_connect, 1]", "[skip_connect, x]"), "normal: edge 1: ['skip_connect"),
        (GOOD.replace("[skip_connect, 1]", "[skip_connect, true]"), "normal: edge 1: "),
        (GOOD.replace("[skip_connect, 1]", "skip_connect"), "normal: edge 1: 'skip_connect'"),
        (GOOD.replace("[skip_connect, 1]", "[skip, 1]"), "normal: edge 1: operation 'skip'"),
        (GOOD.replace("normal_concat: [2]", "normal_concat: 2"), "normal_concat: 2; expected"),
        (GOOD.replace("normal_concat: [2]", "normal_concat: [a]"), "normal_concat: ['a']"),
        (GOOD.replace("normal_concat: [2]", "normal_concat: [9]"), "normal_concat: [9]; list"),
    ],
)
def test_faulty_files_get_one_line_with_file_and_key(tmp_path, content, message):
    path = tmp_path / "genotype.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {message}')}") as caught:
        genotypes.load(path)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"No such file or directory; give a genotype.yaml"):
        genotypes.get(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="Is a directory"):
        genotypes.get(tmp_path)
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(InputError, match="not a text file"):
        genotypes.get(path)
