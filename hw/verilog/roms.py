"""ROM contents out of the Verilog, into `$readmemh` files beside it."""

import re
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


def extract(module: str, text: str) -> tuple[str, dict[str, str]]:
    """A module's text with `$readmemh` for each memory, and the files by name.

    A file is called after the module and the memory and has a word a line, address 0 first. Tools
    look for it in the directory they run in. Memories that begin with one value in all words stay
    as they are: a loop says that already.
    """
    files = {}

    def replace(match: re.Match[str]) -> str:
        memory = match[2]
        words = _WORD.findall(match[1])
        # Yosys leaves out words of don't cares; such a memory stays inline.
        if [int(address) for address, _, _ in words] != list(range(len(words))):
            return match[0]
        name = f"{module}.{memory.strip().removeprefix(chr(92))}{SUFFIX}"
        files[name] = "".join(f"{word}\n" for _, _, word in words)
        return f'  initial $readmemh("{name}", {memory}, 0, {len(words) - 1});\n'

    return _CONTENTS.sub(replace, text), files
