"""The wiring of cells, checked against the DARTS network written down by hand."""

import re
from pathlib import Path

import pytest

from hw.errors import InputError
from hw.ir.graph import Add, Concat, Conv, FactorizedReduce, Graph, Input, Linear, MaxPool
from hw.networks import genotypes
from hw.networks.cells import build, skeleton
from hw.networks.space import (
    OPERATIONS,
    PAPER_CANDIDATES,
    Genotype,
    candidate_edges,
    has_weights,
    nodes_of,
    operation_nodes,
)

PUBLISHED = list(genotypes.published())

ONE_NODE = Genotype(
    normal=(("sep_conv_3x3", 0), ("skip_connect", 1)),
    normal_concat=(2,),
    reduce=(("max_pool_3x3", 0), ("skip_connect", 1)),
    reduce_concat=(2,),
)


def check_graph(graph: Graph) -> None:
    """What every graph has to hold: order, unique names, shapes that follow from the operations."""
    seen: set[str] = set()
    for node in graph:
        assert node.name not in seen
        assert seen.issuperset(node.inputs), f"{node.name} reads a tensor that is not there yet"
        seen.add(node.name)
        shapes = graph.in_shapes(node)
        match node:
            case Input() | Linear():
                continue
            case Add():
                assert len(shapes) == 2
                assert set(shapes) == {node.shape}
            case Concat():
                assert {shape[:2] for shape in shapes} == {node.shape[:2]}
                assert sum(shape[2] for shape in shapes) == node.shape[2]
            case Conv():
                sides = tuple(
                    (shapes[0][axis] + 2 * node.padding[axis] - reach - 1) // node.stride[axis] + 1
                    for axis in (0, 1)
                    for reach in [node.dilation[axis] * (node.kernel[axis] - 1)]
                )
                assert node.shape[:2] == sides
                assert shapes[0][2] % node.groups == node.shape[2] % node.groups == 0
            case FactorizedReduce():
                assert node.shape[:2] == tuple((side + 1) // 2 for side in shapes[0][:2])
            case MaxPool(stride=stride):
                assert node.shape[:2] == tuple(
                    (side + 2 - 3) // step + 1
                    for side, step in zip(shapes[0][:2], stride, strict=True)
                )


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize(
    ("stem", "image"),
    [
        ("cifar", (32, 32, 3)),
        ("cifar", (7, 9, 1)),
        ("cifar", (1, 1, 1)),
        ("imagenet", (64, 64, 3)),
        ("imagenet", (45, 33, 3)),
    ],
)
def test_published_networks_are_well_formed(name, stem, image):
    genotype = genotypes.get(name)
    for cells in (1, 2, 3, 5):
        graph = build(genotype, channels=4, cells=cells, image=image, classes=7, stem=stem)
        check_graph(graph)
        check_graph(graph.pruned())
        assert graph.output.shape == (1, 1, 7)


def test_one_node_network_node_by_node():
    graph = build(ONE_NODE, channels=4, cells=3, image=(8, 8, 1), classes=10)
    assert [(node.name, *node.inputs, node.shape) for node in graph] == [
        ("input", (8, 8, 1)),
        ("stem/conv", "input", (8, 8, 12)),
        ("cell0/preprocess0", "stem/conv", (8, 8, 4)),
        ("cell0/preprocess1", "stem/conv", (8, 8, 4)),
        ("cell0/edge0_sep_conv_3x3/dw1", "cell0/preprocess0", (8, 8, 4)),
        ("cell0/edge0_sep_conv_3x3/pw1", "cell0/edge0_sep_conv_3x3/dw1", (8, 8, 4)),
        ("cell0/edge0_sep_conv_3x3/dw2", "cell0/edge0_sep_conv_3x3/pw1", (8, 8, 4)),
        ("cell0/edge0_sep_conv_3x3/pw2", "cell0/edge0_sep_conv_3x3/dw2", (8, 8, 4)),
        ("cell0/node2", "cell0/edge0_sep_conv_3x3/pw2", "cell0/preprocess1", (8, 8, 4)),
        ("cell0/concat", "cell0/node2", (8, 8, 4)),
        ("cell1/preprocess0", "stem/conv", (8, 8, 8)),
        ("cell1/preprocess1", "cell0/concat", (8, 8, 8)),
        ("cell1/edge0_max_pool_3x3/pool", "cell1/preprocess0", (4, 4, 8)),
        ("cell1/edge1_skip_connect/reduce", "cell1/preprocess1", (4, 4, 8)),
        (
            "cell1/node2",
            "cell1/edge0_max_pool_3x3/pool",
            "cell1/edge1_skip_connect/reduce",
            (4, 4, 8),
        ),
        ("cell1/concat", "cell1/node2", (4, 4, 8)),
        ("cell2/preprocess0", "cell0/concat", (4, 4, 16)),
        ("cell2/preprocess1", "cell1/concat", (4, 4, 16)),
        ("cell2/edge0_max_pool_3x3/pool", "cell2/preprocess0", (2, 2, 16)),
        ("cell2/edge1_skip_connect/reduce", "cell2/preprocess1", (2, 2, 16)),
        (
            "cell2/node2",
            "cell2/edge0_max_pool_3x3/pool",
            "cell2/edge1_skip_connect/reduce",
            (2, 2, 16),
        ),
        ("cell2/concat", "cell2/node2", (2, 2, 16)),
        ("global_pool", "cell2/concat", (1, 1, 16)),
        ("classifier", "global_pool", (1, 1, 10)),
    ]
    assert isinstance(graph["cell1/preprocess0"], Conv)
    assert isinstance(graph["cell2/preprocess0"], FactorizedReduce)


def test_relu_and_batch_norm_sit_where_darts_has_them():
    graph = build(genotypes.get("PDARTS"), channels=4, cells=3, image=(8, 8, 1), classes=10)
    for node in graph:
        if isinstance(node, Conv):
            last = node.name.rsplit("/", 1)[1]
            assert node.relu_in == last.startswith(("dw", "preprocess")), node.name
            assert node.batch_norm != last.startswith("dw"), node.name


def test_imagenet_stem():
    graph = build(ONE_NODE, channels=6, cells=3, image=(65, 64, 3), classes=10, stem="imagenet")
    stem = [graph[name] for name in ("stem0/conv0", "stem0/conv1", "stem1/conv")]
    assert [node.shape for node in stem] == [(33, 32, 3), (17, 16, 6), (9, 8, 6)]
    assert [node.relu_in for node in stem if isinstance(node, Conv)] == [False, True, True]
    first = graph["cell0/preprocess0"]
    assert isinstance(first, FactorizedReduce)
    assert first.inputs == ("stem0/conv1",)
    assert graph["cell0/preprocess1"].inputs == ("stem1/conv",)


@pytest.mark.parametrize(
    ("cells", "reductions"), [(1, [0]), (2, [0, 1]), (3, [1, 2]), (8, [2, 5]), (20, [6, 13])]
)
def test_reductions_double_channels_and_halve_sides(cells, reductions):
    plans = skeleton(channels=3, cells=cells, image=(32, 32, 3), classes=10).cells
    assert [plan.index for plan in plans if plan.reduction] == reductions
    done = len(reductions)
    assert plans[-1].shape == (32 >> done, 32 >> done, 3 << done)
    for plan in plans:
        assert [plan.stride(state) for state in range(4)] == (
            [2, 2, 1, 1] if plan.reduction else [1, 1, 1, 1]
        )


def test_partial_concat_narrows_the_cells_that_follow():
    graph = build(genotypes.get("NASNet"), channels=4, cells=3, image=(16, 16, 3), classes=10)
    assert graph["cell0/concat"].shape == (16, 16, 5 * 4)
    assert graph["cell1/concat"].inputs == ("cell1/node4", "cell1/node5", "cell1/node6")
    assert graph["cell1/concat"].shape == (8, 8, 3 * 8)
    assert graph["global_pool"].shape == (1, 1, 3 * 16)


def test_identical_edges_are_kept_apart_and_skips_read_one_state_twice():
    graph = build(genotypes.get("NASNet"), channels=4, cells=3, image=(16, 16, 3), classes=10)
    assert graph["cell0/node5"].inputs == (
        "cell0/edge6_avg_pool_3x3/pool",
        "cell0/edge7_avg_pool_3x3/pool",
    )
    twice = Genotype((("skip_connect", 1), ("skip_connect", 1)), (2,), *_reduce())
    graph = build(twice, channels=4, cells=3, image=(8, 8, 1), classes=10)
    assert graph["cell0/node2"].inputs == ("cell0/preprocess1", "cell0/preprocess1")


def _reduce():
    return ONE_NODE.reduce, ONE_NODE.reduce_concat


def test_unread_states_are_kept_until_pruned():
    unread = Genotype((("skip_connect", 1), ("max_pool_3x3", 1)), (2,), *_reduce())
    graph = build(unread, channels=4, cells=3, image=(8, 8, 1), classes=10)
    assert "cell0/preprocess0" in graph.by_name
    assert "cell0/preprocess0" not in graph.pruned().by_name
    assert graph.readers["cell0/preprocess0"] == ()
    assert all(graph.pruned().readers[node.name] for node in graph.pruned().nodes[:-1])


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(8, 8, 4), (5, 7, 4), (1, 2, 4)])
def test_every_operation_gives_the_shape_asked_for(operation, stride, shape):
    nodes = operation_nodes(operation, "edge", "source", shape, 4, stride)
    check_graph(Graph((Input(name="source", inputs=(), shape=shape), *nodes)))
    result = nodes[-1].shape if nodes else shape
    assert result == ((shape[0] + stride - 1) // stride, (shape[1] + stride - 1) // stride, 4)
    assert all(node.name.startswith("edge/") for node in nodes)


def test_operations_that_keep_the_channels_refuse_others():
    for operation in ("max_pool_3x3", "avg_pool_3x3", "skip_connect"):
        with pytest.raises(ValueError, match="cannot turn 4 channels into 8"):
            operation_nodes(operation, "edge", "source", (8, 8, 4), 8, 1)
    for operation in filter(has_weights, OPERATIONS):
        nodes = operation_nodes(operation, "edge", "source", (8, 8, 4), 8, 1)
        check_graph(Graph((Input(name="source", inputs=(), shape=(8, 8, 4)), *nodes)))
        assert nodes[-1].shape == (8, 8, 8)


def test_dilated_and_separable_kernels():
    (dw, pw) = operation_nodes("dil_conv_5x5", "e", "s", (8, 8, 4), 4, 2)
    assert isinstance(dw, Conv)
    assert isinstance(pw, Conv)
    assert (dw.kernel, dw.dilation, dw.padding, dw.stride) == ((5, 5), (2, 2), (4, 4), (2, 2))
    assert (dw.groups, pw.groups, pw.kernel) == (4, 1, (1, 1))
    strides = [
        node.stride
        for node in operation_nodes("sep_conv_7x7", "e", "s", (8, 8, 4), 4, 2)
        if isinstance(node, Conv)
    ]
    assert strides == [(2, 2), (1, 1), (1, 1), (1, 1)]
    (across, down) = operation_nodes("conv_7x1_1x7", "e", "s", (8, 8, 4), 4, 2)
    assert isinstance(across, Conv)
    assert isinstance(down, Conv)
    assert (across.kernel, across.stride, across.padding) == ((1, 7), (1, 2), (0, 3))
    assert (down.kernel, down.stride, down.padding) == ((7, 1), (2, 1), (3, 0))
    assert (across.relu_in, down.relu_in) == (True, False)
    assert (across.batch_norm, down.batch_norm) == (False, True)


def test_search_space_of_the_paper():
    assert set(OPERATIONS) >= {*PAPER_CANDIDATES}
    # The four of O_c, then the three of O_t, whose skip has weights at stride 2 alone.
    assert [has_weights(name) for name in PAPER_CANDIDATES] == [True] * 4 + [False] * 3
    assert candidate_edges(2) == ((0, 0), (1, 0), (0, 1), (1, 1), (2, 1))
    assert len(candidate_edges(4)) == 14


def test_the_page_of_the_command_lists_every_operation():
    page = (Path(__file__).parents[3] / "docs/cli.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^Operations: ((?:`\w+`, )+)and those of", page, re.MULTILINE)
    assert tuple(re.findall(r"`(\w+)`", line)) == tuple(OPERATIONS)


def test_nodes_of_so_many_edges():
    assert [nodes_of(edges) for edges in (2, 5, 9, 14, 13, 0)] == [1, 2, 3, 4, None, None]
    assert all(nodes_of(len(candidate_edges(n))) == n for n in range(1, 40))


def test_skeleton_and_build_agree():
    genotype = genotypes.get("DARTS_V2")
    sizes = {"channels": 4, "cells": 4, "image": (9, 10, 3), "classes": 5}
    graph = build(genotype, **sizes)
    frame = skeleton(**sizes)
    assert frame.stem == graph.nodes[:2]
    assert frame.head == graph.nodes[-2:]
    for cell in frame.cells:
        assert cell.preprocess == tuple(graph[f"{cell.name}/preprocess{i}"] for i in (0, 1))
        assert {node.shape for node in cell.preprocess} == {cell.in_shape}
        assert graph[cell.output].shape == cell.out_shape
        for state, (operation, source) in enumerate(genotype.edges(cell.reduction)):
            for node in cell.edge_nodes(state, operation, source, "anything")[1:]:
                assert graph[node.name] == node
        assert graph[cell.node_name(3)].shape == cell.shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normal": ()}, "normal: 0 edges; a cell has two edges a node, one node or more"),
        ({"normal": ONE_NODE.normal[:1]}, "normal: 1 edges"),
        (
            {"normal": (("sep_conv_9x9", 0), ("skip_connect", 1))},
            "normal: edge 0: operation 'sep_conv_9x9' is not known; use one of sep_conv_3x3,",
        ),
        (
            {"reduce": (("skip_connect", 0), ("skip_connect", 2))},
            "reduce: edge 1: reads state 2; it can read states 0 to 1",
        ),
        ({"reduce": (("skip_connect", 0), ("skip_connect", -1))}, "reduce: edge 1: reads state -1"),
        ({"reduce_concat": ()}, "reduce_concat: []; list one or more of the nodes 2 to 2"),
        ({"reduce_concat": (1,)}, "reduce_concat: [1]"),
        ({"normal_concat": (3,)}, "normal_concat: [3]"),
        ({"normal_concat": (2, 2)}, "normal_concat: [2, 2]"),
    ],
)
def test_malformed_genotypes_are_refused(change, message):
    fields = {key: getattr(ONE_NODE, key) for key in genotypes.KEYS} | change
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        Genotype(**fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 0}, "channels: 0 is too small; at least 1 is needed"),
        ({"channels": 1, "stem": "imagenet"}, "channels: 1 is too small; at least 2 is needed"),
        ({"cells": 0}, "cells: 0"),
        ({"classes": 0}, "classes: 0"),
        ({"image": (8, 0, 1)}, "image: 0"),
        ({"stem": "mnist"}, "stem: 'mnist' is not known; use one of cifar, imagenet"),
    ],
)
def test_sizes_that_make_no_network_are_refused(change, message):
    sizes = {"channels": 4, "cells": 3, "image": (8, 8, 1), "classes": 10} | change
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        build(ONE_NODE, **sizes)


def test_unknown_operation_is_refused():
    with pytest.raises(InputError, match=r"^operation: 'zero' is not known; use one of"):
        operation_nodes("zero", "edge", "source", (8, 8, 4), 4, 1)
