"""Drawings of the cells of every published genotype."""

import re
import xml.dom.minidom

import pytest

from hw import genotypes
from hw.report.cell import draw, short


@pytest.mark.parametrize("name", sorted(genotypes.published()))
@pytest.mark.parametrize("reduction", [False, True])
def test_every_operation_is_drawn_and_nothing_overlaps(name, reduction):
    genotype = genotypes.get(name)
    edges, concat = genotype.edges(reduction), genotype.concat(reduction)
    text = draw(edges, concat, name)
    xml.dom.minidom.parseString(text)
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", text)
    assert sorted(labels) == sorted(
        [short(operation) for operation, _ in edges]
        + [f"node {node}" for node in range(len(edges) // 2)]
        + ["c[k−2]", "c[k−1]", "c[k]"]
    )
    width, height = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', text).groups())
    boxes = [
        tuple(map(float, box))
        for box in re.findall(
            r'<rect x="([\d.-]+)" y="([\d.-]+)" width="(\d+)" height="(\d+)"', text
        )
    ]
    assert len(boxes) == len(labels)
    for x, y, w, h in boxes:
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
    for index, (x, y, w, h) in enumerate(boxes):
        for other_x, other_y, other_w, other_h in boxes[index + 1 :]:
            apart = (
                x + w < other_x or other_x + other_w < x or y + h < other_y or other_y + other_h < y
            )
            assert apart


def test_links_run_from_left_to_right():
    genotype = genotypes.get("ShiftNAS_C10")
    text = draw(genotype.normal, genotype.normal_concat, "normal")
    links = re.findall(r'd="M([\d.]+) [\d.]+ C.* ([\d.]+) [\d.]+"/>', text.replace("/>", "/>\n"))
    assert len(links) >= 2 * len(genotype.normal) + len(genotype.normal_concat)
    assert all(float(start) < float(end) for start, end in links)


@pytest.mark.parametrize(
    ("operation", "label"),
    [
        ("sep_conv_3x3", "sep 3×3"),
        ("dil_conv_5x5", "dil 5×5"),
        ("max_pool_3x3", "max pool 3×3"),
        ("skip_connect", "skip"),
        ("conv_7x1_1x7", "conv 7×1 1×7"),
    ],
)
def test_short_names(operation, label):
    assert short(operation) == label
