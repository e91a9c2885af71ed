"""What somebody has changed in an RTL folder since it was emitted."""

import hashlib
import re
from dataclasses import dataclass

from hw.ir.network import Network
from hw.verilog import emit, licence
from hw.verilog.modules import modules
from hw.verilog.rtl_folder import Emission

_COMMENT = re.compile(r"//.*$", re.M)


@dataclass(frozen=True)
class Edit:
    """One edited file.

    Parameters
    ----------
    file: its name in the folder
    modules: of it that differ, were added or are gone; None: not known, as the version that emitted
    it is not at hand, or the file is no Verilog
    """

    file: str
    modules: tuple[str, ...] | None

    def __str__(self) -> str:
        if self.modules is None:
            return f"{self.file}: edited"
        named = ", ".join(self.modules) or "none, comments or blanks only"
        return f"{self.file}: edited; modules that differ: {named}"


def edited_files(emission: Emission) -> list[str]:
    """Names of the files that are not what the manifest says."""
    listed = emission.manifest["files"]
    return [
        name
        for name, content in emission.files.items()
        if hashlib.sha256(content.encode()).hexdigest() != listed[name]["sha256"]
    ]


def edits(emission: Emission, original: Emission | None) -> list[Edit]:
    """What was edited in each file.

    Parameters
    ----------
    original: the same network and plan emitted anew; the same version gives the same bytes
    """
    known = original is not None and original.digest == emission.digest
    found = []
    for name in edited_files(emission):
        modules = None
        if known and original is not None and name == emission.verilog_name:
            modules = tuple(differing(original.verilog, emission.verilog))
        found.append(Edit(name, modules))
    return found


def against(network: Network, emission: Emission) -> list[str]:
    """What was edited in the RTL of a network since it was emitted, a line a file."""
    manifest = emission.manifest
    if not edited_files(emission):
        return []
    original = None
    if manifest["network_digest"] == network.digest:
        licensed = manifest.get("licence", licence.DEFAULT)
        original = emit.emit(
            emit.design_in(network, emission), manifest["rom"], emission.top, licensed
        )
    return [str(edit) for edit in edits(emission, original)]


def differing(before: str, after: str) -> list[str]:
    """Modules of two texts that are not the same, comments and blanks aside, in their order."""
    one, two = bodies(before), bodies(after)
    return [name for name in one | two if one.get(name) != two.get(name)]


def bodies(text: str) -> dict[str, str]:
    """Each module's text by its name, without comments, with single blanks."""
    return {
        module.name: " ".join(_COMMENT.sub("", module.text).split()) for module in modules(text)
    }
