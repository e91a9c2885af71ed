"""Whether a user's model takes the images of a data set at all."""

import warnings

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from hw.errors import InputError
from hw.ir.graph import Shape
from nas.importer.building import shown


@torch.no_grad()
def require_fit(place: str, module: nn.Module, images: Shape, data: str) -> None:
    """InputError, naming the layer, where the model itself fails on images of this shape.

    Parameters
    ----------
    place: of the model's factory, for the message
    images: height, width, channels
    data: the name of the data set, for the message
    """
    height, width, channels = images
    entered: list[tuple[str, str]] = []
    hooks = _note_layers(module, entered)
    training = {one: one.training for one in module.modules()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module.eval()(torch.zeros(2, channels, height, width))
    except Exception as error:  # the user's code, or torch's in its name
        layer = "".join(f", at {path}, which gets {shape}" for path, shape in entered[-1:])
        raise InputError(
            f"{place}: fails on images of {height}x{width}x{channels}, as {data} has them{layer}: "
            f"{type(error).__name__}: {error}; give a model for such images, or other data"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
        for one, mode in training.items():
            one.training = mode


def _note_layers(module: nn.Module, entered: list[tuple[str, str]]) -> list[RemovableHandle]:
    """Let `entered` hold the layers whose call has begun and not ended, and what each gets."""

    def begin(path: str, layer: nn.Module, arguments: tuple) -> None:
        shapes = [shown(one.shape) for one in arguments if isinstance(one, Tensor)]
        entered.append((f"{path} ({type(layer).__name__})", " and ".join(shapes) or "no tensor"))

    hooks: list[RemovableHandle] = []
    for path, layer in module.named_modules():
        if path:
            hooks.append(
                layer.register_forward_pre_hook(lambda one, given, p=path: begin(p, one, given))
            )
            hooks.append(layer.register_forward_hook(lambda *_: entered.pop() and None))
    return hooks
