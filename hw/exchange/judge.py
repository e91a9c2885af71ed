"""onnxruntime as an independent judge: its integers beside the reference's, tensor by tensor."""

from dataclasses import dataclass

import numpy as np
import onnxruntime
from onnx import ModelProto

from hw.errors import InputError
from hw.ir import reference
from hw.ir.network import Network

BATCH = 32
"""Images that are judged at a time."""


@dataclass(frozen=True)
class Verdict:
    """What was compared.

    Parameters
    ----------
    images, tensors: how many
    values: integers compared, in all of them
    mismatches: of those, how many differ
    first: the first node, in the network's order, with a value that differs; "" if there is none
    """

    images: int
    tensors: int
    values: int
    mismatches: int
    first: str


def judge(network: Network, model: ModelProto, images: np.ndarray) -> Verdict:
    """Run a model as it is, and with every node's tensor for an output, on images (N, H, W, C).

    The first run is what a user of the file has; its optimisations may merge operators that the
    second one keeps apart.
    """
    names = [node.name for node in network.graph.nodes[1:]]
    plain, every = session(model), session(_opened(model, names))
    last = names[-1]
    values = 0
    differing = dict.fromkeys(names, 0)
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        expected = reference.run(network, batch, names)
        feed = {network.graph.input.name: np.ascontiguousarray(batch.transpose(0, 3, 1, 2))}
        pairs = [*zip(names, every.run(names, feed), strict=True)]
        pairs += [(last, plain.run([last], feed)[0])]
        for name, found in pairs:
            values += expected[name].size
            differing[name] += _differing(expected[name], np.asarray(found))
    wrong = [name for name in names if differing[name]]
    return Verdict(
        images=len(images),
        tensors=len(names),
        values=values,
        mismatches=sum(differing.values()),
        first=wrong[0] if wrong else "",
    )


def session(model: ModelProto) -> onnxruntime.InferenceSession:
    """A model in onnxruntime, on the CPU.

    Raises
    ------
    InputError: onnxruntime refuses it
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # onnxruntime raises a dozen kinds of its own, of no common class.
        told = " ".join(str(error).split())
        raise InputError(f"onnxruntime refuses the model: {told}") from error


def _opened(model: ModelProto, names: list[str]) -> ModelProto:
    """A copy whose outputs are the tensors called `names`."""
    copy = ModelProto()
    copy.CopyFrom(model)
    known = {value.name: value for value in (*copy.graph.value_info, *copy.graph.output)}
    outputs = [known[name] for name in names]
    del copy.graph.output[:]
    copy.graph.output.extend(outputs)
    return copy


def _differing(expected: np.ndarray, found: np.ndarray) -> int:
    """How many integers differ, of NHWC maps and of NCHW ones or vectors."""
    found = found[:, :, None, None] if found.ndim == 2 else found
    found = found.transpose(0, 2, 3, 1)
    if found.shape != expected.shape:
        return expected.size
    return int((found.astype(np.int64) != expected).sum())
