"""The table of proofs that `shiftnas prove` works through."""

from fnmatch import fnmatchcase

from hw.errors import InputError
from sim.formal import queues
from sim.formal.proof import Proof

PROOFS = {
    proof.name: proof
    for proof in (
        Proof("fifo-lut-2", "Fifo in LUT-RAM, 2 beats of 2 bits", lambda: queues.fifo(2, 2)),
        Proof("fifo-lut-3", "Fifo in LUT-RAM, 3 beats of 2 bits", lambda: queues.fifo(2, 3)),
        Proof("fifo-lut-4", "Fifo in LUT-RAM, 4 beats of 4 bits", lambda: queues.fifo(4, 4)),
        Proof(
            "fifo-block-3",
            "Fifo in block RAM, 3 beats of 2 bits",
            lambda: queues.fifo(2, 3, block=True),
        ),
        Proof(
            "fifo-block-4",
            "Fifo in block RAM, 4 beats of 4 bits",
            lambda: queues.fifo(4, 4, block=True),
        ),
        Proof("skid", "Skid, beats of 8 bits", lambda: queues.skid(8)),
        Proof("fork-2", "Fork to 2 readers, beats of 8 bits", lambda: queues.fork(8, 2)),
        Proof("fork-3", "Fork to 3 readers, beats of 4 bits", lambda: queues.fork(4, 3)),
    )
}
"""Name -> proof."""


def select(patterns: tuple[str, ...]) -> list[Proof]:
    """The proofs whose names match a pattern (`fifo-*`), in the table's order; all if there is
    none.

    Raises
    ------
    InputError: a pattern matches nothing.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in PROOFS):
            raise InputError(
                f"{pattern}: no proof of this name; `shiftnas prove --list` prints them"
            )
    return [
        proof
        for name, proof in PROOFS.items()
        if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
    ]
