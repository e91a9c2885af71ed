"""Shift weights: 0 or ±2**p, trained through straight-through estimators (paper section 4.1).

`Conv1d`, `Conv2d` and `Linear` are torch's layers with such weights, for any network and any
optimiser (`keep_in_range`, `modified_l2`). `make_weight` gives a tensor of them of the kind that
`ShiftSettings.layer` names:

- "ps", DeepShift-PS, the paper's: P and S are trained, w = flip(2**P, S);
- "q", DeepShift-Q: one real number is trained and rounded in every forward pass;
- "inq", incremental quantisation: real numbers are rounded and frozen share by share.
"""

from nas.shift.deepshift_ps import DeepShiftPS, latent_gradients, power_of, quantised
from nas.shift.deepshift_q import DeepShiftQ, nearest_in_log
from nas.shift.hooks import keep_in_range, modified_l2
from nas.shift.inq import IncrementalWeight, largest_power, nearest_power
from nas.shift.layers import Conv1d, Conv2d, Linear, advance_weights, make_weight
from nas.shift.real import RealWeight
from nas.shift.settings import Domain, GradRule, Init, Layer, ShiftSettings
from nas.shift.weight import ShiftWeight, round_half_up, shift_weights, sign_of

__all__ = [
    "Conv1d",
    "Conv2d",
    "DeepShiftPS",
    "DeepShiftQ",
    "Domain",
    "GradRule",
    "IncrementalWeight",
    "Init",
    "Layer",
    "Linear",
    "RealWeight",
    "ShiftSettings",
    "ShiftWeight",
    "advance_weights",
    "keep_in_range",
    "largest_power",
    "latent_gradients",
    "make_weight",
    "modified_l2",
    "nearest_in_log",
    "nearest_power",
    "power_of",
    "quantised",
    "round_half_up",
    "shift_weights",
    "sign_of",
]
