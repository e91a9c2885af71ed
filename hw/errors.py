"""The ways a command ends without success (exit codes 2, 1 and 130)."""

from collections.abc import Sequence


class InputError(Exception):
    """The input or the call is wrong: one line naming file, field and what was expected. Exit 2."""


class CheckFailed(Exception):
    """The work was done and a check did not hold: a mismatch, a target missed. Exit 1.

    Parameters
    ----------
    message: one line that says what, where and what to do
    lines: more about it, where it is a list; shown below the message, one a line
    """

    def __init__(self, message: str, lines: Sequence[str] = ()):
        super().__init__(message)
        self.lines = tuple(lines)


class Interrupted(Exception):
    """The user stopped it, and the line says how to go on. Exit 130."""
