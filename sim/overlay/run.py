"""An overlay's model, and one run of it: what is written to files, run, and read back."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hw.errors import CheckFailed
from hw.overlay.hardware import Overlay
from sim import harness as shared
from sim import loading, runner, scoreboard
from sim.harness import STALL_PATTERNS
from sim.overlay import harness
from sim.overlay.controls import CONTROLS, REPORTS
from sim.overlay.harness import Harness
from sim.overlay.script import Script
from sim.runner import Build
from sim.simulation import counted

PATIENCE = 40_000
"""Cycles in which nothing moves and nothing is captured, after which it hangs."""

SLOWER = 12
"""Times as many cycles as without stalls that a stalled run may take."""

CASE, RESULT = "case.json", "result.json"


@dataclass(frozen=True)
class Moment:
    """When a run is cut off by a reset.

    Parameters
    ----------
    cycle: since the first program was let in, from which on something is held back, or the reset
        comes
    hold: 0: nothing; 1: logits; 2: programs and images; then the reset comes when no stream moves
    stalled: the streams pause in that run
    register: the reset is that of CONTROL, which leaves the registers' port as it is
    """

    cycle: int
    hold: int
    stalled: bool
    register: bool = False


@dataclass(frozen=True)
class Pauses:
    """When the streams pause.

    Parameters
    ----------
    first: number of the first frame from which on they do
    pattern: one of `STALL_PATTERNS`
    stall: chance of it, where it is one
    """

    first: int = 1 << 30
    pattern: str = "never"
    stall: float = 0.0


@dataclass(frozen=True)
class Cut:
    """What had been sent and taken when a reset came."""

    cycle: int
    program_sent: int
    image_sent: int
    logits_taken: int


@dataclass(frozen=True)
class Ran:
    """What a run has left.

    Parameters
    ----------
    folder: with the harness' logs
    stop, cycle, logits_taken, program_sent, image_sent, longest_idle, broken, unknown, finished,
        seconds: at its end
    """

    folder: Path
    stop: int
    cycle: int
    logits_taken: int
    program_sent: int
    image_sent: int
    longest_idle: int
    broken: int
    unknown: int
    finished: int
    seconds: float

    def batches(self, run: int) -> list[tuple[int, int]]:
        """Cycles of each batch of a run, and those beside that it waited for images."""
        lines = (self.folder / harness.BATCHES).read_text(encoding="utf-8").split("\n")
        found = [list(map(int, line.split())) for line in lines if line]
        return [(took, waited) for number, _, took, waited in found if number == run]

    def loaded(self, run: int) -> int:
        """Cycle of a run in which its first program could begin; 0: none did, or not known."""
        lines = (self.folder / harness.LOADS).read_text(encoding="utf-8").split("\n")
        found = [int(line.split()[1]) for line in lines if line and int(line.split()[0]) == run]
        return found[0] if found else 0

    @property
    def cycles_per_second(self) -> float:
        """Of the simulation, the runs that were cut off too."""
        return (self.cycle + sum(cut.cycle for cut in self.resets())) / self.seconds

    def resets(self) -> list[Cut]:
        """Of the runs that were cut off."""
        lines = (self.folder / harness.RESET_LOG).read_text(encoding="utf-8").split("\n")
        return [Cut(*map(int, line.split()[:4])) for line in lines if line]

    def ends(self) -> list[int]:
        """Cycles in which frames ended, in the last run."""
        return [int(x) for x in (self.folder / harness.SINK).read_text(encoding="utf-8").split()]

    def logits(self, overlay: Overlay, resets: int) -> list[list[tuple[int, int]]]:
        """(value, last) of each logit, of the runs that were cut off and of the last one."""
        names, bits = harness.LOGIT_FILES, harness.logit_width(overlay)
        words = -(-(bits + 1) // 32)
        counts = (self.folder / names["RUNS"]).read_text(encoding="utf-8").split()
        cut, last = (
            scoreboard.read_words(self.folder / names[name], words) for name in ("CUT", "FILE")
        )
        ends = np.cumsum([int(count) for count in counts], dtype=int)
        parts = [*np.split(cut, ends)[:resets], last]
        return [[_logit(beat, bits) for beat in part] for part in parts]


def _logit(words: np.ndarray, bits: int) -> tuple[int, int]:
    value = int.from_bytes(words.astype("<u4").tobytes(), "little")
    number = value & ((1 << bits) - 1)
    return number - (number >> (bits - 1) << bits), value >> bits & 1


@dataclass(frozen=True)
class Model:
    """A model of an overlay, ready to run any program.

    Parameters
    ----------
    built: the harness; model: the program
    """

    built: Harness
    model: runner.Model

    def run(
        self,
        script: Script,
        folder: Path,
        pauses: Pauses = Pauses(),
        moments: Sequence[Moment] = (),
        *,
        seed: int = 1,
        patience: int = PATIENCE,
        arguments: Sequence[str] = (),
    ) -> Ran:
        """Do what the script says, once for each reset and once more.

        Raises
        ------
        CheckFailed: the simulator did not come to its end
        """
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
        for name in (harness.SCRIPT_RESULT, harness.LOGIT_FILES["REPORT"], RESULT):
            (folder / name).unlink(missing_ok=True)
        script.write(folder)
        lines = [
            f"{one.cycle} {one.hold} {int(one.stalled)} {int(one.register)}\n" for one in moments
        ]
        (folder / harness.RESET_LIST).write_text("".join(lines), encoding="utf-8")
        case = {
            "stall_from": pauses.first,
            "pattern": STALL_PATTERNS.index(pauses.pattern),
            "stall": round(pauses.stall * 65536),
            "seed": seed % (1 << 32),
            "patience": patience,
            "most_cycles": min(SLOWER * script.cycles + patience, (1 << 31) - 1),
            "resets": len(moments),
            "expected": script.beats,
        }
        path = folder / CASE
        path.write_text(json.dumps(case), encoding="utf-8")
        environment = {"SHIFTNAS_CASE": str(path)}
        test = "sim.overlay.tb_overlay"
        runner.run(self.model, test, folder, seed=seed, env=environment, arguments=arguments)
        result: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        return Ran(folder, **result)


def build(
    overlay: Overlay,
    sources: Mapping[str, str],
    module: str,
    how: Build = Build(),
    *,
    inside: bool = True,
    rtl: Collection[str] = (),
) -> Model:
    """The model of an overlay, or the one in the cache.

    Parameters
    ----------
    sources: its Verilog, by file name; module: the top's name
    inside: its data memory is looked at, by the names of the parts
    rtl: names of the sources whose code coverage is counted, where `how` asks for it
    """
    built = harness.generate(overlay, module, inside=inside)
    texts = {
        **sources,
        "agents.sv": shared.AGENTS.read_text(encoding="utf-8"),
        "overlay_agents.sv": harness.AGENTS.read_text(encoding="utf-8"),
        "master.sv": loading.MASTER.read_text(encoding="utf-8"),
        "harness.sv": built.text,
    }
    if how.code_coverage:
        texts["counted.vlt"] = counted(texts, rtl)
    try:
        model = runner.build(texts, harness.TOP, how, public=CONTROLS, visible=REPORTS)
    except CheckFailed as error:
        raise CheckFailed(f"cosim: {error}") from None
    return Model(built, model)
