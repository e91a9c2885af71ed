"""Draws networks of any layers, step by step, each for the tensors that there are by then."""

from dataclasses import replace

from hw.ir.clip import Clip
from hw.ir.graph import Input, Node, Pair, Shape
from sim.fuzz.dice import Dice
from sim.fuzz.layers import DEPTHWISE, Head, Kind, Layers, Own, Step, node_of

SIDES = ((1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 3), (7, 4), (8, 3), (9, 3), (12, 1))
KINDS = (
    (Kind.CONV, 12),
    (Kind.SELECT, 4),
    (Kind.ADD, 4),
    (Kind.CONCAT, 2),
    (Kind.MAX_POOL, 4),
    (Kind.AVG_POOL, 2),
    (Kind.REDUCE, 1),
)
COUNTS = ((1, 1), (2, 2), (3, 3), (4, 3), (5, 3), (6, 2), (8, 2), (11, 1))
HEADS = (
    (Head.CLASSIFIER, 4),
    (Head.MEANS, 1),
    (Head.HIDDEN, 3),
    (Head.WHOLE, 1),
    (Head.NOTHING, 1),
)
KERNELS = ((1, 3), (2, 3), (3, 6), (4, 2), (5, 2), (6, 1), (7, 1))
STRIDES = ((1, 8), (2, 4), (3, 1))
CHANNELS = ((1, 3), (2, 4), (3, 3), (4, 3), (5, 1), (6, 1), (8, 1))
OWN = ((Own.NORM, 4), (Own.BIAS, 3), (Own.NOTHING, 1))
"""Values, and how often each is drawn."""

CLIPS = (None, None, *map(str, Clip), str(Clip.RELU6))
MOST_CHANNELS = 24
"""Of a tensor: concatenations add up."""


def any_layers(dice: Dice) -> tuple[Layers, Shape]:
    """Steps and a head, and the image that they are for."""
    height = dice.weighted(SIDES)
    width = height if dice.chance(0.2) else dice.weighted(SIDES)
    image = (height, width, dice.integer(1, 4))
    found: list[Node] = [Input(name="input", inputs=(), shape=image)]
    steps = []
    for _ in range(dice.weighted(COUNTS)):
        step = _step(dice, found)
        node = node_of(step, found)
        if node.shape[2] <= MOST_CHANNELS:
            steps.append(step)
            found.append(node)
    head = dice.weighted(HEADS)
    return Layers(tuple(steps), str(head), hidden=dice.weighted(CHANNELS)), image


def _step(dice: Dice, found: list[Node]) -> Step:
    """A step that reads the newest tensor more often than not."""
    back = 0 if dice.chance(0.7) else dice.integer(0, len(found) - 1)
    shape = found[-1 - back].shape
    kind = dice.weighted(KINDS)
    step = Step(str(kind), back=back, clip=dice.choice(CLIPS), channels=dice.weighted(CHANNELS))
    match kind:
        case Kind.CONV:
            return _conv(dice, step, shape)
        case Kind.MAX_POOL | Kind.AVG_POOL:
            return _pool(dice, replace(step, clip=None, channels=1), shape)
        case Kind.SELECT:
            return replace(step, clip=None, channels=1, picks=_picks(dice, shape[2]))
        case Kind.ADD | Kind.CONCAT:
            others = tuple(dice.integer(0, 5) for _ in range(1 if dice.chance(0.7) else 2))
            if kind is Kind.CONCAT and dice.chance(0.1):
                others = ()
            return replace(step, channels=1, others=others)
    return replace(step, relu_in=dice.chance(0.5))


def _conv(dice: Dice, step: Step, shape: Shape) -> Step:
    """One that keeps its map and may have a shortcut beside it, pointwise or not, or any."""
    step = replace(step, own=str(dice.weighted(OWN)), relu_in=dice.chance(0.15))
    if dice.chance(0.3):
        side = dice.choice((1, 1, 3))
        depthwise = dice.chance(0.3)
        return replace(
            step,
            kernel=(side, side),
            padding=(side // 2, side // 2),
            groups=DEPTHWISE if depthwise else 1,
            channels=1 if depthwise else shape[2],
        )
    kernel = _pair(dice, KERNELS)
    if dice.chance(0.08):
        kernel = shape[:2]  # over the whole map: a fully connected layer
        return replace(step, kernel=kernel)
    dilation = (1, 1) if dice.chance(0.85) else _pair(dice, ((1, 1), (2, 2), (3, 1)))
    groups = dice.weighted(((1, 6), (DEPTHWISE, 2), (2, 2), (3, 1)))
    step = replace(step, kernel=kernel, stride=_pair(dice, STRIDES), dilation=dilation)
    step = replace(step, padding=_padding(dice, kernel), groups=groups)
    if groups != 1:
        step = replace(step, channels=dice.choice((1, 1, 2)))
    return replace(step, end=_padding(dice, kernel)) if dice.chance(0.3) else step


def _padding(dice: Dice, kernel: Pair) -> Pair:
    """None, half of the kernel, or anything up to all of it."""
    if dice.chance(0.5):
        return kernel[0] // 2, kernel[1] // 2
    return (0, 0) if dice.chance(0.4) else (dice.integer(0, kernel[0]), dice.integer(0, kernel[1]))


def _pool(dice: Dice, step: Step, shape: Shape) -> Step:
    """With windows as they come, in ceil mode, or over the whole map."""
    if dice.chance(0.1):
        return replace(step, kernel=shape[:2])
    kernel, stride = _pair(dice, KERNELS), _pair(dice, STRIDES)
    padding = tuple(0 if dice.chance(0.5) else dice.integer(0, side // 2) for side in kernel)
    step = replace(step, kernel=kernel, stride=stride, padding=(padding[0], padding[1]))
    if dice.chance(0.5):
        return step
    if dice.chance(0.3):
        return replace(step, end=(dice.integer(0, kernel[0] - 1), dice.integer(0, kernel[1] - 1)))
    # Ceil mode: a last window, if what the others leave over is no whole one.
    end = [
        before + (-(side + 2 * before - size)) % pace
        for side, before, size, pace in zip(shape[:2], padding, kernel, stride, strict=True)
    ]
    return replace(step, end=(end[0], end[1]))


def _picks(dice: Dice, depth: int) -> tuple[int, ...]:
    """A half, the halves in turn, all in another order, any with repetitions, one."""
    channels, half = list(range(depth)), -(-depth // 2)
    match dice.integer(0, 5):
        case 0:
            return tuple(channels[:half])
        case 1:
            return tuple(channels[depth // 2 :])
        case 2:
            turns = [*zip(channels[:half], channels[depth // 2 :], strict=True)]
            return tuple(channel for turn in turns for channel in turn)
        case 3:
            return tuple(dice.shuffled(channels))
        case 4:
            return tuple(dice.choice(channels) for _ in range(dice.integer(1, 8)))
    return (dice.choice(channels),)


def _pair(dice: Dice, values: tuple[tuple[int, int], ...]) -> Pair:
    """Of rows and columns: alike, or each as it comes."""
    first = dice.weighted(values)
    return (first, first) if dice.chance(0.5) else (first, dice.weighted(values))
