"""DOTS (Gu et al. 2021): what ShiftNAS builds on.

The stages are those of ShiftNAS. What differs is the optimisation, in `presets/strategies`: no
reset of the learning rate, conventional L2, the zero operation among the candidates.
"""

from nas.strategies.shiftnas import ShiftNas


class Dots(ShiftNas):
    """Decoupled operation and topology search."""

    name = "dots"
