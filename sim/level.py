"""What of a network is simulated."""

from enum import StrEnum


class Level(StrEnum):
    """The whole network; or its cells, layers or processing elements, each on its own."""

    NETWORK = "network"
    CELL = "cell"
    OP = "op"
    PE = "pe"
