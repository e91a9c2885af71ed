"""The Verilog, read back, is what Amaranth meant: proved by Yosys, register by register.

What Amaranth meant is its own RTLIL, with none of our choices of operands, assignments and cases.
"""

import pytest
from amaranth.back import rtlil

from hw.dataflow.design.design import design
from hw.dataflow.top import Top
from hw.verilog import convert, emit, yosys

pytestmark = pytest.mark.slow

SCRIPT = """
read_rtlil gold.il
hierarchy -top {top}
proc
flatten
memory -nomap
opt_clean
rename {top} gold
design -stash gold
read_verilog {files}
hierarchy -top {top}
proc
flatten
memory -nomap
opt_clean
rename {top} gate
design -stash gate
design -copy-from gold -as gold gold
design -copy-from gate -as gate gate
memory_map
opt_clean
equiv_make gold gate both
hierarchy -top both
opt -full both
equiv_simple -undef
equiv_induct -undef
equiv_status -assert
"""


@pytest.fixture(scope="module")
def meant(network, plan):
    """Amaranth's RTLIL of the network, with the names we give."""

    class Plain(rtlil.ModuleEmitter):
        """Amaranth's emitter as it is."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "_Emitter", Plain)
        return convert.to_rtlil(Top(design(network, plan)), emit.TOP).text


def compare(meant: str, files: dict[str, str], folder) -> None:
    (folder / "gold.il").write_text(meant)
    for name, text in files.items():
        (folder / name).write_text(text)
    yosys.run(SCRIPT.format(top=emit.TOP, files=f"{emit.TOP}.v"), folder)


def test_verilog_read_back_is_what_amaranth_meant(meant, network, plan, tmp_path):
    compare(meant, emit.emit(design(network, plan), "hex").files, tmp_path)


@pytest.mark.thorough
def test_another_choice_is_found(meant, network, plan, tmp_path):
    files = dict(emit.emit(design(network, plan)).files)
    text = files[f"{emit.TOP}.v"]
    wrong = text.replace(" == 2'h1 ? ", " == 2'h3 ? ", 1)
    assert wrong != text
    with pytest.raises(yosys.YosysError):
        compare(meant, files | {f"{emit.TOP}.v": wrong}, tmp_path)
