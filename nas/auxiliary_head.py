"""The auxiliary head: a second classifier in the middle of the network, in training alone.

It reads the output of the second reduction cell and brings gradients to the cells before. Its
layers are those of the DARTS lineage; its weights are shifted or real as the network's are. It is
no part of the network that is evaluated, counted or exported.
"""

from torch import Tensor, nn
from torch.nn import functional

from hw.errors import InputError
from hw.ir.graph import Concat, Conv, Graph, Linear, Shape
from hw.networks.cells import Stem, reductions
from nas.model import GraphModel, make_unit
from nas.shift import ShiftSettings

HIDDEN, WIDE = 128, 768
"""Channels of the head's two convolutions."""

WINDOW = 5
"""Side of the average pool."""

POOL_STRIDE = {Stem.CIFAR: 3, Stem.IMAGENET: 2}
"""By stem: 8x8 (CIFAR) and 7x7 (ImageNet) maps both become 2x2."""


class AuxiliaryHead(nn.Module):
    """ReLU, average pool 5×5, conv 1×1 to 128, ReLU, conv 2×2 to 768, ReLU, classifier.

    Both convolutions have a batch norm, but for the second one of an ImageNet network. Maps larger
    than the published networks' leave more than one pixel before the classifier: their mean is
    taken.

    Parameters
    ----------
    shape: height, width, channels of the map that it reads
    stem: of the network
    domain, settings: of the weights, as in `GraphModel`

    Raises
    ------
    InputError: the map is too small
    """

    def __init__(self, shape: Shape, classes: int, stem: str, domain: str, settings: ShiftSettings):
        super().__init__()
        kind = Stem(stem)
        self.stride = POOL_STRIDE[kind]
        least = WINDOW + self.stride  # two pixels a side are left for the 2x2 convolution
        height, width, channels = shape
        if min(height, width) < least:
            raise InputError(
                f"train.auxiliary: the second reduction cell gives a map of {height}x{width}, the "
                f"auxiliary head needs {least}x{least} or more; set train.auxiliary=0"
            )
        rows, columns = ((side - WINDOW) // self.stride + 1 for side in (height, width))
        nodes = (
            (channels, Conv(name="reduce", inputs=(), shape=(rows, columns, HIDDEN))),
            (
                HIDDEN,
                Conv(
                    name="widen",
                    inputs=(),
                    shape=(rows - 1, columns - 1, WIDE),
                    kernel=(2, 2),
                    batch_norm=kind is Stem.CIFAR,
                ),
            ),
            (WIDE, Linear(name="classifier", inputs=(), shape=(1, 1, classes))),
        )
        self.units = nn.ModuleDict(
            {
                node.name: unit
                for width, node in nodes
                if (unit := make_unit(node, width, domain=domain, settings=settings)) is not None
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of maps (N, C, H, W)."""
        x = functional.avg_pool2d(functional.relu(x), WINDOW, self.stride)
        for name in ("reduce", "widen"):
            x = functional.relu(self.units[name](x))
        return self.units["classifier"](x.mean((2, 3)))


def tap(graph: Graph) -> str:
    """Name of the tensor that the head of a network of cells reads."""
    cells = [node.name for node in graph if isinstance(node, Concat)]
    return cells[reductions(len(cells))[1]]


class TrainedNetwork(nn.Module):
    """What a training optimises: the network and, if it has one, its auxiliary head.

    Parameters
    ----------
    network: evaluated, counted and exported without the head; of cells, if it is to have one
    stem: of the network
    """

    def __init__(self, network: GraphModel, stem: str, auxiliary: bool):
        super().__init__()
        self.network, self.head = network, None
        if auxiliary:
            graph = network.graph
            self.tap = tap(graph)
            shape, classes = graph[self.tap].shape, graph.output.shape[2]
            self.head = AuxiliaryHead(shape, classes, stem, network.domain, network.settings)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (N, classes) of the network and of the head, for images of `image_tensor`."""
        tensors = self.network.tensors(x)
        logits = self.network.logits(tensors)
        return logits, None if self.head is None else self.head(tensors[self.tap])
