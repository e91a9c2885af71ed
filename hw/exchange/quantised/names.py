"""Names of foreign operators as names of nodes."""

import re

from hw.ir.validate import NAME


class Names:
    """Gives each name once; none of them lies in another one, as nodes' must not."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def of(self, foreign: str) -> str:
        """A name like `foreign`: words of letters, digits and _, joined by /."""
        words = [re.sub(r"[^A-Za-z0-9_]", "_", word) for word in foreign.split("/") if word]
        words = [word if re.match(r"[A-Za-z_]", word) else f"_{word}" for word in words]
        name, count = "/".join(words) or "node", 1
        # Without / it lies in no other one.
        base = name.replace("/", "_")
        while self._is_taken(name):
            count += 1
            name = f"{base}_{count}"
        assert NAME.fullmatch(name)
        self._given.add(name)
        return name

    def _is_taken(self, name: str) -> bool:
        return any(
            one == name or one.startswith(f"{name}/") or name.startswith(f"{one}/")
            for one in self._given
        )
