"""What is seen in the tensors of a run."""

import dataclasses

import numpy as np
from coverage_cases import made

from hw.ir import reference
from sim.coverage import values
from sim.stimuli import random_images


def test_saturation_against_a_clamp_of_real_values():
    network = made((("sep_conv_3x3", 0), ("avg_pool_3x3", 1)))
    tensors = reference.run(network, random_images(network, 4, seed=2))
    for node in network.graph.nodes[1:]:
        if values.rounded_kind(node) is None:
            continue
        low, high = values.saturated(network, node, [tensors[one] for one in node.inputs])
        fmt, codes = network.formats[node.name], tensors[node.name]
        assert low <= int((codes == fmt.qmin).sum()) and high <= int((codes == fmt.qmax).sum())
    # One layer made to saturate everywhere: biases far above the range.
    name = "stem/conv"
    params = network.params[name]
    huge = dataclasses.replace(params, bias=tuple(1 << 40 for _ in params.bias))
    loud = dataclasses.replace(network, params=network.params | {name: huge})
    tensors = reference.run(loud, random_images(network, 1, seed=2))
    low, high = values.saturated(loud, loud.graph[name], [tensors["input"]])
    assert (low, high) == (0, int(np.prod(loud.graph[name].shape)))
