"""Names of nodes from the paths of modules."""

from collections.abc import Collection

from torch import nn

from hw.ir.hardware_names import possible

_ATTRIBUTES = frozenset(dir(nn.ModuleDict()))
"""What a layer of a `nas.model.GraphModel`, which holds them by name, cannot be called."""


def node_name(path: str, word: str, taken: Collection[str]) -> str:
    """A name that hardware and a model can have, not taken, in no other node, none in it.

    Numbers join the word before them: `layer1.0.conv1` is `layer1_0/conv1`.

    Parameters
    ----------
    path: of a module; empty for the outermost
    word: what the node is called inside of it; empty where it is the module itself
    """
    parts: list[str] = []
    for part in [*path.split("."), word]:
        if not part.isdigit():
            parts.append(part)
        elif parts and parts[-1]:
            parts[-1] += f"_{part}"
        else:
            parts.append(f"layer{part}")
    name = possible(parts, taken)
    return possible([f"{name}_node"], taken) if name in _ATTRIBUTES else name
