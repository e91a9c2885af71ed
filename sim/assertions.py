"""What an assertion of the emitted Verilog says that fails in a co-simulation."""

import re
from pathlib import Path

_FAILED = re.compile(r"%Error: \S+: Assertion failed in \S+: (?:'\w+': )?(?P<message>.*)")
_HARNESS = "cosim_harness."


def failure(log: Path) -> str | None:
    """The first assertion that failed, by the simulator's log: module, stream and rule."""
    if not log.is_file():
        return None
    match = _FAILED.search(log.read_text(encoding="utf-8", errors="replace"))
    return match and match["message"].removeprefix(_HARNESS)
