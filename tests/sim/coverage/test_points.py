"""The coverage model follows the operations that there are."""

import pytest
from coverage_cases import made

from hw.errors import InputError
from hw.ir.graph import Conv, MaxPool
from hw.networks import space
from sim.coverage import hardware, nodes
from sim.coverage.points import groups, windows
from sim.coverage.store import Coverage

PADDING = (
    *(f"{name} {side}" for name in ("3x3", "5x5", "7x7", "3x3 dilation 2", "5x5 dilation 2")
      for side in ("top", "bottom", "left", "right", "inside")),
    *(f"1x7 {side}" for side in ("left", "right", "inside")),
    *(f"7x1 {side}" for side in ("top", "bottom", "inside")),
    *(f"{name} pool 3x3 {side}" for name in ("max", "average")
      for side in ("top", "bottom", "left", "right", "inside")),
    *(f"factorized reduce {side}" for side in ("bottom", "right", "inside")),
)  # fmt: skip


def wide_pool(site):
    shape = space.strided(site.shape, site.shape[2], site.stride)
    return [
        MaxPool(
            name=f"{site.name}/pool",
            inputs=(site.source,),
            shape=shape,
            kernel=(5, 5),
            stride=(site.stride, site.stride),
            padding=(2, 2),
        )
    ]


def test_bins_of_the_operations_that_ship():
    assert set(groups()["padding"]) == set(PADDING)
    assert len(groups()["operation"]) == 2 * len(space.OPERATIONS)
    assert "skip_connect stride 2" in groups()["operation"]


def test_an_operation_added_has_bins_and_is_counted(monkeypatch):
    monkeypatch.setitem(space.OPERATIONS, "wide_pool", wide_pool)
    assert windows()["max pool 5x5"] == ("top", "bottom", "left", "right", "inside")
    network = made((("wide_pool", 0), ("skip_connect", 1)))
    hardware.require_known(network)
    coverage = Coverage()
    for name in hardware.operations(network):
        coverage.hit("operation", name)
    nodes.measure(coverage, network)
    assert coverage.hits["operation"]["wide_pool stride 2"] > 0
    assert coverage.hits["padding"]["max pool 5x5 top"] > 0


def test_what_the_model_does_not_know_is_refused_by_name(monkeypatch):
    monkeypatch.setitem(space.OPERATIONS, "wide_pool", wide_pool)
    network = made((("wide_pool", 0), ("skip_connect", 1)))
    monkeypatch.undo()
    with pytest.raises(InputError, match="no bin 'wide_pool stride 2' in group operation: "):
        hardware.require_known(network)


def test_a_window_of_no_operation_counts_by_its_kind(monkeypatch):
    def nine(site):
        return [Conv(name=f"{site.name}/conv", inputs=(site.source,), relu_in=True,
                     shape=space.strided(site.shape, site.channels, site.stride),
                     stride=(site.stride, site.stride), kernel=(9, 9), padding=(4, 4))]  # fmt: skip

    monkeypatch.setitem(space.OPERATIONS, "sep_conv_3x3", nine)
    network = made((("sep_conv_3x3", 0), ("skip_connect", 1)))
    monkeypatch.undo()
    hardware.require_known(network)
    coverage = Coverage()
    nodes.measure(coverage, network)
    found = {name for name, times in coverage.hits["window"].items() if times}
    assert found == {f"convolution: {side}" for side in ("top", "bottom", "left", "right")}
