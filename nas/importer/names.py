"""Names of nodes from the paths of modules."""

import re
from collections.abc import Collection


def node_name(path: str, word: str, taken: Collection[str]) -> str:
    """A name that is not taken, and lies in no other node, nor any in it.

    Numbers join the word before them: `layer1.0.conv1` is `layer1_0/conv1`.

    Parameters
    ----------
    path: of a module; empty for the outermost
    word: what the node is called inside of it; empty where it is the module itself
    """
    parts: list[str] = []
    for part in [*path.split("."), word]:
        cleaned = re.sub(r"[^A-Za-z0-9_]", "_", part)
        if part.isdigit():
            if parts:
                parts[-1] += f"_{part}"
            else:
                parts.append(f"layer{part}")
        elif cleaned:
            parts.append(cleaned if re.match("[A-Za-z_]", cleaned) else f"_{cleaned}")
    name, number = "/".join(parts), 2
    while any(_meet(name, other) for other in taken):
        if any(name.startswith(f"{other}/") for other in taken):
            parts[-2:] = ["_".join(parts[-2:])]
            name = "/".join(parts)
        else:
            name, number = "/".join([*parts[:-1], f"{parts[-1]}_{number}"]), number + 1
    return name


def _meet(name: str, other: str) -> bool:
    return name == other or name.startswith(f"{other}/") or other.startswith(f"{name}/")
