"""What was edited in an RTL folder: named by file and module, refused unless it is asked for."""

import pytest

from hw.dataflow.design.design import design
from hw.errors import InputError
from hw.verilog import edits, emit, rtl_folder


def edited(folder, change):
    path = folder / "shiftnas_top.v"
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))
    return rtl_folder.read(folder, allow_edited=True)


@pytest.fixture(scope="module")
def emission(network, plan):
    return emit.emit(design(network, plan))


@pytest.fixture
def folder(emission, tmp_path):
    rtl_folder.write(emission, tmp_path)
    return tmp_path


def test_edited_files_are_read_only_where_that_is_allowed(emission, folder):
    assert edits.edits(rtl_folder.read(folder, allow_edited=True), emission) == []
    found = edited(folder, lambda text: text.replace("  assign take = ", "  assign  take = ", 1))
    assert edits.edited_files(found) == ["shiftnas_top.v"]
    with pytest.raises(InputError, match=r"shiftnas_top\.v: changed since it was emitted"):
        rtl_folder.read(folder)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match=r"manifest\.json: schema_version: missing"):
        rtl_folder.read(folder, allow_edited=True)


def test_modules_that_differ_are_named(emission, folder):
    found = edited(folder, lambda text: text.replace(" <= 1'h1;", " <= 1'h0;", 1))
    (edit,) = edits.edits(found, emission)
    assert edit.modules is not None and len(edit.modules) == 1
    first = emission.verilog.index(" <= 1'h1;")
    module = emission.verilog[:first].rpartition("\nmodule ")[2].split()[0].removeprefix("\\")
    assert edit.modules == (module,)
    assert str(edit) == f"shiftnas_top.v: edited; modules that differ: {module}"
    (unknown,) = edits.edits(found, None)
    assert str(unknown) == "shiftnas_top.v: edited"


def test_comments_and_blanks_are_no_difference(emission):
    text = emission.verilog.replace(";\n", "; // note\n\n")
    assert edits.differing(emission.verilog, text) == []
    gone = emission.verilog.replace("module shiftnas_top(", "module other(")
    assert edits.differing(emission.verilog, gone) == ["shiftnas_top", "other"]
