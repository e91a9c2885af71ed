"""How large a network is: weights and additions, by node and in sum."""

from dataclasses import dataclass

from hw.ir.graph import Add, AvgPool, Conv, FactorizedReduce, GlobalPool, Graph, Linear, Node


@dataclass(frozen=True)
class NodeCount:
    """Size of one node, see `Count`."""

    weights: int
    additions: int
    kernel: int = 0
    statistics: int = 0


@dataclass(frozen=True)
class Count:
    """Size of a network.

    Parameters
    ----------
    nodes: name to size, for every node of the graph
    weights: trainable ones: of the convolutions, two a batch-norm channel, of the classifier, and
        biases. A (sign, exponent) pair is one weight.
    additions: for one image. A convolution or the classifier has one for every weight and output
        pixel it meets, padding included: what is published as multiply-accumulates, which in the
        bit-shift domain are shifts and additions. A bias is one more, average pools add what they
        read, an Add one less than it has inputs. Requantisation is not counted.
    kernel: of the weights, those that become 0 or a power of two
    statistics: the running mean and variance of every batch-norm channel, which are no weights
    """

    nodes: dict[str, NodeCount]

    @property
    def weights(self) -> int:
        return sum(node.weights for node in self.nodes.values())

    @property
    def additions(self) -> int:
        return sum(node.additions for node in self.nodes.values())

    @property
    def kernel(self) -> int:
        return sum(node.kernel for node in self.nodes.values())

    @property
    def statistics(self) -> int:
        return sum(node.statistics for node in self.nodes.values())


def count(graph: Graph) -> Count:
    """Weights and additions of every node of `graph`, unread ones too unless it was pruned."""
    return Count({node.name: _count(graph, node) for node in graph})


def _count(graph: Graph, node: Node) -> NodeCount:
    height, width, channels = node.shape
    pixels = height * width
    match node:
        case Conv(kernel=(rows, columns), groups=groups):
            kernel = channels * (_channels_in(graph, node) // groups) * rows * columns
            norm, bias = 2 * channels * node.batch_norm, channels * node.bias
            return NodeCount(kernel + norm + bias, (kernel + bias) * pixels, kernel, norm)
        case FactorizedReduce():
            kernel = channels * _channels_in(graph, node)
            norm = 2 * channels
            return NodeCount(kernel + norm, kernel * pixels, kernel, norm)
        case Linear():
            kernel = channels * _channels_in(graph, node)
            return NodeCount(kernel + channels, kernel + channels, kernel)
        case AvgPool(kernel=(rows, columns)):
            return NodeCount(0, rows * columns * channels * pixels)
        case GlobalPool():
            rows, columns, _ = graph.in_shapes(node)[0]
            return NodeCount(0, rows * columns * channels)
        case Add():
            return NodeCount(0, (len(node.inputs) - 1) * channels * pixels)
        case _:
            return NodeCount(0, 0)


def _channels_in(graph: Graph, node: Node) -> int:
    return graph.in_shapes(node)[0][2]
