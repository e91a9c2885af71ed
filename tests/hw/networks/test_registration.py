"""Operations of one's own: registered, or refused with the place and what was expected."""

import re
from dataclasses import replace

import pytest
from own_plugins import forgotten

from hw.errors import InputError
from hw.ir.clip import Clip
from hw.ir.graph import Add, Conv, GlobalPool, MaxPool
from hw.networks import genotypes, space
from hw.networks.cells import build
from hw.networks.random_network import random_network
from hw.networks.registration import is_registered, register_operation
from hw.networks.space import Genotype, Site, operation_nodes, strided


@pytest.fixture(autouse=True)
def registries():
    with forgotten():
        yield


def pool(site: Site, side=5, **more):
    settings = {
        "name": f"{site.name}/pool",
        "inputs": (site.source,),
        "shape": strided(site.shape, site.channels, site.stride),
        "kernel": (side, side),
        "stride": (site.stride, site.stride),
        "padding": (side // 2, side // 2),
    }
    return [MaxPool(**settings | more)]


def pointwise(site: Site, **more):
    settings = {
        "name": f"{site.name}/conv",
        "inputs": (site.source,),
        "shape": strided(site.shape, site.channels, site.stride),
        "stride": (site.stride, site.stride),
    }
    return [Conv(**settings | more)]


def test_an_operation_registered_is_one_of_a_genotype_and_of_a_network():
    register_operation("max_pool_5x5", pool)
    assert is_registered("max_pool_5x5") and not is_registered("max_pool_3x3")
    edges = (("max_pool_5x5", 0), ("skip_connect", 1))
    content = genotypes.to_mapping(Genotype(edges, (2,), edges, (2,)))
    genotype = genotypes.from_mapping(content)
    graph = build(genotype, channels=2, cells=2, image=(6, 6, 1), classes=3)
    network = random_network(graph, seed=1)
    found = network.graph["cell0/edge0_max_pool_5x5/pool"]
    assert isinstance(found, MaxPool) and found.kernel == (5, 5)
    (same,) = operation_nodes("max_pool_5x5", "e", "s", (6, 6, 2), 2, 1)
    assert same == replace(found, name="e/pool", inputs=("s",), stride=(1, 1), shape=(6, 6, 2))


@pytest.mark.parametrize("name", ["sep_conv_3x3", "skip_connect", "zero", "auxiliary_skip"])
def test_a_name_that_is_taken(name):
    with pytest.raises(InputError, match=f"operation {name}: there is one of this name"):
        register_operation(name, pool)


@pytest.mark.parametrize("name", ["", "Pool", "max-pool", "_pool", "pool_", "a/b", "5x5", "a__b"])
def test_what_is_no_name(name):
    with pytest.raises(InputError, match=re.escape(f"operation {name!r}: expected lower-case")):
        register_operation(name, pool)


def test_registered_twice():
    register_operation("own", pool)
    with pytest.raises(InputError, match="operation own: there is one"):
        register_operation("own", pointwise)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (lambda site: [], "at stride 2 on 8x8x4: gives [8, 8, 4]; expected [4, 4, 4]"),
        (lambda site: 1 / 0, "at stride 1 on 8x8x4: ZeroDivisionError: division by zero"),
        (lambda site: None, "at stride 1 on 8x8x4: TypeError"),
        (
            lambda site: pool(site, name="pool"),
            "MaxPool 'pool': expected the name 'cell0/edge0/…'",
        ),
        (lambda site: pool(site, inputs=("input",)), "cell0/edge0/pool: reads input; expected a "),
        (lambda site: pool(site, 4), "at stride 1 on 8x8x4: cell0/edge0/pool: shape"),
        (lambda site: pool(site, padding=(0, 0)), "cell0/edge0/pool: shape: [8, 8, 4]; its inputs"),
        (lambda site: pointwise(site, bias=True), "'cell0/edge0/conv': expected one without clip"),
        (lambda site: pointwise(site, clip=Clip.RELU6), "expected one without clip and bias"),
        (lambda site: pointwise(site, groups=3), "cell0/edge0/conv: groups: 3 must divide"),
        (
            lambda site: pointwise(site, shape=(*strided(site.shape, 1, site.stride)[:2], 9)),
            "at stride 1 on 8x8x4: gives [8, 8, 9]; expected [8, 8, 4]",
        ),
        (
            lambda site: [
                GlobalPool(name=f"{site.name}/g", inputs=(site.source,), shape=(1, 1, 4))
            ],
            "GlobalPool: expected nodes of Conv, FactorizedReduce, MaxPool and AvgPool",
        ),
        (
            lambda site: [
                *pointwise(site),
                Add(
                    name=f"{site.name}/add",
                    inputs=(f"{site.name}/conv", site.source),
                    shape=strided(site.shape, site.channels, site.stride),
                ),
            ],
            "Add: expected nodes of Conv",
        ),
        (
            # On odd sides a window without padding gives one pixel less than asked for.
            lambda site: pool(site, 1 + (site.stride == 2), padding=(0, 0)),
            "at stride 2 on 5x7x4: cell0/edge0/pool: shape: [3, 4, 4]; its inputs make [2, 3, 4]",
        ),
    ],
)
def test_what_is_no_operation_is_refused_where_it_fails(nodes, message):
    with pytest.raises(InputError) as caught:
        register_operation("own", nodes)
    assert str(caught.value).startswith("operation own: ")
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert "own" not in space.OPERATIONS
