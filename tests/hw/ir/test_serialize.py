import dataclasses
import io
import json
import re
import zipfile
from hashlib import sha256

import numpy as np
import pytest

from hw.errors import InputError
from hw.ir import serialize
from hw.ir.clip import Clip
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Graph,
    Input,
    Linear,
    MaxPool,
)
from hw.networks.random_network import random_network

SHAPE = (6, 6, 4)
GRAPH = Graph(
    (
        Input(name="input", inputs=(), shape=(6, 6, 2)),
        Conv(name="stem/conv", inputs=("input",), shape=SHAPE, kernel=(3, 3), padding=(1, 1)),
        MaxPool(name="cell0/edge0/pool", inputs=("stem/conv",), shape=SHAPE),
        AvgPool(name="cell0/edge1/pool", inputs=("stem/conv",), shape=SHAPE),
        Add(name="cell0/node2", inputs=("cell0/edge0/pool", "cell0/edge1/pool"), shape=SHAPE),
        Concat(name="cell0/concat", inputs=("cell0/node2", "stem/conv"), shape=(6, 6, 8)),
        FactorizedReduce(name="cell1/preprocess0", inputs=("cell0/concat",), shape=(3, 3, 4)),
        GlobalPool(name="global_pool", inputs=("cell1/preprocess0",), shape=(1, 1, 4)),
        Linear(name="classifier", inputs=("global_pool",), shape=(1, 1, 3)),
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def network():
    return random_network(GRAPH, seed=1)


@pytest.fixture
def folder(network, tmp_path):
    serialize.save(network, tmp_path / "net")
    return tmp_path / "net"


def assert_same(left, right):
    for key in ("graph", "formats", "arithmetic", "meta"):
        assert getattr(left, key) == getattr(right, key)
    assert left.params.keys() == right.params.keys()
    for name, params in left.params.items():
        other = right.params[name]
        assert params.bias == other.bias
        for key in ("codes", "scale_sign", "scale_exp"):
            a, b = getattr(params, key), getattr(other, key)
            assert a.dtype == b.dtype and a.shape == b.shape and (a == b).all()


def refused(folder, pattern):
    """The one line that `load` refuses the folder with."""
    with pytest.raises(InputError) as error:
        serialize.load(folder)
    line = str(error.value)
    assert "\n" not in line
    assert re.search(pattern, line), line
    return line


def edit(folder, change):
    document = json.loads((folder / "network.json").read_text())
    change(document)
    (folder / "network.json").write_text(json.dumps(document))


def repack(folder, change):
    """Change the arrays and make the file's checksum fit."""
    with np.load(folder / "weights.npz") as archive:
        arrays = dict(archive)
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (folder / "weights.npz").write_bytes(buffer.getvalue())
    rehash(folder)


def rehash(folder):
    packed = (folder / "weights.npz").read_bytes()
    edit(folder, lambda d: d["weights"].update(sha256=sha256(packed).hexdigest()))


def test_round_trip(network, folder):
    found = serialize.load(folder)
    assert_same(found, network)
    assert found.digest == network.digest


@pytest.mark.parametrize("settings", [{"paper": True}, {"guard": 3, "scale_terms": 1}])
def test_round_trip_of_other_arithmetic(settings, tmp_path):
    network = random_network(GRAPH, seed=2, **settings)
    serialize.save(network, tmp_path)
    assert_same(serialize.load(tmp_path), network)


def test_a_folder_may_be_a_string(network, tmp_path):
    serialize.save(network, str(tmp_path / "net"))
    assert serialize.load(str(tmp_path / "net")).digest == network.digest


def test_biases_beyond_64_bits(network, tmp_path):
    params = network.params["stem/conv"]
    bias = (1 << 63, -(1 << 100), 0, -1)
    wide = {**network.params, "stem/conv": dataclasses.replace(params, bias=bias)}
    serialize.save(dataclasses.replace(network, params=wide), tmp_path)
    with np.load(tmp_path / "weights.npz") as archive:
        assert archive["stem/conv/bias"].shape == (4, 2)
    assert serialize.load(tmp_path).params["stem/conv"].bias == bias


def test_same_bytes_every_time(network, folder, tmp_path):
    serialize.save(serialize.load(folder), tmp_path / "again")
    for file in ("network.json", "weights.npz"):
        assert (tmp_path / "again" / file).read_bytes() == (folder / file).read_bytes()
    with zipfile.ZipFile(folder / "weights.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_digest_is_of_the_function_only(network):
    assert dataclasses.replace(network, meta={"data": "digits"}).digest == network.digest
    params = network.params["classifier"]
    bias = (params.bias[0] + 1, *params.bias[1:])
    other = {**network.params, "classifier": dataclasses.replace(params, bias=bias)}
    assert dataclasses.replace(network, params=other).digest != network.digest
    arithmetic = dataclasses.replace(network.arithmetic, guard=4)
    assert dataclasses.replace(network, arithmetic=arithmetic).digest != network.digest


def test_an_invalid_network_is_not_saved(network, tmp_path):
    with pytest.raises(InputError, match="formats: stem/conv"):
        broken = {k: v for k, v in network.formats.items() if k != "stem/conv"}
        serialize.save(dataclasses.replace(network, formats=broken), tmp_path / "net")
    assert not (tmp_path / "net").exists()


# --- damage -----------------------------------------------------------------------------------


def test_nothing_there(tmp_path):
    refused(tmp_path / "nowhere", r"nowhere/network\.json: No such file.*NETWORK folder")


@pytest.mark.parametrize("file", ["network.json", "weights.npz"])
def test_a_file_is_missing(folder, file):
    (folder / file).unlink()
    refused(folder, rf"{file}: No such file or directory; expected .*NETWORK folder")


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("file", ["network.json", "weights.npz"])
def test_a_file_is_cut(folder, file, share):
    data = (folder / file).read_bytes()
    (folder / file).write_bytes(data[: int(len(data) * share)])
    refused(folder, rf"^{re.escape(str(folder))}/{file}: (JSON|sha256): ")


def test_every_flipped_bit_of_the_weights_is_seen(folder):
    data = bytearray((folder / "weights.npz").read_bytes())
    for position in range(0, len(data), 37):
        data[position] ^= 1 << position % 8
        (folder / "weights.npz").write_bytes(data)
        refused(folder, r"weights\.npz: sha256")
        data[position] ^= 1 << position % 8


def test_a_flipped_bit_of_the_json_is_seen_or_harmless(network, folder):
    data = bytearray((folder / "network.json").read_bytes())
    seen = 0
    for position in range(0, len(data), 11):
        data[position] ^= 1 << position % 7
        (folder / "network.json").write_bytes(data)
        try:
            assert serialize.load(folder).digest == network.digest
        except InputError as error:
            seen += 1
            assert str(folder) in str(error) and "\n" not in str(error)
        data[position] ^= 1 << position % 7
    assert seen > 100


def test_weights_of_another_network(folder, tmp_path):
    serialize.save(random_network(GRAPH, seed=9), tmp_path / "other")
    (folder / "weights.npz").write_bytes((tmp_path / "other" / "weights.npz").read_bytes())
    refused(folder, r"weights\.npz: sha256: differs .* of another network")


def test_newer_version(folder):
    edit(folder, lambda d: d.update(schema_version=3, nonsense=1))
    refused(folder, r"schema_version: 3 is newer than 2.*update shiftnas")


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda d: d.pop("schema_version"), r"network\.json: schema_version: missing"),
        (lambda d: d.update(schema_version="1"), r"schema_version: expected an integer"),
        (lambda d: d.update(schema_version=0), r"schema_version: 0; expected 1"),
        (lambda d: d.pop("nodes"), r"nodes: missing"),
        (lambda d: d.update(nodes={}), r"nodes: expected a list"),
        (lambda d: d.update(extra=1), r"extra: unknown field"),
        (lambda d: d["nodes"][1].update(type="Conv3D"), r"nodes\[1\]: type: expected one of Input"),
        (lambda d: d["nodes"][1].pop("stride"), r"nodes\[1\]: stride: missing"),
        (lambda d: d["nodes"][1].update(pad=1), r"nodes\[1\]: pad: unknown field of a Conv"),
        (lambda d: d["nodes"][1].update(bias=1), r"nodes\[1\]: bias: 1; expected true or false"),
        (lambda d: d["nodes"][1].update(clip="relu7"), r"clip: 'relu7'; expected relu or relu6"),
        (lambda d: d["formats"]["stem/conv"].update(limit=3.5), r"limit: 3.5; expected an integer"),
        (lambda d: d["nodes"][1].update(stride=[1]), r"stride: \[1\]; expected a list of 2"),
        (lambda d: d["nodes"][1].update(groups=True), r"groups: True; expected an integer"),
        (lambda d: d["nodes"][1].update(inputs="input"), r"inputs: 'input'; expected a list"),
        (lambda d: d["nodes"][1].update(shape=[5, 6, 4]), r"shape: \[5, 6, 4\]; its inputs make"),
        (lambda d: d["formats"]["input"].update(frac=7), r"formats: input: u8\.7"),
        (lambda d: d["formats"]["input"].update(frac=8.0), r"formats: input: frac: 8\.0; expected"),
        (lambda d: d["arithmetic"].update(guard="4"), r"arithmetic: guard: '4'; expected an int"),
        (lambda d: d["arithmetic"].update(rounding="up"), r"arithmetic: rounding: 'up'; expected"),
        (lambda d: d["formats"]["cell0/concat"].update(frac=9), r"digest: does not match"),
        (lambda d: d.update(digest=1), r"digest: expected a string"),
    ],
)
def test_edited_json(folder, change, pattern):
    edit(folder, change)
    refused(folder, pattern)


@pytest.mark.parametrize("text", ["[]", "{", '{"schema_version": NaN}', "[" * 100_000, "\xff"])
def test_not_our_json(folder, text):
    (folder / "network.json").write_bytes(text.encode("latin-1"))
    refused(folder, r"network\.json: JSON: ")


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda a: a.pop("classifier/bias"), r"weights\.npz: classifier/bias: missing"),
        (lambda a: a.update(x=np.zeros(1)), r"weights\.npz: x: unknown array"),
        (
            lambda a: a.update({"stem/conv/codes": a["stem/conv/codes"][:1]}),
            r"stem/conv/codes: uint8 of shape \[1, 2, 3, 3\]; expected uint8 of \[4, 2, 3, 3\]",
        ),
        (
            lambda a: a.update({"stem/conv/codes": a["stem/conv/codes"].astype(float)}),
            r"stem/conv/codes: <f8; expected the type \|u1",
        ),
        (
            lambda a: a.update({"stem/conv/bias": a["stem/conv/bias"].ravel()}),
            r"stem/conv/bias: shape",
        ),
        (
            lambda a: a.update({"other/" + k: a["classifier/" + k] for k in serialize.ARRAYS}),
            r"other/codes: belongs to no node",
        ),
        (
            lambda a: [a.pop("classifier/" + k) for k in serialize.ARRAYS],
            r"classifier/codes: is missing",
        ),
        (lambda a: a["stem/conv/codes"].fill(3), r"digest: does not match"),
    ],
)
def test_edited_weights(folder, change, pattern):
    repack(folder, change)
    refused(folder, pattern)


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06" + bytes(18), b"hello", b"\x80\x04N."])
def test_weights_that_are_no_archive(folder, data):
    (folder / "weights.npz").write_bytes(data)
    rehash(folder)
    refused(folder, r"weights\.npz: ")


def test_pickled_objects_are_refused(folder):
    repack(folder, lambda a: a.update({"classifier/bias": np.array([{}], object)}))
    refused(folder, r"weights\.npz: npz: cannot be read")


# What came with version 2 ----------------------------------------------------------------------

NEW = Graph(
    (
        Input(name="input", inputs=(), shape=(6, 6, 2)),
        Conv(name="a", inputs=("input",), shape=SHAPE, batch_norm=False, bias=True, clip=Clip.RELU),
        Conv(name="b", inputs=("a",), shape=SHAPE, kernel=(3, 3), padding=(1, 1), clip=Clip.RELU6),
        Add(name="sum", inputs=("a", "b"), shape=SHAPE, clip=Clip.RELU6),
        GlobalPool(name="global_pool", inputs=("sum",), shape=(1, 1, 4)),
        Linear(name="classifier", inputs=("global_pool",), shape=(1, 1, 3)),
    )
)


def test_clips_and_biases_go_round(tmp_path):
    network = random_network(NEW, seed=4)
    serialize.save(network, tmp_path)
    document = json.loads((tmp_path / "network.json").read_text())
    assert document["schema_version"] == 2
    assert_same(serialize.load(tmp_path), network)
    assert any(network.params["a"].bias)


def test_what_needs_nothing_new_is_of_version_1_with_its_old_digest(folder, network):
    document = json.loads((folder / "network.json").read_text())
    assert document["schema_version"] == 1
    assert not any({"clip", "bias"} & node.keys() for node in document["nodes"])
    # Of the commit before there was a second version.
    assert network.digest == "953ba0909859ca36125bc47c0ce5f1b6689638f13393d22751eb48badd88d958"
