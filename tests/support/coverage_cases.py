"""Small networks for the tests of the coverage."""

from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.space import Genotype


def made(operations, image=(6, 4, 1), classes=3, **settings):
    genotype = Genotype(
        normal=operations, normal_concat=(2,), reduce=operations, reduce_concat=(2,)
    )
    graph = build(genotype, channels=2, cells=2, image=image, classes=classes, stem="cifar")
    return random_network(graph, seed=5, **settings)


def hits(coverage, group):
    """The bins of a group that were hit."""
    return {name for name, times in coverage.hits[group].items() if times}
