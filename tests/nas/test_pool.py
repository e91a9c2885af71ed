"""Chains of commands, some at a time: their order, their failures, what they print."""

import pytest
import torch

from hw.errors import InputError
from nas.pool import Call, Pool, places

CPU = torch.device("cpu")
KNOWN = ["genotypes", "GDAS_V1"]
UNKNOWN = ["genotypes", "nope"]


def test_a_chain_goes_on_and_ends_where_a_call_fails():
    """The chain beside it comes to its end, and is told of before the failure is."""
    ended = {}
    pool = Pool(CPU, 2, jobs=2)
    chains = {
        "bad": [Call("one", UNKNOWN), Call("two", ["genotypes", "another"])],
        "good": [Call("one", KNOWN), Call("two", ["genotypes", "DARTS_V2"])],
    }
    with pytest.raises(InputError, match=r"^one: .*nope.*; what the others did is kept$"):
        pool.run(chains, lambda: "", ended.__setitem__)
    assert list(ended) == ["good"]
    names = [result["genotypes"][0]["name"] for result in ended["good"]]
    assert names == ["GDAS_V1", "DARTS_V2"]


def test_what_the_calls_printed():
    results = Pool(CPU, 1).run({"a": [Call("a", KNOWN)]}, lambda: "")
    assert [entry["name"] for entry in results["a"][0]["genotypes"]] == ["GDAS_V1"]


def test_one_place_a_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert places(torch.device("cuda")) == [
        {"CUDA_VISIBLE_DEVICES": "2"},
        {"CUDA_VISIBLE_DEVICES": "5"},
    ]
    assert all(place == {} for place in places(CPU)) and len(places(CPU)) >= 1
