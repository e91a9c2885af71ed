"""Why layers that are often met have no nodes; what stands in no list is said in general."""

_STATISTICS = "takes statistics of each image; use BatchNorm2d behind a convolution"
_ACTIVATION = "is no activation function that a tensor can be clipped by; use ReLU or ReLU6"
_WEIGHTS = "calls a function with weights; make a module of it (nn.Conv2d, nn.Linear)"

_ACTIVATIONS = """
    Sigmoid Tanh SiLU GELU ELU SELU CELU LeakyReLU PReLU Hardswish Hardsigmoid Mish Softplus
    sigmoid tanh silu gelu elu selu celu leaky_relu prelu hardswish hardsigmoid mish softplus
"""

_REASONS = {
    **dict.fromkeys(
        ("LayerNorm", "GroupNorm", "InstanceNorm2d", "LocalResponseNorm", "RMSNorm"), _STATISTICS
    ),
    **dict.fromkeys(("layer_norm", "group_norm", "instance_norm"), _STATISTICS),
    **dict.fromkeys(_ACTIVATIONS.split(), _ACTIVATION),
    **dict.fromkeys(("conv2d", "linear", "batch_norm", "matmul", "bmm", "einsum"), _WEIGHTS),
    **dict.fromkeys(
        ("mul", "imul", "truediv", "itruediv", "mul_", "div", "div_"),
        "multiplies or"
        " divides; the hardware shifts and adds: let a batch norm scale, or leave it out",
    ),
    **dict.fromkeys(("sub", "isub", "sub_", "neg"), "subtracts; only sums have nodes"),
    "setitem": "changes a part of a tensor in place; join the parts by torch.cat",
    "pad": "pads by itself; give the padding to the convolution or pool behind it",
    "ZeroPad2d": "pads by itself; give the padding to the convolution or pool behind it",
    "ConvTranspose2d": "convolves to larger maps, which has no node",
    "Upsample": "makes larger maps, which has no node",
    "Conv1d": "only maps, (N, C, H, W), have nodes",
    "Conv3d": "only maps, (N, C, H, W), have nodes",
}


def reason_of(kind: str) -> str:
    """`kind`: name of a class of modules, or of a function."""
    return _REASONS.get(kind, "has no nodes: the hardware has nothing like it")
