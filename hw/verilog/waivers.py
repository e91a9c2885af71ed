"""Verilator's control file beside the Verilog: what `-Wall` says of it and why it stays.

Without `-Wall` there is nothing to waive.
"""

from collections.abc import Mapping, Sequence

SUFFIX = ".vlt"

RULES = {
    "UNUSEDSIGNAL": (
        "A port or a bit of a bus that one instance has no use for (the upper bits of a sum), and",
        "names for people: of a word's fields, of a FIFO's ends.",
    ),
    "PROCASSINIT": (
        "A register has its reset value from its declaration on, beside the clocked assignment:",
        "FPGAs load it.",
    ),
    "DECLFILENAME": (
        "All modules are in one file: it cannot be named after each of them.",
    ),
}  # fmt: skip
"""Rules of Verilator's that are waived, each with its reason."""


def control_file(verilog: str, rules: Mapping[str, Sequence[str]] = RULES) -> str:
    """Text of the control file for the Verilog file of that name; no other file is concerned.

    `rules` to waive, each with the lines of its reason.
    """
    lines = [
        "`verilator_config",
        "",
        f"// For `verilator --lint-only -Wall`, before {verilog}: what stays, by rule, with its",
        "// reason. Without -Wall nothing needs to be waived.",
        "",
    ]
    for rule, reason in rules.items():
        lines += [f"// {line}" for line in reason]
        lines.append(f'lint_off -rule {rule} -file "*{verilog}"')
    return "\n".join([*lines, ""])
