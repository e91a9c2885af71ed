"""Max pools, average pools and selections, which are engines, and the global pool, which keeps its
sums."""

from dataclasses import dataclass

from hw.dataflow.design.engine import EngineDesign, MaximumDesign, SumDesign
from hw.dataflow.design.geometry import Geometry
from hw.dataflow.design.program import pool_program, select_program
from hw.dataflow.design.requantiser import RequantiseDesign, mean_design
from hw.dataflow.design.scales import sum_width
from hw.dataflow.plan import LayerPlan, Place
from hw.ir.arithmetic import in_formats
from hw.ir.format import Format
from hw.ir.graph import AvgPool, GlobalPool, MaxPool, Select, Shape
from hw.ir.network import Network


def pool_design(network: Network, node: MaxPool | AvgPool, plan: LayerPlan) -> EngineDesign:
    """The engine of a pool; input and output have one format."""
    (fmt,) = in_formats(network, node.name)
    g = Geometry.of(network.graph, node)
    if isinstance(node, MaxPool):
        element, end = MaximumDesign(), None
    else:
        counts = pixel_counts(g)
        element = SumDesign(counts, sum_width(fmt.qmin, fmt.qmax, max(counts)))
        end = mean_design(fmt, counts, element.width)
    return EngineDesign(
        name=node.name,
        geometry=g,
        source=fmt,
        out=fmt,
        relu=False,
        store=plan.store,
        program=pool_program(g),
        place=Place.BLOCK,
        element=element,
        end=end,
    )


def select_design(network: Network, node: Select, plan: LayerPlan) -> EngineDesign:
    """The engine of a selection: the largest of one tap, for each channel."""
    (fmt,) = in_formats(network, node.name)
    return EngineDesign(
        name=node.name,
        geometry=Geometry.of(network.graph, node),
        source=fmt,
        out=fmt,
        relu=False,
        store=plan.store,
        program=select_program(node.channels),
        place=Place.BLOCK,
        element=MaximumDesign(),
        end=None,
    )


def pixel_counts(g: Geometry) -> tuple[int, ...]:
    """The numbers of real pixels that the windows of a pool hold, rising."""
    numbers = []
    for axis in (0, 1):
        spans = [g.valid(axis, k) for k in range(g.kernel[axis])]
        numbers.append({sum(low <= n <= high for low, high in spans) for n in range(g.out[axis])})
    return tuple(sorted({rows * columns for rows in numbers[0] for columns in numbers[1]}))


@dataclass(frozen=True)
class GlobalPoolDesign:
    """A global average pool.

    Parameters
    ----------
    name: of the node
    shape: of the input feature map
    out: format of input and output
    width: of a channel's sum
    end: the mean
    """

    name: str
    shape: Shape
    out: Format
    width: int
    end: RequantiseDesign

    @classmethod
    def of(cls, network: Network, node: GlobalPool) -> "GlobalPoolDesign":
        """The pool of a node."""
        (shape,), (fmt,) = network.graph.in_shapes(node), in_formats(network, node.name)
        pixels = shape[0] * shape[1]
        width = sum_width(fmt.qmin, fmt.qmax, pixels)
        return cls(node.name, shape, fmt, width, mean_design(fmt, (pixels,), width))
