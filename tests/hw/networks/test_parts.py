"""Stem, classifier and ends of edges: those of the wiring, whatever the nodes are called."""

from dataclasses import replace

import pytest

from hw.ir.graph import Graph
from hw.networks import genotypes
from hw.networks.cells import Stem, build, skeleton
from hw.networks.conventional import MODELS, model
from hw.networks.conventional.sizes import Sizes
from hw.networks.parts import classifier, edge_ends, stem
from hw.networks.space import OPERATIONS, Genotype

SIZES = {"channels": 2, "image": (33, 32, 3), "classes": 5}

FIRST, *OTHERS = OPERATIONS
ALL_OPERATIONS = Genotype(
    # Every operation reads both kinds of states: what enters the cell, and a sum.
    normal=((FIRST, 0), (FIRST, 1), *((name, state) for name in OTHERS for state in (0, 2))),
    normal_concat=(2, 3),
    reduce=((FIRST, 0), (FIRST, 1), *((name, state) for name in OTHERS for state in (1, 2))),
    reduce_concat=(3,),
)
IDENTITIES = Genotype(
    # States 0 and 1 are read by an Add alone, as the tensor of an edge is.
    normal=(("skip_connect", 0), ("skip_connect", 1)),
    normal_concat=(2,),
    reduce=(("skip_connect", 0), ("skip_connect", 1), ("skip_connect", 2), ("skip_connect", 2)),
    reduce_concat=(3,),
)
CASES = {
    **{name: genotypes.get(name) for name in genotypes.published()},
    "all operations": ALL_OPERATIONS,
    "identities": IDENTITIES,
}


@pytest.mark.parametrize("cells", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", Stem)
@pytest.mark.parametrize("name", CASES)
def test_they_are_what_the_wiring_made(name, kind, cells):
    genotype = CASES[name]
    graph = build(genotype, **SIZES, cells=cells, stem=kind)
    frame = skeleton(**SIZES, cells=cells, stem=kind)
    assert stem(graph) == {node.name for node in frame.stem[1:]}
    assert classifier(graph) == frame.head[-1].name
    edges = [
        cell.edge_nodes(position, operation, state, "state")
        for cell in frame.cells
        for position, (operation, state) in enumerate(genotype.edges(cell.reduction))
    ]
    ends = {nodes[-1].name for nodes in edges if nodes}
    assert edge_ends(graph) == ends
    live = graph.pruned()
    assert edge_ends(live) == ends & live.by_name.keys()


@pytest.mark.parametrize("kind", Stem)
def test_they_do_not_depend_on_names(kind):
    graph = build(ALL_OPERATIONS, **SIZES, cells=3, stem=kind)
    names = {node.name: f"n{number}" for number, node in enumerate(graph)}
    renamed = Graph(
        tuple(
            replace(node, name=names[node.name], inputs=tuple(names[i] for i in node.inputs))
            for node in graph
        )
    )
    for part in (stem, edge_ends):
        assert part(renamed) == {names[name] for name in part(graph)}


@pytest.mark.parametrize("kind", Stem)
@pytest.mark.parametrize("name", MODELS)
def test_conventional_networks_have_one_first_convolution_and_a_classifier(name, kind):
    graph = model(name, Sizes((64, 64, 3), 7, kind, width=1 / 8))
    first = next(node for node in graph if node.inputs == (graph.input.name,))
    assert stem(graph) == {first.name}
    assert classifier(graph) == "classifier"
    assert graph["classifier"].shape[2] == 7


def test_what_no_layer_makes_has_no_classifier():
    nodes = model("resnet8", Sizes((8, 8, 3), 7)).nodes
    assert classifier(Graph(nodes[:-1])) is None
