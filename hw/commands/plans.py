"""Plans, whatever the style of hardware: the one place that tells the styles apart.

A plan without a `style` is one for dataflow hardware, where each layer has an engine of its own.
"""

from pathlib import Path

import yaml

from hw import console, documents
from hw.dataflow.design.design import Design
from hw.errors import InputError
from hw.ir.network import Network
from hw.overlay.plan import OverlayPlan
from hw.verilog.rtl_folder import DATAFLOW, OVERLAY

STYLES = (DATAFLOW, OVERLAY)

MARKS = (b"schema_version: ", b"\nboard: ")
"""What a plan can be told by, of either style, edited or not."""

DEFAULT_BOARD = "ulx3s-85f"


def style_of(plan_file: Path) -> str:
    """One of STYLES.

    Raises
    ------
    InputError: there is no such file, it is no YAML, or names another style
    """
    try:
        content = documents.load_yaml(_text(plan_file))
    except yaml.YAMLError as error:
        raise InputError(f"{plan_file}: expected YAML: {documents.reason(error)}") from None
    style = content.get("style", DATAFLOW) if isinstance(content, dict) else DATAFLOW
    if style not in STYLES:
        raise InputError(f"{plan_file}: style: {style!r}; expected {' or '.join(STYLES)}")
    return style


def overlay(plan_file: Path | None) -> OverlayPlan | None:
    """The plan in the file where it is one of an overlay, else None."""
    from hw.overlay import plan_file as plans

    if plan_file is None or style_of(plan_file) != OVERLAY:
        return None
    plan = plans.loads(_text(plan_file), str(plan_file))
    _known_board(plan.board, plan_file)
    return plan


def overlay_of(hardware: Path) -> OverlayPlan:
    """The plan of an overlay: that of an RTL folder, or a plan's file.

    Raises
    ------
    InputError: it is neither, or of dataflow hardware
    """
    from hw.verilog import emit_overlay, rtl_folder

    if hardware.is_dir():
        return emit_overlay.plan_in(rtl_folder.read(hardware, style=OVERLAY))
    found = overlay(hardware)
    if found is None:
        raise InputError(
            f"{hardware}: style: {DATAFLOW}; expected an overlay's RTL folder, or its plan of"
            " `shiftnas plan --style overlay`"
        )
    return found


def load(
    folder: Path | None, plan_file: Path | None, board: str | None = None
) -> tuple[Network, Design]:
    """The network in `folder`, and it built by the plan in `plan_file` or one for `board`."""
    from hw.ir import serialize

    _require_dataflow(plan_file)
    network = serialize.load(required(folder))
    return network, built(network, plan_file, board)


def built(network: Network, plan_file: Path | None, board: str | None = None) -> Design:
    """The network built by the plan in `plan_file`, or by one that is proposed for `board`.

    Raises
    ------
    InputError: the plan is none for this network, or one for an overlay
    """
    from hw.board import boards
    from hw.dataflow import plan_file as plans
    from hw.dataflow.check import check
    from hw.dataflow.planner import propose

    _require_dataflow(plan_file)
    if plan_file is None:
        return propose(network, boards.device(board or DEFAULT_BOARD))
    plan = plans.load(plan_file)
    known = _known_board(plan.board, plan_file)
    if known is not None and board not in (None, known):
        console.note(f"{plan_file}: is a plan for {known}, built for {board}")
    return check(plan, network, str(plan_file))


def required(folder: Path | None) -> Path:
    """The NETWORK folder, or an error where none was given."""
    if folder is None:
        raise InputError(
            "NET: missing: give the NETWORK folder; only a plan for an overlay needs none"
        )
    return folder


def _require_dataflow(plan_file: Path | None) -> None:
    if plan_file is not None and style_of(plan_file) != DATAFLOW:
        raise InputError(
            f"{plan_file}: style: {OVERLAY}; this command is for {DATAFLOW} hardware: give a plan"
            " of `shiftnas plan --style dataflow`"
        )


def _known_board(name: str, plan_file: Path) -> str | None:
    """The plan's board by its own name; None where it is for none."""
    from hw.board import boards

    if name == boards.NONE:
        return None
    try:
        return boards.board(name, f", or {boards.NONE}").name
    except InputError as error:
        raise InputError(f"{plan_file}: {error}") from None


def _text(plan_file: Path) -> str:
    try:
        return plan_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{plan_file}: no such plan; `shiftnas plan` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{plan_file}: expected a readable YAML file: {error}") from None
