"""What becomes of modules of one's own: nodes, floats that agree, refusals by name."""

import math
import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hw.errors import InputError
from hw.ir.clip import Clip
from hw.ir.graph import Add, AvgPool, Concat, Conv, GlobalPool, Linear, MaxPool, Select
from hw.ir.hardware_names import require_names
from hw.ir.validate import NAME
from nas.importer import NotConvertible, import_module, require_agreement
from nas.importer.agreement import TOLERANCE, disagreement

IMAGE = (9, 8, 3)


class Model(nn.Module):
    """Six channels of a convolution, and what `body` makes of them."""

    def __init__(self, body, *layers: nn.Module, channels: int = 6):
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.layers = nn.ModuleList(layers)
        self.body = body

    def forward(self, x):
        return self.body(self.first(x), *self.layers)


def end(x):
    """Logits of a map."""
    return x.mean((2, 3))


def kinds(graph, *wanted):
    return [type(node).__name__ for node in graph.nodes[2:] if not wanted or type(node) in wanted]


def imported(module):
    """The graph, once it is sure that it computes what the module does."""
    torch.manual_seed(1)
    images = torch.randint(0, 256, (3, 3, *IMAGE[:2])) / 256
    found = import_module(module, IMAGE)
    assert disagreement(module, found, images) < TOLERANCE
    return found


def halves(x):
    a, b = x.chunk(2, dim=1)
    return end(torch.cat((b, a), 1))


def shuffled(x):
    n, c, h, w = x.size()
    return end(x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w))


def summed_in_place(x):
    y = F.relu(x)
    x += y
    return end(x)


def alias_in_place(x, conv):
    same = x
    same.relu_()
    return end(conv(x))


def unbound_result(x):
    F.relu(x, inplace=True)
    return end(x)


def by_shape(x):
    if x.shape[2] > 4:
        x = F.max_pool2d(x, 2)
    return end(x)


COMPUTED = {
    # name: body, layers, kinds of the nodes behind the first convolution
    "relu": (lambda x: end(x.relu()), (), ["GlobalPool"]),
    "relu6 in place": (lambda x, r: end(r(x)), (nn.ReLU6(inplace=True),), ["GlobalPool"]),
    "hardtanh": (lambda x, r: end(r(x)), (nn.Hardtanh(0, 6),), ["GlobalPool"]),
    "clamp": (lambda x: end(torch.clamp(x, min=0)), (), ["GlobalPool"]),
    "result unbound": (unbound_result, (), ["GlobalPool"]),
    "alias changed in place": (alias_in_place, (nn.Conv2d(6, 4, 1),), ["Conv", "GlobalPool"]),
    "relu behind a max pool": (
        lambda x: end(F.relu(F.max_pool2d(x, 3, 2, 1, ceil_mode=True))),
        (),
        ["MaxPool", "GlobalPool"],
    ),
    "relu behind a mean": (
        lambda x: end(F.relu(F.avg_pool2d(x, 2))),
        (),
        ["AvgPool", "Concat", "GlobalPool"],
    ),
    "relu beside another reader": (
        lambda x: end(x + F.relu(x)),
        (),
        ["Concat", "Add", "GlobalPool"],
    ),
    "relu before a convolution, beside another reader": (
        lambda x, conv: end(conv(F.relu(x)) + x),
        (nn.Conv2d(6, 6, 1),),
        ["Conv", "Add", "GlobalPool"],
    ),
    "sum in place": (summed_in_place, (), ["Concat", "Add", "GlobalPool"]),
    "sum of a list": (lambda x: end(sum([x, x, x])), (), ["Add", "Add", "GlobalPool"]),
    "halves": (halves, (), ["Select", "Select", "Concat", "GlobalPool"]),
    "shuffled": (shuffled, (), ["Select", "GlobalPool"]),
    "channel shuffle": (lambda x, s: end(s(x)), (nn.ChannelShuffle(3),), ["Select", "GlobalPool"]),
    "slices": (lambda x: end(x[:, ::2] + x[:, 3:]), (), ["Select", "Select", "Add", "GlobalPool"]),
    "reversed": (lambda x: end(x.flip(1)), (), ["Select", "GlobalPool"]),
    "channels last and back": (
        lambda x: end(x.permute(0, 2, 3, 1).permute(0, 3, 1, 2)),
        (),
        ["GlobalPool"],
    ),
    "mean of vectors of pixels": (lambda x: x.flatten(2).mean(2), (), ["GlobalPool"]),
    "adaptive pools": (
        lambda x, a, b, c: torch.flatten(b(a(x)), 1) + c(x).view(x.size(0), -1),
        (nn.AdaptiveMaxPool2d((3, 4)), nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((1, 1))),
        ["MaxPool", "GlobalPool", "GlobalPool", "Add"],
    ),
    "average without padding": (
        lambda x, a: end(a(x)),
        (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),),
        ["AvgPool", "GlobalPool"],
    ),
    "flatten, hidden layers": (
        lambda x, a, n, b: b(n(a(x.view(x.size(0), -1))).relu()),
        (nn.Linear(6 * 72, 5), nn.BatchNorm1d(5), nn.Linear(5, 4, bias=False)),
        ["Conv", "Linear"],
    ),
    "hidden layer of a part": (
        lambda x, a: a(x[:, 2:5].flatten(1)),
        (nn.Linear(3 * 72, 4),),
        ["Select", "Conv"],
    ),
    "convolution with bias and batch norm": (
        lambda x, c, n: end(n(c(x)).relu()),
        (
            nn.Conv2d(6, 4, (3, 2), (2, 1), (1, 1), dilation=2, groups=2),
            nn.BatchNorm2d(4, eps=1e-3),
        ),
        ["Conv", "GlobalPool"],
    ),
    "batch norm with a smaller epsilon": (
        lambda x, c, n: end(n(c(x))),
        (nn.Conv2d(6, 4, 1), nn.BatchNorm2d(4, eps=0, affine=False)),
        ["Conv", "GlobalPool"],
    ),
    "same padding": (
        lambda x, c: end(c(x)),
        (nn.Conv2d(6, 4, (4, 3), padding="same"),),
        ["Conv", "GlobalPool"],
    ),
    "softmax": (lambda x, s: s(end(x)), (nn.Softmax(1),), ["GlobalPool"]),
    "dropout in evaluation": (
        lambda x, d: end(F.dropout(d(x), 0.5, d.training)),
        (nn.Dropout2d(0.3),),
        ["GlobalPool"],
    ),
    "decided by shapes": (by_shape, (), ["MaxPool", "GlobalPool"]),
    "weights of a derived class": (
        lambda x, c: end(c(x)),
        (nn.utils.parametrizations.weight_norm(nn.Conv2d(6, 4, 1)),),
        ["Conv", "GlobalPool"],
    ),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_what_is_computed(name):
    body, layers, expected = COMPUTED[name]
    found = imported(Model(body, *layers))
    assert kinds(found.graph) == expected
    assert all(NAME.fullmatch(node.name) for node in found.graph)


def test_what_is_left_out_is_told_with_its_place():
    """Of a function that the model itself calls, too."""
    found = imported(Model(lambda x, d: end(F.dropout(d(x), 0.1, False)), nn.Dropout(0.3).eval()))
    assert found.notes == (
        "layers.0: dropout of 0.3 is left out, in training too",
        "forward: dropout of 0.1 is left out, in training too",
    )


def test_where_clips_go():
    graph = imported(Model(COMPUTED["relu behind a max pool"][0])).graph
    assert graph["first"].clip is Clip.RELU
    graph = imported(Model(lambda x, c: end(c(F.relu(x)) + x), nn.Conv2d(6, 6, 1))).graph
    assert graph["first"].clip is None and graph["layers_0"].relu_in
    graph = imported(Model(lambda x: end(F.relu6(F.relu(x + x))))).graph
    (total,) = (node for node in graph if isinstance(node, Add))
    assert total.clip is Clip.RELU6


def test_a_module_is_left_as_it_is():
    module = Model(lambda x, n, d: end(d(n(x))), nn.BatchNorm2d(6), nn.Dropout(0.5).eval())
    before = {name: value.clone() for name, value in module.state_dict().items()}
    import_module(module, IMAGE)
    assert [one.training for one in module.modules()] == [True, True, True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_model_of_one_layer():
    found = import_module(nn.Sequential(nn.Flatten(), nn.Linear(216, 4)), IMAGE)
    assert [node.name for node in found.graph] == ["input", "layer1"]
    assert isinstance(import_module(nn.Conv2d(3, 4, (9, 8)), IMAGE).graph.output, Conv)


def changed_after(x):
    half = x[:, :3]
    half.relu_()
    return end(x)


def twice(x, c):
    return end(c(c(x)))


def tied(x, a, b):
    b.weight = a.weight
    return end(b(a(x)))


def by_value(x):
    return end(x) if x.sum() > 0 else end(x + x)


def loop(x):
    for _ in range(int(x.max())):
        x = x + x
    return end(x)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.b.weight = self.a.weight

    def forward(self, x):
        return end(self.b(self.a(x)))


REFUSED = {
    "layer norm": (lambda x, n: end(n(x)), (nn.LayerNorm([9, 8]),), "layers.0 (LayerNorm, "),
    "sigmoid": (lambda x: end(torch.sigmoid(x)), (), r"use ReLU or ReLU6"),
    "product": (lambda x: end(x * x), (), "multiplies or divides"),
    "factor": (lambda x: end(x / 2), (), "multiplies or divides"),
    "constant": (lambda x: end(x + 1), (), "adds a constant"),
    "constant tensor": (lambda x: end(x + torch.ones(1)), (), "takes a constant tensor"),
    "broadcast": (lambda x: end(x + x.mean((2, 3), keepdim=True)), (), "of different shapes"),
    "norm behind a pool": (
        lambda x, n: end(n(F.max_pool2d(x, 2))),
        (nn.BatchNorm2d(6),),
        "stands directly behind no convolution",
    ),
    "norm beside a reader": (
        lambda x, n: end(x + n(x)),
        (nn.BatchNorm2d(6),),
        "reads a tensor before its batch norm, layers.0",
    ),
    "norm after a reader": (
        lambda x, n: end(F.max_pool2d(x, 1) + n(x)),
        (nn.BatchNorm2d(6),),
        "is read by max_pool2d too",
    ),
    "norm of batches": (
        lambda x, n: end(n(x)),
        (nn.BatchNorm2d(6, track_running_stats=False),),
        "no running statistics",
    ),
    "called twice": (twice, (nn.Conv2d(6, 6, 1),), "own here: give it a layer of its own"),
    "reflected": (
        lambda x, c: end(c(x)),
        (nn.Conv2d(6, 6, 3, padding=1, padding_mode="reflect"),),
        "pads with 'reflect'",
    ),
    "padding counted": (lambda x: end(F.avg_pool2d(x, 3, 1, 1)), (), "counts the padding"),
    "windows": (lambda x, p: end(p(x)), (nn.AdaptiveAvgPool2d(5),), "of different sizes"),
    "pixels moved": (lambda x: end(x.transpose(2, 3)), (), "elements were moved"),
    "images mixed": (lambda x: end(x.flip(0)), (), "elements were moved"),
    "softmax inside": (
        lambda x, c: c(end(x).softmax(1)),
        (nn.Linear(6, 4),),
        "reads a softmax",
    ),
    "always dropped": (lambda x: end(F.dropout(x)), (), "pass training=self.training"),
    "part changed in place": (changed_after, (), "changes in place"),
    "clip": (lambda x: end(x.clamp(-1, 1)), (), "clips to -1 ... 1"),
    "two results": (lambda x: (end(x), x), (), "returns 2 values"),
    "maps for logits": (lambda x: x, (), "flatten it to one vector"),
    "a value asked for": (by_value, (), "depends on the values of a tensor"),
    "a value counted to": (loop, (), "depends on the values of a tensor"),
    "shapes that do not fit": (lambda x, c: c(x), (nn.Conv2d(5, 6, 1),), "cannot be followed"),
    "part of a pool": (
        lambda x: end(F.max_pool2d(x, 2, return_indices=True)[0]),
        (),
        "places of its maxima",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    body, layers, reason = REFUSED[name]
    with pytest.raises(NotConvertible, match=re.escape(reason)) as refused:
        import_module(Model(body, *layers), IMAGE)
    assert len(refused.value.refusals) == 1, refused.value
    assert "\n" not in str(refused.value)


def test_shared_weights():
    with pytest.raises(NotConvertible, match=r"b \(Conv2d, .*shares its weights with a"):
        import_module(Tied(), IMAGE)


def test_a_hook():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(288, 2))
    module[0].register_forward_hook(lambda *_: None)
    with pytest.raises(NotConvertible, match="has a forward hook"):
        import_module(module, IMAGE)


def test_a_plain_sequential_has_no_place_of_ours():
    """What calls its layers is torch's code; who calls the importer is no part of the model."""
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU(), nn.Flatten(), nn.Linear(288, 2))
    with pytest.raises(NotConvertible) as refused:
        import_module(module, IMAGE)
    (one,) = refused.value.refusals
    assert one.place == "" and str(one).startswith("1 (GELU): is no activation function")


def test_every_layer_is_named_at_once():
    def body(x, norm, gate, late):
        x = norm(x) * gate(x).sigmoid()
        x = F.gelu(x)
        return late(by_value(x))

    layers = (nn.GroupNorm(2, 6), nn.Conv2d(6, 6, 1), nn.Hardswish())
    with pytest.raises(NotConvertible) as refused:
        import_module(Model(body, *layers), IMAGE)
    kinds = [one.kind for one in refused.value.refusals]
    assert kinds == ["GroupNorm", "sigmoid", "mul", "gelu", "", "Hardswish"]
    here = [one.place for one in refused.value.refusals[:5]]
    assert all(re.search(r"test_importer\.py:\d+$", place) for place in here)


def test_a_module_that_computes_something_else_every_time():
    class Counting(Model):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return super().forward(x[:, [0, 1, 2] if self.calls == 1 else [2, 1, 0]])

    module = Counting(lambda x: end(x))
    found = import_module(module, IMAGE)
    with pytest.raises(InputError, match="logits differ from those of its operations"):
        require_agreement(module, found, torch.rand(2, 3, 9, 8))


def test_every_kind_of_node_is_met():
    met = {kind for _, _, expected in COMPUTED.values() for kind in expected}
    nodes = (Add, AvgPool, Concat, Conv, GlobalPool, Linear, MaxPool, Select)
    assert met == {kind.__name__ for kind in nodes}


class Words(nn.Module):
    """Layers called as hardware, Verilog, torch's containers and nodes of the graph call things."""

    NAMES = ("keys", "values", "pop", "reg", "final", "cell", "clk", "input", "load_keys", "a__b")

    def __init__(self):
        super().__init__()
        for number, name in enumerate(self.NAMES):
            setattr(self, name, nn.Conv2d(4 if number else 3, 4, 1))
        self.output = nn.Linear(4, 10)

    def forward(self, x):
        for name in self.NAMES:
            x = getattr(self, name)(x)
        return self.output(x.mean((2, 3)))


def test_no_name_of_a_layer_is_one_that_hardware_or_a_model_cannot_have():
    """Else a model would be refused, or worse, once it has been trained."""
    found = imported(Words())
    require_names(found.graph)
    assert [found.sources[name].path for name in found.sources] == [*Words.NAMES, "output"]
    assert [node.name for node in found.graph if node.name in found.sources] == [
        "keys_node", "values_node", "pop_node", "reg_node", "final_node", "cell_node", "clk_node",
        "input_node", "node_load_keys", "a_b", "output_node",
    ]  # fmt: skip


class Other(nn.Module):
    def __init__(self, result):
        super().__init__()
        self.layer, self.result = nn.Conv2d(3, 10, 1), result

    def forward(self, x, mask, *more, scale=1):
        return self.result(end(self.layer(x)))


class Gives(Other):
    def forward(self, x):
        return self.result(end(self.layer(x)))


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Other(end), "forward: takes mask beside the images; give what it takes besides a default"),
        (Gives(lambda x: {"logits": x}), "forward: returns no tensor; expected one tensor of"),
        (Gives(lambda x: (x, x)), "forward: returns 2 values; expected one tensor of logits"),
    ],
)
def test_what_forward_takes_and_gives(module, said):
    with pytest.raises(NotConvertible) as caught:
        import_module(module, IMAGE)
    assert [str(one).startswith(said) for one in caught.value.refusals] == [True]


def test_functions_of_math_stay_as_they_are_meanwhile():
    """torch.compile, first used in the module's code, would take wrapped ones for the real ones."""
    real, seen = math.log, []

    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x):
            seen.append(math.log)
            return self.conv(x).mean((2, 3))

    import_module(nn.Sequential(Looks(), nn.Linear(2, 3)), (4, 5, 1))
    assert seen and all(one is real for one in seen)
