"""Plans as files, and whether they fit their network."""

from dataclasses import replace

import pytest

from hw.dataflow import plan_file
from hw.dataflow.check import check
from hw.dataflow.plan import LayerPlan, LoadPlan, Plan, as_dict, from_dict
from hw.errors import InputError
from hw.ir.parameters import Arithmetic

TEXT = """\
schema_version: 1
network: {digest}
board: ulx3s-85f
clock_mhz: 50.0
layers:
  stem/conv: {{element: barrel, pe: 2, store: 64, weights: block}}
  cell0/edge0_max_pool_3x3/pool: {{element: pool, store: 128}}
fifos:
  cell0/node2: [2, 300]
""".format(digest="ab" * 32)

PLAN = Plan(
    "ab" * 32,
    "ulx3s-85f",
    50.0,
    {
        "stem/conv": LayerPlan("barrel", 2, 64, "block"),
        "cell0/edge0_max_pool_3x3/pool": LayerPlan("pool", 1, 128),
    },
    {"cell0/node2": (2, 300)},
)


def test_text_and_plan():
    assert plan_file.dumps(PLAN) == TEXT
    assert plan_file.loads(TEXT, "plan.yaml") == PLAN
    assert plan_file.loads(plan_file.dumps(PLAN), "plan.yaml") == PLAN


def test_file(tmp_path):
    plan_file.save(PLAN, tmp_path / "plan.yaml")
    assert plan_file.load(tmp_path / "plan.yaml") == PLAN


def test_digest_depends_on_every_choice():
    layer = PLAN.layers["stem/conv"]
    others = [
        replace(PLAN, clock_mhz=51.0),
        replace(PLAN, board="ulx3s-25f"),
        replace(PLAN, fifos={"cell0/node2": (3, 300)}),
        replace(PLAN, layers={**PLAN.layers, "stem/conv": replace(layer, weights="logic")}),
    ]
    digests = {plan.digest for plan in [PLAN, *others]}
    assert len(digests) == 5
    assert plan_file.loads(TEXT, "x").digest == PLAN.digest


WRONG = {
    "no mapping": ("- 1\n", "plan.yaml: expected a mapping"),
    "no YAML": ("layers: {a", "plan.yaml: expected YAML: line 1"),
    "missing": (TEXT.replace("board: ulx3s-85f\n", ""), "plan.yaml: board: missing"),
    "unknown": (TEXT + "speed: 3\n", "plan.yaml: speed: unknown field"),
    "newer": (TEXT.replace("version: 1", "version: 2"), "plan.yaml: schema_version: 2 is newer"),
    "version": (TEXT.replace("version: 1", "version: one"), "plan.yaml: schema_version: expected"),
    "digest": (TEXT.replace("ab" * 32, "abc"), "plan.yaml: network: expected a digest"),
    "clock": (TEXT.replace("50.0", "-3"), "plan.yaml: clock_mhz: expected a number"),
    "clock, none": (TEXT.replace("50.0", "true"), "plan.yaml: clock_mhz: expected a number"),
    "element": (TEXT.replace("barrel", "dsp"), "layers: stem/conv: element: expected one of"),
    "pe": (TEXT.replace("pe: 2", "pe: 0"), "stem/conv: pe: expected an integer of at least"),
    "no pe": (TEXT.replace("pe: 2, ", ""), "layers: stem/conv: pe: missing"),
    "horner pe": (TEXT.replace("barrel", "horner"), "layers: stem/conv: pe: expected 1"),
    "store": (TEXT.replace("64,", "63,"), "layers: stem/conv: store: expected a power of two"),
    "weights": (TEXT.replace("block", "flash"), "layers: stem/conv: weights: expected one of"),
    "pool": (TEXT.replace("pool, store", "pool, pe: 1, store"), "pool: pe: a pool has none"),
    "depth": (TEXT.replace("[2, 300]", "[1, 300]"), "cell0/node2: input 0: expected an integer"),
    "deepest": (TEXT.replace("300", "9999999999"), "input 1: expected at most 16777216, found"),
    "largest": (TEXT.replace("64,", f"{2**40},"), "stem/conv: store: expected at most 16777216"),
    "misspelt": (TEXT.replace("clock_mhz", "clock_hz"), "plan.yaml: clock_hz: unknown field"),
    "depths": (TEXT.replace("[2, 300]", "7"), "fifos: cell0/node2: expected a list"),
    "twice": (TEXT + "  cell0/node2: [2, 2]\n", "line 10: key 'cell0/node2' is given twice"),
    "list as key": (TEXT.replace("board:", "[1, 2]:"), "plan.yaml: expected YAML"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_get_one_line(name, tmp_path):
    text, message = WRONG[name]
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        plan_file.load(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(InputError, match=r"no such plan; `shiftnas plan` writes one"):
        plan_file.load(tmp_path / "plan.yaml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="expected a readable YAML file"):
        plan_file.load(tmp_path / "binary")
    with pytest.raises(InputError, match="expected a readable YAML file"):
        plan_file.load(tmp_path)


# --- against a network (`network` and `plan` are those of conftest.py)


def test_a_plan_that_fits(network, plan, tmp_path):
    plan_file.save(plan, tmp_path / "plan.yaml")
    assert check(plan_file.load(tmp_path / "plan.yaml"), network).plan == plan


def changed(plan: Plan, name: str, **fields) -> Plan:
    return replace(plan, layers={**plan.layers, name: replace(plan.layers[name], **fields)})


def test_plans_that_do_not_fit(network, plan):
    missing = {name: layer for name, layer in plan.layers.items() if name != "stem/conv"}
    pool = LayerPlan("pool", 1, 2)
    wrong = {
        "network: made for the network 000000000000": replace(plan, network="0" * 64),
        "layers: stem/conv: missing": replace(plan, layers=missing),
        "layers: x: no such layer": replace(plan, layers={**plan.layers, "x": pool}),
        "layers: stem/conv2: no such layer": replace(plan, layers={**missing, "stem/conv2": pool}),
        "fifos: cell0/node2: missing": replace(plan, fifos={}),
        "fifos: cell0/node2: expected 2 depths": replace(plan, fifos={"cell0/node2": (3,)}),
        "stem/conv: element: expected barrel or horner": changed(plan, "stem/conv", element="pool"),
        "stem/conv: pe: expected a divisor of 2": changed(plan, "stem/conv", pe=3),
        "stem/conv: store: expected 32 or more, found 16": changed(plan, "stem/conv", store=16),
    }
    for message, other in wrong.items():
        with pytest.raises(InputError, match=message) as caught:
            check(other, network, "plan.yaml")
        assert str(caught.value).startswith("plan.yaml: ")


def test_horner_needs_exact_products(network, plan):
    rough = replace(network, arithmetic=Arithmetic(guard=4))
    other = replace(changed(plan, "stem/conv", element="horner"), network=rough.digest)
    with pytest.raises(InputError, match="stem/conv: element: horner needs exact products"):
        check(other, rough)
    # A classifier is exact whatever the guard bits.
    check(replace(changed(plan, "classifier", element="horner"), network=rough.digest), rough)
    check(changed(plan, "stem/conv", element="horner"), network)


def test_fifos_that_lock_the_network_up(deep_network, deep_plan):
    """One beat less than the least: refused, with the depth that is needed."""
    check(deep_plan, deep_network)
    (name,) = deep_plan.fifos
    least = deep_plan.fifos[name][0]
    less = replace(deep_plan, fifos={name: (least - 1, 2)})
    with pytest.raises(InputError, match=f"{name}: input 0: {least - 1} beats lock the network"):
        check(less, deep_network, "plan.yaml")


@pytest.fixture(scope="module")
def deep_network(network):
    """A 3x3 pool beside a skip."""
    from hw.ir import graph as g
    from hw.ir.network import Network

    shape = network.graph.input.shape
    nodes = (
        network.graph.input,
        g.MaxPool(name="cell0/pool", inputs=("input",), shape=shape),
        g.Add(name="cell0/node2", inputs=("input", "cell0/pool"), shape=shape),
    )
    formats = {"input": network.formats["input"], "cell0/pool": network.formats["input"]}
    formats["cell0/node2"] = network.formats["cell0/node2"]
    return Network(g.Graph(nodes), formats, {})


@pytest.fixture(scope="module")
def deep_plan(deep_network):
    from hw.dataflow.flow import deadlock

    depths = deadlock.depths(deep_network.graph, {"cell0/pool": 32})
    assert depths["cell0/node2"][0] > 2
    layers = {"cell0/pool": LayerPlan("pool", 1, 32)}
    return Plan(deep_network.digest, "ulx3s-85f", 50.0, layers, depths)


# --- weights loaded at run time

LOADED = TEXT.replace(
    "weights: block}", "weights: block, load: {words: 9, scale: [-8, 2], bias: 7}}"
)


def test_room_for_loaded_weights():
    plan = plan_file.loads(LOADED, "plan.yaml")
    assert plan.layers["stem/conv"].load == LoadPlan(9, (-8, 2), 7)
    assert plan.loadable and not PLAN.loadable
    assert plan_file.loads(plan_file.dumps(plan), "again") == plan
    assert from_dict(as_dict(plan)) == plan
    assert plan.digest != PLAN.digest


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weights: block", "weights: logic", "weights: loadable weights need a memory; use lutram"),
        (", load: {words: 9, scale: [-8, 2], bias: 7}", "", None),
        ("words: 9, ", "", "load: words: missing"),
        ("words: 9", "words: 0", "load: words: expected an integer of at least 1"),
        ("bias: 7", "bits: 7", "load: bits: unknown field"),
        ("bias: 7", "bias: 999", "load: bias: expected up to 128 bits, found 999"),
        ("[-8, 2]", "[3, 2]", "load: scale: expected rising exponents up to 64, found 3 and 2"),
        ("[-8, 2]", "3", "load: scale: expected two exponents"),
        ("pool, store: 128", "pool, store: 128, load: {words: 1}", "load: a pool has none"),
    ],
)
def test_room_that_makes_no_sense(old, new, message):
    text = LOADED.replace(old, new)
    assert text != LOADED
    if message is None:
        assert not plan_file.loads(text, "plan.yaml").loadable
        return
    with pytest.raises(InputError) as caught:
        plan_file.loads(text, "plan.yaml")
    assert message in str(caught.value)


def test_lutram_is_for_loadable_layers():
    text = TEXT.replace("weights: block", "weights: lutram")
    with pytest.raises(InputError, match=r"weights: lutram is for loadable layers, .*; use logic"):
        plan_file.loads(text, "plan.yaml")


def test_room_that_does_not_fit_the_network(network, plan):
    def given(**loads):
        layers = {
            name: replace(layer, weights="block", load=loads.get(name.partition("/")[0]))
            for name, layer in plan.layers.items()
        }
        return replace(plan, layers=layers)

    room = LoadPlan(64, (-4, 0), 12)
    fits = {"stem": room, "cell0": room, "classifier": LoadPlan(6, None, 9)}
    check(given(**fits), network)
    for change, message in (
        ({"stem": None}, "stem/conv: load: give it to all weighted layers or to none"),
        ({"stem": LoadPlan(1, (-4, 0), 9)}, "load: words: expected 2 or more, one for each group"),
        ({"stem": LoadPlan(64, None, 12)}, "stem/conv: load: scale: missing"),
        ({"stem": LoadPlan(18, (-4, 0), 12)}, "stem/conv: words: .* holds 18"),
        ({"classifier": room}, "classifier: load: scale: a layer without batch norm has none"),
        ({"classifier": LoadPlan(6)}, "classifier: load: bias: missing"),
    ):
        with pytest.raises(InputError, match=message):
            check(given(**{**fits, **change}), network)
