"""The table of proofs that `shiftnas prove` works through."""

from fnmatch import fnmatchcase

from amaranth.hdl import signed, unsigned

from hw.dataflow.design.geometry import Geometry
from hw.dataflow.design.program import Tap
from hw.dataflow.design.requantiser import Room
from hw.dataflow.design.scales import Scale
from hw.dataflow.loading.bus import Region
from hw.errors import InputError
from hw.ir.format import Format
from hw.ir.parameters import Rounding
from sim.formal import (
    elements,
    joins,
    lanes,
    loaders,
    pools,
    queues,
    requantisers,
    stations,
    windows,
)
from sim.formal.proof import Proof
from sim.formal.requantisers import Channel
from sim.formal.spec import Term

S2 = Format(True, 2, 0)
X3, U3, X8 = signed(3), unsigned(3), signed(8)
S3, F3, S5, S8 = (Format(s, w, 0) for s, w in ((True, 3), (False, 3), (True, 5), (True, 8)))

FORMATS = [Format(is_signed, width, 0) for is_signed in (False, True) for width in (2, 3, 4)]
CLIPPED = [Format(False, width, 0, limit) for width, limit in ((2, 1), (3, 6), (4, 9))]
"""Largest codes below those of the width: tensors that are clipped."""

PAIR = (
    (Channel((Term(1, 0), Term(1, 2)), 3), Channel((Term(-1, 1),), -6)),
    (Channel((), 5), Channel((Term(1, 2), Term(-1, 0)), 0)),
)
"""Two rows of two channels: sums and differences of powers, one dead channel."""

LAYER = (
    (Channel((Term(1, 0), Term(-1, 2), Term(1, 4)), 97),),
    (Channel((Term(-1, 0), Term(1, 3)), -77),),
)
"""Two channels with three and two scale terms."""


def _taps(*groups: list[tuple[int, int, int]]) -> list[Tap]:
    """A program of these groups of taps (ky, kx, channel), with operations 0, 1, 2, 3, 0, …"""
    return [
        Tap(*place, (n + len(group)) % 4, n == len(group) - 1)
        for group in groups
        for n, place in enumerate(group)
    ]


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
        Proof(
            "add",
            "Add of s3.1 and s3.0 to s3.0, FIFOs of 2 and 3 beats",
            lambda: joins.add([Format(True, 3, 1), S3], S3, [2, 3]),
        ),
        Proof(
            "add-3",
            "Add of three inputs s2.0, s2.1, u2.0 to s3.1, FIFOs of 2 beats",
            lambda: joins.add(
                [Format(True, 2, 0), Format(True, 2, 1), Format(False, 2, 0)],
                Format(True, 3, 1),
                [2, 2, 2],
            ),
        ),
        Proof(
            "concat",
            "Concat of 2 channels s3.1 and 1 channel s3.0 to s3.0, FIFOs of 2 and 3 beats",
            lambda: joins.concat([Format(True, 3, 1), S3], S3, [2, 3], [2, 1]),
        ),
        Proof(
            "barrel",
            "Barrel, x of 3 bits, shifts 0 to 2, 2 lanes with and without weight, sums of 6 bits",
            lambda: elements.barrel(X3, (0, 2), 2, 6, sparse=True),
        ),
        Proof(
            "barrel-guard",
            "Barrel, unsigned x of 3 bits, shifts -2 to 1 that floor, 1 lane, sums of 6 bits",
            lambda: elements.barrel(U3, (-2, 1), 1, 6, sparse=False),
        ),
        Proof(
            "barrel-8",
            "Barrel, x of 8 bits, shifts 0 to 7, 1 lane, sums of 20 bits",
            lambda: elements.barrel(X8, (0, 7), 1, 20, sparse=False),
        ),
        Proof(
            "horner",
            "Horner, x of 3 bits, exponents 0 to 2, sums of 7 bits",
            lambda: elements.horner(X3, 2, 7),
        ),
        Proof(
            "horner-8",
            "Horner, x of 8 bits, exponents 0 to 7, sums of 20 bits",
            lambda: elements.horner(X8, 7, 20),
        ),
        Proof("maximum", "Maximum, x of 3 bits", lambda: elements.maximum(X3)),
        Proof("maximum-8", "Maximum, x of 8 bits", lambda: elements.maximum(X8)),
        Proof(
            "sum",
            "Sum, x of 3 bits, 1, 2 or 4 real taps",
            lambda: elements.pool_sum(X3, (1, 2, 4), 5),
        ),
        Proof(
            "sum-8",
            "Sum, x of 8 bits, 4, 6 or 9 real taps",
            lambda: elements.pool_sum(X8, (4, 6, 9), 12),
        ),
        Proof(
            "shift",
            "shift_saturate of 6 bits, shifts -2 to 7, all kinds of formats of 2 to 4 bits",
            lambda: requantisers.rounding_shift(6, range(-2, 8), FORMATS + CLIPPED),
        ),
        Proof(
            "shift-8",
            "shift_saturate of 24 bits, shifts 0 to 16, signed and unsigned formats of 8 bits",
            lambda: requantisers.rounding_shift(24, range(0, 17, 4), [S8, Format(False, 8, 0)]),
        ),
        Proof(
            "round",
            "Round, 7 bits by 3 to s3, 2 lanes, half up",
            lambda: requantisers.round_shift(7, 3, S3, 2, Rounding.HALF_UP),
        ),
        Proof(
            "round-floor",
            "Round, 7 bits by 3 to u3, 3 lanes, floor",
            lambda: requantisers.round_shift(7, 3, F3, 3, Rounding.FLOOR),
        ),
        Proof(
            "round-8",
            "Round, 20 bits by 9 to s8, 1 lane, half up",
            lambda: requantisers.round_shift(20, 9, S8, 1, Rounding.HALF_UP),
        ),
        Proof(
            "add-bias",
            "AddBias, 4 classes, sums of 4 bits, 2 lanes",
            lambda: requantisers.add_bias(4, [3, -5, 0, 7], 2),
        ),
        Proof(
            "requantise",
            "Requantise, sums of 4 bits, 2 rows of 2 channels, by 2 to s3",
            lambda: requantisers.batch_norm(PAIR, 4, 2, S3),
            depth=2,
            cover=30,
        ),
        Proof(
            "requantise-left",
            "Requantise, sums of 4 bits, 2 rows of 2 channels, left by 1 to s5, floor",
            lambda: requantisers.batch_norm(PAIR, 4, -1, S5, Rounding.FLOOR),
            depth=2,
            cover=30,
        ),
        Proof(
            "requantise-10",
            "Requantise, sums of 10 bits, 2 channels of 3 and 2 terms, by 5 to s8",
            lambda: requantisers.batch_norm(LAYER, 10, 5, S8),
            depth=2,
            cover=30,
        ),
        Proof(
            "mean",
            "Requantise as division of an average pool: sums of 1, 2 or 3 codes of s3",
            lambda: requantisers.mean(S3, (1, 2, 3), 5),
            depth=2,
            cover=30,
        ),
        Proof(
            "window",
            "Window of 3×3 with padding 1 on 3×2 pixels, store of 8 beats, 2 groups of taps",
            lambda: windows.window(
                Geometry((3, 2, 1), (3, 2), (3, 3), padding=(1, 1)),
                S2,
                _taps([(0, 0, 0), (1, 1, 0), (2, 2, 0)], [(0, 2, 0), (2, 0, 0)]),
                relu=True,
            ),
            cover=18,
        ),
        Proof(
            "window-stride",
            "Window of 2×3, stride 2, padding 1 on 4×3 pixels, store of 8 beats",
            lambda: windows.window(
                Geometry((4, 3, 1), (3, 2), (2, 3), (2, 2), (1, 1)),
                S2,
                _taps([(0, 0, 0), (0, 2, 0), (1, 1, 0), (1, 2, 0)]),
            ),
            cover=18,
        ),
        Proof(
            "window-dilated",
            "Window of 2×2, dilation 2, padding 1 on 3×2 pixels, store of 8 beats",
            lambda: windows.window(
                Geometry((3, 2, 1), (3, 2), (2, 2), padding=(1, 1), dilation=(2, 2)),
                S2,
                _taps([(0, 1, 0), (1, 0, 0)], [(0, 0, 0), (1, 1, 0)]),
            ),
            cover=18,
        ),
        Proof(
            "window-reduce",
            "Window of a FactorizedReduce of 3×3 pixels, store of 8 beats",
            lambda: windows.window(
                Geometry((3, 3, 1), (2, 2), (2, 2), (2, 2)),
                S2,
                _taps([(0, 0, 0)], [(1, 1, 0)]),
                relu=True,
            ),
            cover=24,
        ),
        Proof(
            "window-1x1",
            "Window of 1×1, stride 2, on 1×4 pixels, store of 2 beats",
            lambda: windows.window(
                Geometry((1, 4, 1), (1, 2), stride=(1, 2)), S2, _taps([(0, 0, 0)], [(0, 0, 0)])
            ),
            cover=24,
            search=18,
        ),
        Proof(
            "window-pool",
            "Window of 2×2, stride 2, of a pool of 2×4 pixels of 2 channels, store of 16 beats",
            lambda: windows.window(
                Geometry((2, 4, 2), (1, 2), (2, 2), (2, 2)),
                S2,
                _taps(
                    [(ky, kx, 0) for ky in (0, 1) for kx in (0, 1)],
                    [(ky, kx, 1) for ky in (0, 1) for kx in (0, 1)],
                ),
            ),
            cover=24,
        ),
        Proof(
            "window-load",
            "Window of 2×2, stride 2, padding 1 on 3×3 pixels, any program of 1 to 3 words,"
            " written in reset",
            lambda: windows.window(
                Geometry((3, 3, 1), (2, 2), (2, 2), (2, 2), (1, 1)),
                S2,
                _taps([(0, 0, 0), (1, 1, 0)]),
                relu=True,
                words=3,
            ),
            cover=18,
        ),
        Proof(
            "global-pool",
            "GlobalPool of 3×1 pixels of 2 channels u3",
            lambda: pools.global_pool((3, 1, 2), F3),
            depth=2,
            cover=30,
            search=30,
        ),
        Proof(
            "global-pool-8",
            "GlobalPool of 3×1 pixels of 2 channels s8",
            lambda: pools.global_pool((3, 1, 2), S8),
            depth=2,
            cover=40,
            search=30,
        ),
        Proof(
            "station",
            "Station and its memories: 3 words of 40 bits, 3 of 70, a register of 2, any content",
            lambda: stations.station(
                [
                    Region("program", 16, 3, 40),
                    Region("last_word", 24, 1, 2),
                    Region("bias", 32, 3, 70),
                ],
                ["last_word"],
                6,
            ),
        ),
        Proof(
            "loader",
            "Loader, two Hops, a Station behind each, memories of 3 words of 8 and 2 of 40 bits",
            lambda: loaders.loader(),
            cover=28,
            search=30,
        ),
        Proof(
            "add-bias-load",
            "AddBias, 3 classes, any biases of 3 bits, written in reset, sums of 4 bits",
            lambda: requantisers.add_bias(4, [3, -4, 0], 1, 3),
        ),
        Proof(
            "requantise-load",
            "Requantise, sums of 3 bits, 2 rows of any 1 to 3 words, written in reset, by 1 to s3",
            lambda: requantisers.batch_norm_loaded(
                ((Scale(2, 5),), (Scale(-1, -2),)), Room(2, 3), 3, 7, 1, S3
            ),
            depth=2,
            cover=16,
        ),
        Proof(
            "lane",
            "Lane of pixels of 9 bits, sums of 19, two banks, as any fabric has it",
            lambda: lanes.lane(9, 19, 2, "generic"),
            depth=3,
        ),
        Proof(
            "lane-ecp5",
            "Lane of pixels of 9 bits, sums of 19, two banks, of an ECP5's cells",
            lambda: lanes.lane(9, 19, 2, "ecp5"),
            depth=3,
        ),
        Proof(
            "lane-small",
            "Lane of pixels of 5 bits, sums of 8, one bank",
            lambda: lanes.lane(5, 8, 1, "generic"),
            depth=3,
        ),
        Proof(
            "logits",
            "Queue of logits of 8 bits",
            lambda: lanes.logits(8),
            cover=24,
            search=30,
        ),
        Proof(
            "overlay-registers",
            "Registers of an overlay behind AXI4-Lite",
            lambda: lanes.registers(),
        ),
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
