"""What a trained torch network is like inside: its weights over their exponents.

Its tensors are `GraphModel.tensors`; docs/inside.md shows all of it.
"""

from hw.networks.exponents import Exponents, exponents
from nas.model import GraphModel


def exponents_of(model: GraphModel) -> dict[str, Exponents]:
    """By the name of each layer with shift weights; {} where all are real.

    Raises
    ------
    InputError: INQ weights that are not frozen yet
    """
    return {
        name: exponents(*(part.cpu().numpy() for part in weight.to_int()))
        for name, weight in model.shift_weights().items()
    }
