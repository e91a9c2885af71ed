"""Names of foreign operators as names of nodes."""

from hw.ir.hardware_names import possible


class Names:
    """Gives each name once; none of them lies in another one, as nodes' must not."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def of(self, foreign: str) -> str:
        """A name like `foreign`, whose words / joins, that hardware can have."""
        name = possible(foreign.split("/"), self._given)
        self._given.add(name)
        return name
