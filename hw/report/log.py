"""A run's log.jsonl: one JSON object an epoch, every line checked."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

from hw import documents
from hw.errors import InputError
from hw.networks.space import nodes_of

NUMBERS = (
    "lr",
    "loss",
    "accuracy",
    "seconds",
    "memory_mib",
    "temperature",
    "held_out_loss",
    "held_out_accuracy",
    "validation_accuracy",
    "validation_loss",
    "top5_accuracy",
    "validation_top5_accuracy",
)
"""Fields that are numbers, or null, where a line has them."""

OPERATION_SEARCH = "operation"
"""Stage of the operation search, in every log of a strategy that has one."""

MEND = "damaged or cut short; go on with the run (--resume), which writes the log anew"


@dataclass(frozen=True)
class Stage:
    """Consecutive epochs of one stage. Epochs are counted over the whole log, from 1.

    Parameters
    ----------
    name: "operation", "topology", "train", …
    first, last: its epochs in the log
    planned: epochs it has when it is finished
    warmup: how many of its first epochs train the weights alone
    """

    name: str
    first: int
    last: int
    planned: int
    warmup: int

    @property
    def epochs(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True)
class Log:
    """The records of a log.jsonl, in order."""

    records: Sequence[Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def epochs(self) -> list[int]:
        return list(range(1, len(self.records) + 1))

    def has(self, key: str) -> bool:
        return any(not math.isnan(value) for value in self.values(key))

    def values(self, key: str, factor: float = 1.0) -> list[float]:
        """One value an epoch, times `factor`; NaN where there is none or it is not finite."""
        return [_finite(record.get(key)) * factor for record in self.records]

    def last(self, key: str) -> float | None:
        """The newest value, or None where no line has one."""
        known = [value for value in self.values(key) if not math.isnan(value)]
        return known[-1] if known else None

    @cached_property
    def stages(self) -> list[Stage]:
        found: list[Stage] = []
        start = 0
        for end in range(1, len(self.records) + 1):
            if (
                end < len(self.records)
                and self.records[end]["stage"] == self.records[start]["stage"]
            ):
                continue
            part = self.records[start:end]
            warmup = sum(map(is_warmup, part))
            planned = max(int(part[-1].get("epochs") or 0), len(part))
            found.append(Stage(str(part[0]["stage"]), start + 1, end, planned, warmup))
            start = end
        return found


def read(path: Path) -> Log:
    """The log in `path`.

    Raises
    ------
    InputError: naming the file and the line that is missing, damaged or not as it should be
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give the folder of a run") from error
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            record = documents.load_json(line)
            if not isinstance(record, dict):
                raise ValueError("expected one JSON object a line")
            _check(record, records[-1] if records else None)
        except ValueError as error:
            damaged = isinstance(error, json.JSONDecodeError)
            reason = "expected one JSON object a line" if damaged else str(error)
            raise InputError(f"{path}: line {number}: {reason}; {MEND}") from error
        records.append(record)
    return Log(records)


def _check(record: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
    """ValueError, naming the field, where a record cannot be drawn."""
    stage, epoch = record.get("stage"), record.get("epoch")
    if not isinstance(stage, str) or not stage:
        raise ValueError("stage: expected the name of a stage")
    if not _is_int(epoch):
        raise ValueError("epoch: expected a whole number")
    wanted = before["epoch"] + 1 if before is not None and before["stage"] == stage else 1
    if epoch != wanted:
        raise ValueError(f"epoch: expected {wanted} of stage {stage}, found {epoch}")
    if "epochs" in record and not _is_int(record["epochs"]):
        raise ValueError("epochs: expected a whole number")
    for key in NUMBERS:
        if record.get(key) is not None and not _is_number(record[key]):
            raise ValueError(f"{key}: expected a number, found {record[key]!r}")
    if record.get("architecture") is not None:
        _check_architecture(record["architecture"])


def _check_architecture(value: Any) -> None:
    """Shapes: candidates and alpha [2][edges][operations], gamma [2][edges], beta [2][nodes][…]."""
    if not isinstance(value, dict):
        raise ValueError("architecture: expected an object")
    candidates: Any = value.get("candidates")
    alpha: Any = value.get("alpha")
    if not _pair(candidates) or not _pair(alpha):
        raise ValueError("architecture: expected candidates and alpha of two cells")
    nodes = nodes_of(len(candidates[0]))
    if nodes is None or len(candidates[1]) != len(candidates[0]):
        raise ValueError("architecture: candidates: expected those of every edge of two cells")
    edges = len(candidates[0])
    for cell in (0, 1):
        if not all(
            isinstance(edge, list) and edge and all(isinstance(name, str) for name in edge)
            for edge in candidates[cell]
        ):
            raise ValueError("architecture: candidates: expected the operations of every edge")
        if not _numbers(alpha[cell], [len(edge) for edge in candidates[cell]]):
            raise ValueError("architecture: alpha: expected one number a candidate")
    gamma, beta = value.get("gamma"), value.get("beta")
    if gamma is not None and not (_pair(gamma) and _numbers(gamma, [edges, edges])):
        raise ValueError("architecture: gamma: expected one number an edge of two cells")
    pairs = [(2 + node) * (1 + node) // 2 for node in range(nodes)]
    if beta is not None and not (_pair(beta) and all(_numbers(cell, pairs) for cell in beta)):
        raise ValueError("architecture: beta: expected one number a pair of each node's edges")


def is_warmup(record: Mapping[str, Any]) -> bool:
    """Whether the epoch trained the weights alone."""
    return record.get("phase") == "warm-up"


def has_groups(record: Mapping[str, Any]) -> bool:
    """Whether each group of operations has a softmax of its own (paper section 4.2).

    So it is in the operation search, of whichever strategy, and in no other stage.
    """
    return record["stage"] == OPERATION_SEARCH


def _pair(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(v, list) for v in value)


def _numbers(rows: Any, lengths: Sequence[int]) -> bool:
    return len(rows) == len(lengths) and all(
        isinstance(row, list) and len(row) == length and all(map(_is_number, row))
        for row, length in zip(rows, lengths, strict=True)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _finite(value: Any) -> float:
    return float(value) if value is not None and math.isfinite(value) else math.nan
