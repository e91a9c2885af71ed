import dataclasses
import json
import re

import pytest

from hw import emit
from hw.errors import InputError


@pytest.fixture(scope="module")
def emission(network, plan):
    return emit.emit(network, plan)


@pytest.fixture
def folder(emission, tmp_path):
    emit.write(emission, tmp_path)
    return tmp_path


def test_twice_the_same_bytes(emission, network, plan):
    again = emit.emit(network, plan)
    assert again.files == emission.files
    assert emit.dump(again.manifest) == emit.dump(emission.manifest)


def test_manifest_ports_are_those_of_the_verilog(emission):
    ports = {port["name"]: port for port in emission.manifest["ports"]}
    header = re.search(rf"^module {emit.TOP}\((.*?)\);", emission.verilog, re.M)[1]
    assert set(header.split(", ")) == set(ports)
    top = emission.verilog.split("endmodule")[0]
    for name, port in ports.items():
        bits = f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
        assert f"  {port['direction']}put {bits}{name};" in top


def test_manifest_layers(emission, network):
    manifest = emission.manifest
    assert [layer["name"] for layer in manifest["layers"]] == [
        "stem/conv", "cell0/edge0/pw", "cell0/node2", "global_pool", "classifier",
    ]
    assert manifest["layers"][1] == {
        "name": "cell0/edge0/pw", "path": "cell0.edge0.pw", "kind": "Conv", "shape": [4, 4, 2],
        "width": 8, "signed": True, "frac": 5, "beats_per_frame": 32,
    }
    assert manifest["output"]["count"] == 3
    assert manifest["output"] == {
        key: manifest["layers"][-1][key] for key in ("width", "signed", "frac")
    } | {"count": 3}
    assert manifest["input_shape"] == [4, 4, 2]
    assert 32 <= manifest["cycles_per_frame"] <= manifest["latency_cycles"]
    assert manifest["network_digest"] == network.digest


def test_every_layer_is_a_module_with_its_stream(emission):
    for layer in emission.manifest["layers"]:
        start = emission.verilog.index(f"\nmodule \\{emit.TOP}.{layer['path']} (")
        module = emission.verilog[start : emission.verilog.index("endmodule", start)]
        for signal in ("o__valid", "o__ready", "o__payload"):
            declaration = rf"^  (?:wire|reg) (signed )?(\[\d+:0\] )?{signal}[ ;]"
            declared = re.findall(declaration, module, re.M)
            assert len(declared) == 1, (layer["name"], signal)
        assert declared == [("signed ", f"[{layer['width'] - 1}:0] ")]


def test_digest_moves_with_network_and_plan(emission, network, plan):
    quicker = emit.emit(network, dataclasses.replace(plan, clock_mhz=60.0))
    assert quicker.verilog == emission.verilog
    assert quicker.digest != emission.digest


def test_plan_of_another_network_is_refused(network, plan):
    with pytest.raises(InputError, match="plan: network: is for the network 0000"):
        emit.emit(network, dataclasses.replace(plan, network="0" * 64))


def test_read_back(folder, emission):
    again = emit.read(folder)
    assert (again.files, again.manifest) == (emission.files, emission.manifest)


def spoil(folder, name, change):
    path = folder / name
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize(
    "name, change, message",
    [
        ("manifest.json", lambda text: text[: len(text) // 2], "cannot be read"),
        ("manifest.json", lambda text: "[]", "schema_version: missing"),
        ("manifest.json", lambda text: text.replace('"frac": 5', '"frac": 6', 1), "digest:"),
        ("shiftnas_top.v", lambda text: text.replace("+", "-", 1), "changed since"),
    ],
)
def test_spoilt_folders_give_one_line(folder, name, change, message):
    spoil(folder, name, change)
    with pytest.raises(InputError, match=message) as raised:
        emit.read(folder)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_newer_manifest_is_refused(folder):
    spoil(folder, "manifest.json",
          lambda text: json.dumps(json.loads(text) | {"schema_version": 99}))
    with pytest.raises(InputError, match="schema_version: 99 is newer than 1"):
        emit.read(folder)


@pytest.mark.parametrize("name", ["manifest.json", "shiftnas_top.v"])
def test_missing_files_are_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=name):
        emit.read(folder)
