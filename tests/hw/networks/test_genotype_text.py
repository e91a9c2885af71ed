"""Genotypes in the text of DARTS and its followers: each way of writing them, and refusals."""

import pytest
from click.testing import CliRunner

from hw.errors import InputError
from hw.networks import genotype_text, genotypes
from hw.networks.genotypes import to_mapping
from shiftnas import subcommand

KNOWN = genotypes.published()


def flat(edges):
    return repr([tuple(edge) for edge in edges])


def by_node(edges, left="(", right=")"):
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return "[" + ", ".join(f"{left}{tuple(a)}, {tuple(b)}{right}" for a, b in pairs) + "]"


def spaced(edges):
    return (
        "[\n" + "".join(f'    ("{name}", {state}),  # an edge\n' for name, state in edges) + "  ]"
    )


def reversed_pairs(edges):
    return repr([(state, name) for name, state in edges])


def as_range(states):
    assert states == list(range(states[0], states[-1] + 1))
    return f"range({states[0]}, {states[-1] + 1})"


def keywords(edges=flat, states=repr, more="", call="Genotype"):
    def write(g):
        return (
            f"{call}(normal={edges(g['normal'])}, normal_concat={states(g['normal_concat'])},"
            f" reduce={edges(g['reduce'])}, reduce_concat={states(g['reduce_concat'])}{more})"
        )

    return write


def positional(g):
    return f"Genotype({', '.join(map(repr, g.values()))})"


def in_a_string(g):
    text = keywords(lambda edges: by_node(edges, "[", "]"))(g)
    return f'(\n  "{text[:60]}"\n  "{text[60:]}"\n)'


WAYS = {
    "DARTS": keywords(),
    "NASNet": keywords(spaced),
    "GDAS": keywords(by_node, more=",\n  connectN=None, connects=None,"),
    "AlphaX": keywords(more=", normal_bottleneck='', reduce_bottleneck=''"),
    "pt.darts": in_a_string,
    "reversed": keywords(reversed_pairs),
    "in lists": keywords(repr),
    "a module's": keywords(call="gt.Genotype"),
    "positional": positional,
    "tuples": keywords(lambda edges: repr(tuple(map(tuple, edges))), lambda s: repr(tuple(s))),
}

HEAD = """\
import torch  # never imported here
from collections import namedtuple
Genotype = namedtuple('Genotype', 'normal normal_concat reduce reduce_concat')
PRIMITIVES = ['none', 'sep_conv_3x3']
raise SystemExit("never run")
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KNOWN)
def test_every_published_genotype_in_every_way(tmp_path, name, way):
    path = tmp_path / "genotypes.py"
    path.write_text(f"{HEAD}found = {WAYS[way](to_mapping(KNOWN[name].genotype))}\n")
    assert genotypes.get(path) == KNOWN[name].genotype
    assert genotypes.get(f"{path}:found") == KNOWN[name].genotype


@pytest.mark.parametrize("states", [as_range, lambda s: f"list({as_range(s)})"])
def test_ranges(states):
    mapping = to_mapping(KNOWN["PDARTS"].genotype)
    _, found = genotype_text.read("x = " + keywords(states=states)(mapping))
    assert found == mapping


def test_the_lists_of_a_namedtuple_give_the_order():
    mapping = to_mapping(KNOWN["PDARTS"].genotype)
    order = ["reduce", "reduce_concat", "normal", "normal_concat"]
    text = f"Genotype = namedtuple('Genotype', {order})\n"
    text += f"x = Genotype({', '.join(repr(mapping[key]) for key in order)})"
    assert genotype_text.read(text)[1] == mapping


ONE = keywords()(to_mapping(KNOWN["DARTS_V1"].genotype))
TWO = keywords()(to_mapping(KNOWN["DARTS_V2"].genotype))
SEVERAL = (
    f"# A = {ONE}\nDARTS_V1 = {ONE}\nV2 = {TWO}\nDARTS = V2\nbest = DARTS\nD = {{'k': {ONE}}}\n"
)


@pytest.mark.parametrize(
    ("name", "known"),
    [("DARTS_V1", "DARTS_V1"), ("V2", "DARTS_V2"), ("best", "DARTS_V2"), ("k", "DARTS_V1")],
)
def test_of_several_one_is_named(tmp_path, name, known):
    path = tmp_path / "a:b.txt"
    path.write_text(SEVERAL)
    assert genotypes.get(f"{path}:{name}") == KNOWN[known].genotype


def test_one_without_a_name(tmp_path):
    path = tmp_path / "genotype"
    path.write_text(ONE)
    assert genotypes.get(path) == KNOWN["DARTS_V1"].genotype


EDGE = "('sep_conv_3x3', 1)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SEVERAL, ": holds 3 genotypes; give one as FILE:NAME, of DARTS_V1, V2, k, DARTS, best"),
        (f"x = (\n{ONE}", ": line 1: not Python ('(' was never closed); keep the line"),
        (f"05/12 03:21 PM genotype = {ONE}", ": line 1: not Python (leading zeros"),
        (f"# x = {ONE}", ": no Genotype(…) is written there"),
        (f"def f():\n  return {ONE}", ": no Genotype(…) is written there"),
        (f"\nx = {ONE.replace('sep_conv_3x3', 'none', 1)}", ": line 2: normal: edge 0: operation"),
        (f"x = {ONE.replace(EDGE, '(f(), 1)', 1)}", ": line 1: normal: expected ('operation'"),
        (f"x = {ONE.replace(EDGE, 'f()', 1)}", ": line 1: normal: expected a list of ('operation'"),
        (f"x = {ONE.replace(EDGE, f'({EDGE}, {EDGE}, {EDGE})', 1)}", "a node of 3 edges"),
        (f"x = {ONE.replace(EDGE, f'({EDGE}, 5)', 1)}", ": line 1: normal: expected ('operation'"),
        (f"x = {ONE.replace(EDGE, '(True, 1)', 1)}", ": line 1: normal: "),
        (f"x = {ONE.replace('normal=', 'normal=range(3) or ')}", ": line 1: normal: expected a"),
        (f"x = {ONE[:-1]}, normal_bottleneck='x')", "normal_bottleneck: not a field of a genotype"),
        (f"x = {ONE[:-1]}, **{{}})", ": line 1: ** in Genotype(…)"),
        (f"x = {ONE.replace('reduce_concat', 'channels')}", ": line 1: channels: not a field"),
        ("x = Genotype(normal=[], normal_concat=[2])", ": line 1: reduce: missing"),
        ("x = Genotype(1, 2, 3, 4, 5)", ": line 1: 5 arguments; expected normal, normal_concat"),
        ("x = Genotype(1, normal=2)", ": line 1: normal is given twice"),
        (f"x = {ONE.replace('[2, 3, 4, 5]', 'range(n)', 1)}", "normal_concat: expected a list of"),
        (f"x = {ONE.replace('[2, 3, 4, 5]', 'range(2, 6, 0)', 1)}", "normal_concat: expected"),
        (f"x = {ONE.replace('[2, 3, 4, 5]', 'range(10**9)', 1)}", "normal_concat: expected"),
        (f"x = {ONE.replace('[2, 3, 4, 5]', 'range(999999999)', 1)}", "normal_concat: expected"),
        (
            f"x = {ONE.replace('[2, 3, 4, 5]', '[2, 9]', 1)}",
            ": line 1: normal_concat: [2, 9]; list",
        ),
        (f"x = {ONE.replace('[2, 3, 4, 5]', '2', 1)}", "normal_concat: expected a list of states"),
        ("x = Genotype(" + "(" * 5000, "line 1: not Python"),
    ],
)
def test_refusals_name_file_and_line(tmp_path, text, message):
    path = tmp_path / "x.py"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        genotypes.get(path)
    told = str(caught.value)
    assert told.startswith(f"{path}: ") and message in told and "\n" not in told


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (SEVERAL, "V3", ": no genotype 'V3'; there are DARTS_V1, V2, k, DARTS, best"),
        (f"x = {ONE}\nx = {TWO}", "x", ": line 2: x is given again, first in line 1"),
        (ONE, "x", ": no genotype 'x'; there are none with a name"),
        ("normal: []", "x", ":x: no Genotype(…) in the file; leave the name out"),
    ],
)
def test_wrong_names(tmp_path, text, name, message):
    path = tmp_path / "x.py"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        genotypes.get(f"{path}:{name}")
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none.py: No such file or directory; give a genotype"):
        genotypes.get(f"{tmp_path}/none.py:x")


def test_commands_take_it(tmp_path):
    path = tmp_path / "published.py"
    path.write_text(SEVERAL)
    arguments = ["--channels", "2", "--cells", "1", "--image", "4x4x1", "--classes", "2"]

    def run(*more):
        return CliRunner().invoke(subcommand("network"), [*arguments, *map(str, more)])

    result = run("--genotype", f"{path}:V2", "--out", tmp_path / "net")
    assert result.exit_code == 0, result.output
    # What is written must not be, or hold, the file that is read.
    result = run("--genotype", f"{path}:V2", "--out", path, "--force")
    assert result.exit_code == 2 and "is an input of this command" in result.stderr
