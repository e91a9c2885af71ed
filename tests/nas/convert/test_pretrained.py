"""Weights from a file, and from the module: taken as they are, or refused by name."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from hw.errors import InputError
from nas import beginning
from nas.convert.pretrained import first_weights, load_into
from nas.importer import import_module
from nas.model import GraphModel


def net() -> nn.Sequential:
    layers = (nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    return nn.Sequential(*layers)


def test_a_state_dict(tmp_path):
    given, module = net(), net()
    torch.save(given.state_dict(), tmp_path / "w.pt")
    load_into(module, tmp_path / "w.pt")
    assert all(torch.equal(t, module.state_dict()[n]) for n, t in given.state_dict().items())


class Evil:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"model": net().state_dict(), "epoch": 3}, "holds model, epoch; expected what torch.save"),
        ({}, "holds nothing; expected"),
        ([1], "holds a list; expected"),
        (net(), "not a file of tensors alone; expected"),
        (Evil(), "not a file of tensors alone; expected"),
        (
            OrderedDict((f"module.{n}", t) for n, t in net().state_dict().items()),
            r"not the weights of this model: it has no 0.weight \(it has module.0.weight: remove",
        ),
        ({**net().state_dict(), "5.weight": torch.ones(1)}, "the model has no 5.weight"),
        (
            {**net().state_dict(), "4.bias": torch.ones(4)},
            r"4.bias has the shape \[4\], in the model \[3\]",
        ),
    ],
)
def test_other_files(tmp_path, capsys, content, said):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(InputError, match=said) as caught:
        load_into(net(), tmp_path / "w.pt")
    assert "\n" not in str(caught.value) and "run" not in capsys.readouterr().out


def test_no_file_and_no_archive(tmp_path):
    (tmp_path / "text").write_text("weights")
    for name, said in (("none", "No such file"), (".", "Is a directory"), ("text", "not a file")):
        with pytest.raises(InputError, match=said):
            load_into(net(), tmp_path / name)


def test_a_cut_file(tmp_path):
    torch.save(net().state_dict(), tmp_path / "w.pt")
    (tmp_path / "w.pt").write_bytes((tmp_path / "w.pt").read_bytes()[:-100])
    with pytest.raises(InputError, match="not a file of tensors alone"):
        load_into(net(), tmp_path / "w.pt")


def test_they_become_the_nearest_shift_weights():
    module = net()
    torch.nn.init.constant_(module[0].bias, 0.25)
    with torch.no_grad():
        module[4].weight[0, :3] = torch.tensor([3.0, 0.3, -0.24])
    found = import_module(module, (4, 4, 1))
    weights = first_weights("here", found)
    model = GraphModel(found.graph)
    told = beginning.take_over(model, weights.source, weights.place)
    assert told.larger == 1 and told.weights > 40 and told.new == ()
    last = model.shift_weights()[found.graph.output.name]()
    assert last.flatten(1)[0, :3].tolist() == [1.0, 0.25, -0.25]


def test_the_digest_is_of_every_number():
    module = net()
    digest = first_weights("a", import_module(module, (4, 4, 1))).digest
    assert first_weights("b", import_module(module, (4, 4, 1))).digest == digest
    for tensor in [*module.parameters(), module[1].running_mean, module[1].running_var]:
        with torch.no_grad():
            tensor.view(-1)[-1] += 0.5
        other = first_weights("a", import_module(module, (4, 4, 1))).digest
        assert other != digest
        digest = other


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(value):
    """Before anything is trained; those of a layer, and those of its batch norm."""
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 3))
    found = import_module(module, (8, 8, 1))
    first_weights("mine.py:net", found)
    for layer, said in ((module[1], "0 (BatchNorm2d)"), (module[3], "3 (Linear)")):
        kept = layer.weight.detach().clone()
        with torch.no_grad():
            layer.weight[1] = value
        with pytest.raises(InputError) as caught:
            first_weights("mine.py:net", found)
        assert str(caught.value).startswith(f"mine.py:net: {said}: holds nan or inf; mend")
        with torch.no_grad():
            layer.weight.copy_(kept)
