"""A network of any layers as a fuzz case describes it: each step behind those before it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, assert_never

from hw.errors import InputError
from hw.ir.clip import Clip
from hw.ir.graph import (
    Add,
    AvgPool,
    Concat,
    Conv,
    FactorizedReduce,
    GlobalPool,
    Graph,
    Input,
    Linear,
    MaxPool,
    Node,
    Pair,
    Select,
    Shape,
)
from hw.ir.validate import expected_shape
from sim.fuzz.lower import below

DEPTHWISE = 0
"""Groups of a convolution that has one for each of its input's channels, however many these are."""


class Kind(StrEnum):
    """What a step adds."""

    CONV = "conv"
    REDUCE = "reduce"
    MAX_POOL = "max_pool"
    AVG_POOL = "avg_pool"
    SELECT = "select"
    ADD = "add"
    CONCAT = "concat"


class Head(StrEnum):
    """What stands behind the last step: means and a classifier; means that are the logits; a
    hidden fully connected layer over the whole map, another, a classifier; a convolution over the
    whole map, one channel a class; nothing."""

    CLASSIFIER = "classifier"
    MEANS = "means"
    HIDDEN = "hidden"
    WHOLE = "whole"
    NOTHING = "nothing"


class Own(StrEnum):
    """What a convolution has beside its weights."""

    NORM = "norm"
    BIAS = "bias"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Step:
    """A node. What does not suit the tensors that there are is made to suit them, so that any steps
    make a network: numbers of channels are taken modulo, windows too large become single pixels.

    Parameters
    ----------
    kind: of the node
    back: the tensor it reads, counted from the newest, 0
    others: of an addition or a concatenation: its further inputs, among the tensors that go with
        the first one, counted from the newest
    channels: of a group of a convolution, or of a reduction
    kernel, stride, padding, end, dilation: of a window; end None: as padding
    groups: of a convolution, or `DEPTHWISE`
    own: of a convolution
    relu_in: of a convolution or reduction
    clip: of what rounds, one of `Clip`
    picks: of a selection: its channels
    """

    kind: str
    back: int = 0
    others: tuple[int, ...] = (0,)
    channels: int = 1
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    end: Pair | None = None
    dilation: Pair = (1, 1)
    groups: int = 1
    own: str = Own.NORM
    relu_in: bool = False
    clip: str | None = None
    picks: tuple[int, ...] = (0,)


PLAIN = Step(Kind.CONV)


@dataclass(frozen=True)
class Layers:
    """Steps, and what stands behind the last of them.

    Parameters
    ----------
    steps: in order
    head: one of `Head`
    hidden: channels of the fully connected layers of `Head.HIDDEN`
    """

    steps: tuple[Step, ...]
    head: str = Head.CLASSIFIER
    hidden: int = 1

    def graph(self, image: Shape, classes: int) -> Graph:
        """The whole graph, unread nodes among it."""
        found: list[Node] = [Input(name="input", inputs=(), shape=image)]
        for step in self.steps:
            found.append(node_of(step, found))
        return Graph((*found, *_head(Head(self.head), found[-1], classes, self.hidden)))

    def as_dict(self) -> dict[str, Any]:
        """In plain lists and mappings, for JSON: of each step what is not as in a plain one."""
        plain = asdict(PLAIN)
        steps = [
            {"kind": step.kind}
            | {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in asdict(step).items()
                if value != plain[key]
            }
            for step in self.steps
        ]
        return {"steps": steps, "head": self.head, "hidden": self.hidden}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Layers":
        """What `as_dict` wrote; InputError for a step or a head that is none."""
        _require(content["head"], Head, "case: net: head")
        steps = [_step(step, f"case: net: step {n}") for n, step in enumerate(content["steps"])]
        return cls(tuple(steps), content["head"], content["hidden"])

    def simpler(self) -> Iterator["Layers"]:
        """Networks of fewer and of plainer steps."""
        count = len(self.steps)
        for kept in below(count, 0):
            yield replace(self, steps=self.steps[:kept])
            yield replace(self, steps=self.steps[count - kept :])
        for head in Head:
            if head == self.head:
                break
            yield replace(self, head=str(head))
        for place, step in enumerate(self.steps):
            yield replace(self, steps=(*self.steps[:place], *self.steps[place + 1 :]))
            for plainer in _plainer(step):
                yield replace(self, steps=(*self.steps[:place], plainer, *self.steps[place + 1 :]))
        for hidden in below(self.hidden):
            yield replace(self, hidden=hidden)


def _step(content: Any, where: str) -> Step:
    names = {field.name for field in fields(Step)}
    if not isinstance(content, Mapping) or "kind" not in content or set(content) - names:
        raise InputError(f"{where}: expected kind and some of {', '.join(sorted(names))}")
    _require(content["kind"], Kind, f"{where}: kind")
    _require(content.get("own", Own.NORM), Own, f"{where}: own")
    if content.get("clip") is not None:
        _require(content["clip"], Clip, f"{where}: clip")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in content.items()
    }
    return Step(**values)


def _require(value: Any, known: type[StrEnum], where: str) -> None:
    if value not in tuple(known):
        raise InputError(f"{where}: {value!r}; expected one of {', '.join(known)}")


def _plainer(step: Step) -> Iterator[Step]:
    """Steps that differ from one by a simplification."""
    if step.kind != Kind.CONV:
        yield replace(PLAIN, back=step.back)
    for name in ("end", "clip", "relu_in", "dilation", "groups", "own", "stride"):
        if getattr(step, name) != getattr(PLAIN, name):
            yield replace(step, **{name: getattr(PLAIN, name)})
    for name, least in (("kernel", 1), ("stride", 1), ("padding", 0)):
        pair = getattr(step, name)
        for axis in (0, 1):
            for value in below(pair[axis], least):
                yield replace(step, **{name: (pair[0], value) if axis else (value, pair[1])})
    for name, least in (("channels", 1), ("back", 0)):
        for value in below(getattr(step, name), least):
            yield replace(step, **{name: value})
    for name in ("others", "picks"):
        values = getattr(step, name)
        if len(values) > 1:
            yield replace(step, **{name: values[:1]})
            yield replace(step, **{name: values[:-1]})


# The nodes -----------------------------------------------------------------------------------


def node_of(step: Step, found: Sequence[Node]) -> Node:
    """The node that a step adds behind those found so far, the image first."""
    source = found[-1 - step.back % len(found)]
    name, inputs, shapes = f"n{len(found) - 1}", (source.name,), (source.shape,)
    clip = None if step.clip is None else Clip(step.clip)
    depth = source.shape[2]
    out: Node
    match Kind(step.kind):
        case Kind.CONV:
            groups = depth if step.groups == DEPTHWISE else math.gcd(step.groups, depth)
            kernel, padding, end, dilation = _window(step, source.shape, pool=False)
            out = Conv(
                name=name,
                inputs=inputs,
                shape=(1, 1, groups * step.channels),
                kernel=kernel,
                stride=step.stride,
                padding=padding,
                padding_end=None if end == padding else end,
                dilation=dilation,
                groups=groups,
                relu_in=step.relu_in,
                batch_norm=step.own == Own.NORM,
                bias=step.own == Own.BIAS,
                clip=clip,
            )
        case Kind.REDUCE:
            shape = (1, 1, step.channels)
            out = FactorizedReduce(
                name=name, inputs=inputs, shape=shape, relu_in=step.relu_in, clip=clip
            )
        case Kind.MAX_POOL | Kind.AVG_POOL:
            kind = MaxPool if step.kind == Kind.MAX_POOL else AvgPool
            kernel, padding, end, _ = _window(step, source.shape, pool=True)
            out = kind(
                name=name,
                inputs=inputs,
                shape=source.shape,
                kernel=kernel,
                stride=step.stride,
                padding=padding,
                padding_end=None if end == padding else end,
            )
        case Kind.SELECT:
            picks = tuple(pick % depth for pick in step.picks)
            out = Select(name=name, inputs=inputs, shape=source.shape, channels=picks)
        case Kind.ADD | Kind.CONCAT:
            alike = 3 if step.kind == Kind.ADD else 2
            known = [one for one in reversed(found) if one.shape[:alike] == source.shape[:alike]]
            others = step.others or ((0,) if step.kind == Kind.ADD else ())
            read = [source, *(known[other % len(known)] for other in others)]
            inputs, shapes = tuple(one.name for one in read), tuple(one.shape for one in read)
            join = Add if step.kind == Kind.ADD else Concat
            out = join(name=name, inputs=inputs, shape=source.shape, clip=clip)
    shape = expected_shape(out, shapes)
    assert shape is not None
    return replace(out, shape=shape)


def _window(step: Step, shape: Shape, *, pool: bool) -> tuple[Pair, Pair, Pair, Pair]:
    """Kernel, padding, padding at the end and dilation that suit a map: one window at least fits,
    and none lies in the padding as a whole, which pools and the hardware refuse."""
    ends = step.padding if step.end is None else step.end
    axes = []
    for side, kernel, stride, before, after, dilation in zip(
        shape[:2], step.kernel, step.stride, step.padding, ends, step.dilation, strict=True
    ):
        if pool:
            before, after, dilation = min(before, kernel // 2), min(after, kernel - 1), 1
        while before + after and not _all_real(side, kernel, stride, before, after, dilation):
            before, after = (before - 1, after) if before >= after else (before, after - 1)
        if not _all_real(side, kernel, stride, before, after, dilation):
            kernel, dilation = 1, 1
        axes.append((kernel, before, after, dilation))
    rows, columns = axes
    kernel, before, after, dilation = zip(rows, columns, strict=True)
    return kernel, before, after, dilation


def _all_real(side: int, kernel: int, stride: int, before: int, after: int, dilation: int) -> bool:
    """Whether each window of an axis, one at the least, has a tap on a pixel."""
    last = side + before + after - dilation * (kernel - 1) - 1
    return last >= 0 and all(
        any(0 <= at + tap * dilation < side for tap in range(kernel))
        for at in range(-before, last - before + 1, stride)
    )


def _head(head: Head, last: Node, classes: int, hidden: int) -> list[Node]:
    """The nodes behind the last step's."""
    source, shape = last.name, last.shape

    def conv(name: str, source: str, channels: int, clip: Clip | None) -> Conv:
        sides = shape[:2] if source == last.name else (1, 1)
        return Conv(
            name=name,
            inputs=(source,),
            shape=(1, 1, channels),
            kernel=sides,
            batch_norm=False,
            bias=True,
            clip=clip,
        )

    means = GlobalPool(name="global_pool", inputs=(source,), shape=(1, 1, shape[2]))
    match head:
        case Head.CLASSIFIER:
            return [means, Linear(name="classifier", inputs=(means.name,), shape=(1, 1, classes))]
        case Head.MEANS:
            return [means]
        case Head.HIDDEN:
            return [
                conv("hidden1", source, hidden, Clip.RELU),
                conv("hidden2", "hidden1", hidden, Clip.RELU6),
                Linear(name="classifier", inputs=("hidden2",), shape=(1, 1, classes)),
            ]
        case Head.WHOLE:
            return [conv("whole", source, classes, None)]
        case Head.NOTHING:
            return [] if not isinstance(last, Input) else [means]
    assert_never(head)
