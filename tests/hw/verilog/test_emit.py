import dataclasses
import json
import re

import pytest

from hw.dataflow.design.design import design
from hw.errors import InputError
from hw.verilog import emit, rtl_folder


@pytest.fixture(scope="module")
def emission(network, plan):
    return emit.emit(design(network, plan))


@pytest.fixture
def folder(emission, tmp_path):
    rtl_folder.write(emission, tmp_path)
    return tmp_path


def test_twice_the_same_bytes(emission, network, plan):
    again = emit.emit(design(network, plan))
    assert again.files == emission.files
    assert rtl_folder.dump(again.manifest) == rtl_folder.dump(emission.manifest)


def test_manifest_ports_are_those_of_the_verilog(emission):
    ports = {port["name"]: port for port in emission.manifest["ports"]}
    header = re.search(rf"^module {emit.TOP}\(\n(.*?)\n\);", emission.verilog, re.M | re.S)[1]
    expected = []
    for name, port in ports.items():
        bits = f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
        expected.append(f"  {port['direction']}put {bits}{name}")
    assert header.split(",\n") == expected


def test_manifest_layers(emission, network):
    manifest = emission.manifest
    assert [layer["name"] for layer in manifest["layers"]] == [
        "stem/conv",
        "cell0/edge0/pw",
        "cell0/node2",
        "global_pool",
        "classifier",
    ]
    assert manifest["layers"][0] == {
        "name": "stem/conv",
        "path": "stem.conv",
        "kind": "Conv",
        "operation": "Conv 3x3, stride 1x1, padding 1x1, dilation 1x1, groups 1, batch norm",
        "attributes": {
            "kernel": [3, 3],
            "stride": [1, 1],
            "padding": [1, 1],
            "dilation": [1, 1],
            "groups": 1,
            "relu_in": False,
            "batch_norm": True,
        },
        "inputs": ["input"],
        "input_formats": [{"shape": [4, 4, 2], "width": 8, "signed": False, "frac": 8}],
        "shape": [4, 4, 2],
        "width": 8,
        "signed": True,
        "frac": 5,
        "beats_per_frame": 32,
        "plan": {"element": "barrel", "pe": 1, "store": 64, "weights": "logic"},
    }
    assert manifest["layers"][2]["plan"] == {"fifos": [32, 32]}
    assert manifest["layers"][2]["inputs"] == ["stem/conv", "cell0/edge0/pw"]
    assert "plan" not in manifest["layers"][3]
    assert manifest["output"]["count"] == 3
    assert manifest["output"] == {
        key: manifest["layers"][-1][key] for key in ("width", "signed", "frac")
    } | {"count": 3}
    assert manifest["input_shape"] == [4, 4, 2]
    assert 32 <= manifest["cycles_per_frame"] <= manifest["latency_cycles"]
    assert manifest["network_digest"] == network.digest


def test_header_says_what_the_file_is(emission, network, plan):
    header, _, _ = emission.verilog.partition("\nmodule ")
    manifest = emission.manifest
    lines = header.splitlines()
    assert all(line.startswith("//") and len(line) <= 100 for line in lines if line)
    assert lines[0] == "// SPDX-License-Identifier: MIT-0 AND LicenseRef-network-owner"
    for fact in (
        network.digest, plan.digest, "ulx3s-85f at 50 MHz", "4 x 4 x 2", "= 32 beats", "s11.8",
        f"{manifest['cycles_per_frame']:,} cycles", "pyosys", "cell0.edge0.pw  Conv 1x1 to",
    ):  # fmt: skip
        assert fact in header, fact
    for port in manifest["ports"]:
        assert f"//   {port['name']} " in header


def test_buffers_below_full_speed_are_told_instead_of_figures(emission, network, plan):
    """Depth and figures side by side in the manifest, and the head promises nothing."""
    assert emission.manifest["short_buffers"] == []
    assert "full speed a frame takes" in emission.verilog
    join = "cell0/node2"
    (entry,) = [one for one in emission.manifest["fifos"][join] if one["throughput"] > 2][:1]
    position = emission.manifest["fifos"][join].index(entry)
    depths = list(plan.fifos[join])
    depths[position] = entry["throughput"] - 1
    other = dataclasses.replace(plan, fifos={**plan.fifos, join: tuple(depths)})
    slow = emit.emit(design(network, other))
    field = f"fifos: {join}: input {position}"
    assert slow.manifest["short_buffers"] == [
        {"field": field, "depth": depths[position], "throughput": entry["throughput"]}
    ]
    head = " ".join(slow.verilog.partition("\nmodule ")[0].replace("\n//", "").split())
    assert "full speed a frame takes" not in head
    assert f"({field}: {depths[position]} beats for {entry['throughput']})" in head
    assert f"{slow.manifest['cycles_per_frame']:,} cycles or more" in head


_REGISTER = re.compile(r"^  (?:output )?reg (?:signed )?(?:\[\d+:0\] )?(\S+) = (\S+?)[,;]?$", re.M)


def test_reset_sets_what_the_header_says(emission):
    """Every register with a value in its declaration has it again after one cycle of reset."""
    registers = _REGISTER.findall(emission.verilog)
    resets = re.findall(
        r"if \(rst\) begin\n      (\S+) <= (\S+);\n    end\n  end\n", emission.verilog
    )
    assert sorted(resets) == sorted(registers) and len(registers) > 60
    others = re.findall(r"^  reg (?:signed )?(?:\[\d+:0\] )?(\w+);$", emission.verilog, re.M)
    assert others and all(name.endswith("_q") for name in others)


@pytest.mark.parametrize("expression", ["", "MIT or X", "MIT AND", "a b", "(MIT", "MIT\nX", "//"])
def test_what_is_no_licence(network, plan, expression):
    with pytest.raises(
        InputError, match=r"^licence: .* is no SPDX expression, such as Apache-2\.0"
    ):
        emit.emit(design(network, plan), licensed=expression)


def test_layers_say_what_they_are(emission):
    for layer in emission.manifest["layers"]:
        first = note_of(emission, layer["path"]).splitlines()[0]
        assert f"// {layer['name']}: {layer['operation']}".startswith(first)
    assert "//   reads input 4x4x2 u8.8\n//   makes 4x4x2 s8.5, 32 beats" in note_of(
        emission, "stem.conv"
    )


def note_of(emission, path):
    start = emission.verilog.index(f"\nmodule \\{emit.TOP}.{path} (")
    return emission.verilog[:start].rpartition("\n\n")[2]


def test_every_layer_is_a_module_with_its_stream(emission):
    for layer in emission.manifest["layers"]:
        start = emission.verilog.index(f"\nmodule \\{emit.TOP}.{layer['path']} (")
        module = emission.verilog[start : emission.verilog.index("endmodule", start)]
        for signal in ("o__valid", "o__ready", "o__payload"):
            declaration = (
                rf"^  (?:(?:in|out)put )?(?:wire |reg )?(signed )?(\[\d+:0\] )?{signal}[ ;,\n]"
            )
            declared = re.findall(declaration, module, re.M)
            assert len(declared) == 1, (layer["name"], signal)
        assert declared == [("signed ", f"[{layer['width'] - 1}:0] ")]


def body(emission):
    return emission.verilog.partition("\nmodule ")[2]


def test_digest_moves_with_network_and_plan(emission, network, plan):
    quicker = emit.emit(design(network, dataclasses.replace(plan, clock_mhz=60.0)))
    assert quicker.verilog != emission.verilog
    assert body(quicker) == body(emission)
    assert quicker.digest != emission.digest


def test_plan_of_another_network_is_refused(network, plan):
    with pytest.raises(InputError, match="plan: network: is for the network 0000"):
        emit.emit(design(network, dataclasses.replace(plan, network="0" * 64)))


def test_read_back(folder, emission):
    again = rtl_folder.read(folder)
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
        rtl_folder.read(folder)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_newer_manifest_is_refused(folder):
    spoil(
        folder, "manifest.json", lambda text: json.dumps(json.loads(text) | {"schema_version": 99})
    )
    with pytest.raises(InputError, match="schema_version: 99 is newer than 1"):
        rtl_folder.read(folder)


@pytest.mark.parametrize("name", ["manifest.json", "shiftnas_top.v"])
def test_missing_files_are_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=name):
        rtl_folder.read(folder)


@pytest.fixture(scope="module")
def with_files(network, plan):
    return emit.emit(design(network, plan), "hex")


def test_rom_contents_in_files(emission, with_files):
    """The files hold exactly what the Verilog had inline."""
    inline = {}
    modules = re.compile(r"^module (\S+) ?\((.*?)^endmodule", re.M | re.S)
    for module, body in modules.findall(emission.verilog):
        for memory, address, word in re.findall(
            r"^    (\S+?) ?\[(\d+)\] = \d+'h([0-9a-f]+);", body, re.M
        ):
            name = f"{module}.{memory.removeprefix(chr(92))}.hex".removeprefix(chr(92))
            inline.setdefault(name, []).append(word)
            assert len(inline[name]) == int(address) + 1
    found = {name: text.split() for name, text in with_files.files.items() if name.endswith(".hex")}
    assert len(inline) >= 6
    assert found == inline
    assert "initial begin\n" not in with_files.verilog


def test_verilog_reads_each_file_whole(with_files):
    folder = r"\{`shiftnas_top_ROM_FOLDER, "
    read = rf'\$readmemh\({folder}"(.*?)"}}, \S+ ?, 0, (\d+)\);'
    reads = re.findall(read, with_files.verilog)
    assert {name: int(last) + 1 for name, last in reads} == {
        name: len(text.split()) for name, text in with_files.files.items() if name.endswith(".hex")
    }
    assert f"{len(reads)} .hex files" in with_files.verilog
    looked_for = re.findall(rf'\$fopen\({folder}"(.*?)"}}, "r"\);', with_files.verilog)
    assert looked_for == [name for name, _ in reads]
    assert with_files.verilog.count('`define shiftnas_top_ROM_FOLDER "./"') == 1


def test_digest_covers_the_files(with_files, emission, tmp_path):
    assert with_files.manifest["rom"] == "hex"
    assert set(with_files.manifest["files"]) == set(with_files.files)
    assert with_files.digest != emission.digest
    rtl_folder.write(with_files, tmp_path)
    assert rtl_folder.read(tmp_path).files == with_files.files
    name = "shiftnas_top.stem.conv.window.program.hex"
    spoil(tmp_path, name, lambda text: text.replace("1", "2", 1))
    with pytest.raises(InputError, match=f"{name}: changed since"):
        rtl_folder.read(tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda text: "\n".join(text.split()[:2]), r"2 of \d+ words"),
        (lambda text: "", r"0 of \d+ words"),
        (lambda text: text + "0\n", r"(\d+) of \d+ words"),
        (
            lambda text: text.replace(text.split()[1], "garbage", 1),
            "word 1: expected hexadecimal d",
        ),
    ],
)
def test_edited_roms_that_are_not_whole_are_named(with_files, tmp_path, change, message):
    """A file that is whole passes, comments in it too."""
    rtl_folder.write(with_files, tmp_path)
    name = "shiftnas_top.stem.conv.window.program.hex"
    spoil(tmp_path, name, lambda text: f"// ours\n{text}")
    assert rtl_folder.read(tmp_path, allow_edited=True).manifest == with_files.manifest
    (tmp_path / name).write_text(change(with_files.files[name]))
    with pytest.raises(InputError, match=f"{name}: {message}"):
        rtl_folder.read(tmp_path, allow_edited=True)


def test_another_name_is_the_prefix_of_everything(network, plan, with_files):
    other = emit.emit(design(network, plan), "hex", name="net_b")
    assert (other.top, other.verilog_name) == ("net_b", "net_b.v")
    assert {name.replace("net_b", emit.TOP, 1) for name in other.files} == set(with_files.files)
    modules = re.findall(r"^module \\?(\S+?) ?\(", other.verilog, re.M)
    assert modules[0] == "net_b" and all(name.startswith("net_b.") for name in modules[1:])
    for name, text in other.files.items():
        assert emit.TOP not in text, name
        assert text.replace("net_b", emit.TOP) == with_files.files[
            name.replace("net_b", emit.TOP)
        ] or name.endswith(".v")
    assert emit.TOP not in rtl_folder.dump(other.manifest)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("module", "name: 'module' is a reserved word of SystemVerilog; choose another"),
        ("logic", "name: 'logic' is a reserved word"),
        ("2nd", "name: '2nd' is no name of a module: letters, digits and _, no digit first"),
        ("a.b", "name: 'a.b' is no name"),
        ("a b", "name: 'a b' is no name"),
        ("größe", "name: 'größe' is no name"),
        ("a\n", "name: 'a\\\\n' is no name"),
        ("", "name: '' is no name"),
        ("a" * 65, "name: 65 characters; at most 64"),
    ],
)
def test_names_that_no_module_can_have(network, plan, name, message):
    with pytest.raises(InputError, match=f"^{message}"):
        emit.emit(design(network, plan), name=name)


def test_unknown_place_for_roms_is_refused(network, plan):
    with pytest.raises(InputError, match="rom: expected one of inline, hex, found 'ram'"):
        emit.emit(design(network, plan), "ram")
