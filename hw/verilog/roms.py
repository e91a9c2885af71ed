"""ROM contents out of the Verilog, into `$readmemh` files beside it."""

import re
from collections.abc import Mapping
from enum import StrEnum


class Rom(StrEnum):
    """Where the contents of ROMs stand: in the Verilog, or in `$readmemh` files beside it."""

    INLINE = "inline"
    HEX = "hex"


SUFFIX = ".hex"

_CONTENTS = re.compile(
    r"  initial begin\n((?:    (\\\S+ |\w+)\[\d+\] = \d+'h[0-9a-f]+;\n)+)  end\n"
)
_WORD = re.compile(r"\[(\d+)\] = (\d+)'h([0-9a-f]+);")

_READ = """\
`ifndef SYNTHESIS
  initial begin : {block}
    integer file;
    file = $fopen({path}, "r");
    if (file == 0) begin
      $display("%m: %0s: no such file; set {macro}", {path});
`ifdef __ICARUS__
      $finish_and_return(1);
`elsif VERILATOR
      $fatal(1);
`else
      $finish;
`endif
    end else $fclose(file);
  end
`endif
  initial $readmemh({path}, {memory}, 0, {last});
"""
"""A file that is missing ends the simulation: `$readmemh` alone goes on, in Icarus, and a network
without weights hangs."""

_FOLDER = """\
// Where the {suffix} files lie, with a / at the end; ./ is the directory that the tool runs in.
`ifndef {macro}
`define {macro} "./"
`endif
"""


def folder_macro(top: str) -> str:
    """Name of the macro with the folder of the files, of the network whose top module is `top`."""
    return f"{top}_ROM_FOLDER"


def folder(top: str) -> str:
    """Verilog that defines the macro where the tool's call does not."""
    return _FOLDER.format(macro=folder_macro(top), suffix=SUFFIX)


_LOADED = re.compile(rf'\$readmemh\(\{{`\w+, "([^"]+{re.escape(SUFFIX)})"\}}, .+, 0, (\d+)\);')
"""A file that a memory is read from, and the last address."""

_SKIPPED = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_DIGITS = re.compile(r"[0-9a-fA-FxXzZ_]+")


def problem(verilog: str, files: Mapping[str, str]) -> str:
    """Why files cannot be the contents of a Verilog text's ROMs: the first one by name; or "".

    Simulators go on with what they find: a file that is cut short hangs the network far away.
    """
    for name, last in _LOADED.findall(verilog):
        if name not in files:
            return f"{name}: the Verilog reads it, and the manifest does not list it"
        words = _SKIPPED.sub(" ", files[name]).split()
        for number, word in enumerate(words):
            if not _DIGITS.fullmatch(word) and not word.startswith("@"):
                return f"{name}: word {number}: expected hexadecimal digits, found {word[:20]!r}"
        if not any(word.startswith("@") for word in words) and len(words) != int(last) + 1:
            return f"{name}: {len(words)} of {int(last) + 1} words"
    return ""


def extract(module: str, text: str) -> tuple[str, dict[str, str]]:
    """A module's text with `$readmemh` for each memory, and the files by name.

    A file is called after the module and the memory and has a word a line, address 0 first. Tools
    look for it in the directory they run in, or where the macro says (`folder_macro`). Memories
    that begin with one value in all words stay as they are: a loop says that already.
    """
    files = {}
    macro = folder_macro(module.partition(".")[0])

    def replace(match: re.Match[str]) -> str:
        memory = match[2]
        words = _WORD.findall(match[1])
        # Yosys leaves out words of don't cares; such a memory stays inline.
        if [int(address) for address, _, _ in words] != list(range(len(words))):
            return match[0]
        plain = memory.strip().removeprefix(chr(92))
        name = f"{module}.{plain}{SUFFIX}"
        files[name] = "".join(f"{word}\n" for _, _, word in words)
        return _READ.format(
            block=f"{plain}_file",
            path=f'{{`{macro}, "{name}"}}',
            macro=macro,
            memory=memory,
            last=len(words) - 1,
        )

    return _CONTENTS.sub(replace, text), files
