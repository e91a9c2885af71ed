"""The classifier: every bit of a logit falls off the accumulator's end and is collected."""

from collections.abc import Sequence

import numpy as np

from hw.errors import InputError
from hw.ir.arithmetic import accumulation, operand_range
from hw.ir.graph import Linear, Node
from hw.ir.weights import decode
from hw.overlay import isa
from hw.overlay.compiler.builder import Builder
from hw.overlay.compiler.emitter import Group, View
from hw.overlay.compiler.levels import Sum
from hw.overlay.compiler.placement import words
from hw.overlay.compiler.terms import Terms, Wanted
from hw.overlay.isa import Flow, Register


def classifier(builder: Builder, node: Linear) -> None:
    """For each image of the batch, each class: terms, and as many halvings as a logit has bits."""
    network, source, bits = builder.network, builder.source(node), builder.hardware.logit_bits
    acc = accumulation(network, node.name)
    if acc.width > bits:
        raise InputError(
            f"{node.name}: logits of {acc.width} bits; the overlay's have {bits}: take"
            f" logit_bits {acc.width}"
        )
    params = network.params[node.name]
    sign, power = decode(params.codes, network.arithmetic.weight_bits)
    view = View(pitch_in=source.pitch, pitch_out=(0, 0), size=(1, 1), image=source.image)
    builder.emitter.configure(view)
    builder.aim(source.planes)
    planes = np.array(source.planes)
    size = 1 << sum(max(p, 0) for p in source.pitch)
    sums: list[Sum] = []
    codes = builder.ranges[node.inputs[0]]
    for label in range(len(sign)):
        (channel,) = np.nonzero(np.where(codes.constant, 0, sign[label]))
        (same,) = np.nonzero(np.where(codes.constant, sign[label], 0))
        known = codes.low[same] * sign[label, same] << power[label, same].astype(np.int64) - acc.p0
        terms = Terms.of(
            power[label, channel].astype(np.int64) - acc.p0,
            sign[label, channel] < 0,
            planes[channel] // size - builder.emitter.base_slot,
            planes[channel],
            operand_range(network, node.name),
        )
        sums.append(
            builder.arrange(
                node, Wanted(terms, params.bias[label] + int(known.sum()), bits, start=0)
            )
        )
    _send(builder, sums)


def pixels(builder: Builder, node: Node) -> None:
    """The channels of a tensor of one pixel, where no classifier follows, are the logits."""
    if node.shape[:2] != (1, 1):
        raise InputError(
            f"{node.name}: the output has {node.shape[0]} x {node.shape[1]} pixels; an overlay"
            " gives logits: end with a global pool or a classifier"
        )
    tensor, bits = builder.tensors[node.name], builder.hardware.logit_bits
    code = builder.out_format(node)
    builder.emitter.configure(
        View(pitch_in=tensor.pitch, pitch_out=(0, 0), size=(1, 1), image=tensor.image)
    )
    builder.aim(tensor.planes)
    sums = []
    for plane in tensor.planes:
        terms = Terms.of(
            np.zeros(1, np.int64),
            np.zeros(1, bool),
            np.array([plane // words(tensor.pitch) - builder.emitter.base_slot]),
            np.array([plane]),
            (min(code.qmin, 0), code.qmax),
        )
        sums.append(builder.arrange(node, Wanted(terms, 0, bits, start=0)))
    _send(builder, sums)


def _send(builder: Builder, sums: Sequence[Sum]) -> None:
    """For each image of the batch, all bits of each sum."""
    images = builder.placement.batch[0] * builder.placement.batch[1]
    for image in range(images):
        builder.emitter.set(Register.OUTPUT, isa.COLLECT | image)
        for label, found in enumerate(sums):
            group = Group()
            group.sum(found)
            # What is left is the sign: 0 or −1.
            last = int(label + 1 == len(sums))
            group.word(isa.Jump(Flow.CLEAR_NEGATIVE), isa.Jump(Flow.OUT, last))
            builder.emitter.group(group)
    builder.emitter.set(Register.OUTPUT, 0)
