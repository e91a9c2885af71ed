"""Parts of a network as networks of their own: what they compute, and what cannot be one."""

import numpy as np
import pytest

from hw.errors import InputError
from hw.ir import reference
from hw.ir.parameters import Rounding
from hw.networks.images import random_images
from sim.overlay.parts import part
from tests.support.overlay_cases import OVERLAY, network
from tests.support.overlay_check import check


@pytest.mark.parametrize("name", ["stem", "cell0", "cell1", "classifier"])
def test_a_cell_on_its_own_in_the_executable_model(name):
    """Its inputs are channels of the image, in one of two buffers, for a whole batch."""
    net = network(image=(4, 4, 1))
    tensors = reference.run(net, random_images(net, 2, 1))
    found = part(net, "cell", name, tensors)
    assert set(found.nodes) <= {node.name for node in net.graph}
    own = reference.run(found.network, found.images)
    assert all(np.array_equal(own[node], tensors[node]) for node in found.nodes)
    check(found.network, OVERLAY)


@pytest.mark.parametrize("settings", [{"guard": 15}, {"rounding": Rounding.FLOOR}])
def test_arithmetic_is_the_network_s(settings):
    net = network(image=(4, 4, 1), **settings)
    tensors = reference.run(net, random_images(net, 1, 1))
    check(part(net, "op", "cell1/preprocess1", tensors).network, OVERLAY)


def test_wide_tensors_are_no_images():
    net = network(act_bits=12)
    tensors = reference.run(net, random_images(net, 1, 1))
    with pytest.raises(InputError, match=r"stem/conv of 12 bits; .* simulate the whole network"):
        part(net, "op", "cell0/preprocess0", tensors)
