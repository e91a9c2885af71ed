"""Drawings of the cells of every published genotype."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from hw.networks import genotypes
from hw.report.cell import BOX, draw, layout
from hw.report.operations import colour, short


@pytest.mark.parametrize("name", sorted(genotypes.published()))
@pytest.mark.parametrize("reduction", [False, True])
def test_every_operation_is_placed_and_nothing_overlaps(name, reduction):
    genotype = genotypes.get(name)
    edges, concat = genotype.edges(reduction), genotype.concat(reduction)
    placed = layout(edges, concat)
    shown = [vertex for vertex in placed.vertices if vertex.kind != "bend"]
    assert sorted(vertex.label for vertex in shown) == sorted(
        [short(operation) for operation, _ in edges]
        + [f"node {node}" for node in range(len(edges) // 2)]
        + ["c[k−2]", "c[k−1]", "c[k]"]
    )
    boxes = []
    for vertex in shown:
        (x, y), (w, h) = placed.centre(vertex), BOX[vertex.kind]
        boxes.append((x - w / 2, y - h / 2, w, h))
    for x, y, w, h in boxes:
        assert x >= 0 and y >= 0 and x + w <= placed.width and y + h <= placed.height
    for index, (x, y, w, h) in enumerate(boxes):
        for other_x, other_y, other_w, other_h in boxes[index + 1 :]:
            apart = (
                x + w < other_x or other_x + other_w < x or y + h < other_y or other_y + other_h < y
            )
            assert apart


def test_links_run_from_left_to_right():
    genotype = genotypes.get("ShiftNAS_C10")
    placed = layout(genotype.normal, genotype.normal_concat)
    assert len(placed.links) >= 2 * len(genotype.normal) + len(genotype.normal_concat)
    for source, target in placed.links:
        assert placed.vertices[target].layer == placed.vertices[source].layer + 1


@pytest.mark.parametrize("name", ["ShiftNAS_C10", "NASNet", "AmoebaNet"])
def test_the_drawing_has_every_box_in_its_colour_and_labels_inside(name):
    genotype = genotypes.get(name)
    figure = draw(genotype.normal, genotype.normal_concat)
    (axes,) = figure.axes
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [patch for patch in axes.patches if hasattr(patch, "get_boxstyle")]
    assert len(boxes) == len(axes.texts) == len(genotype.normal) * 3 // 2 + 3
    colours = {short(operation): colour(operation) for operation, _ in genotype.normal}
    for box, text in zip(boxes, axes.texts, strict=True):
        inside, around = text.get_window_extent(renderer), box.get_window_extent(renderer)
        assert around.x0 <= inside.x0 and inside.x1 <= around.x1, text.get_text()
        if text.get_text() in colours:
            wanted = tuple(int(colours[text.get_text()][i : i + 2], 16) / 255 for i in (1, 3, 5))
            assert box.get_facecolor()[:3] == pytest.approx(wanted)
