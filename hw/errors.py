"""The ways a command ends without success (exit codes 2, 1 and 130)."""


class InputError(Exception):
    """The input or the call is wrong: one line naming file, field and what was expected. Exit 2."""


class CheckFailed(Exception):
    """The work was done and a check did not hold: a mismatch, a target missed. Exit 1."""


class Interrupted(Exception):
    """The user stopped it, and the line says how to go on. Exit 130."""
