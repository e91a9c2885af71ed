"""Under which terms an emitted file stands: a line that people and scanners read.

The text of an emitted file is made of two things: what the generator writes, which its authors give
away under MIT-0, with nothing asked for; and the network, its weights above all, which is somebody
else's and of which the generator knows nothing. Who owns the network puts the file under any terms.
"""

import re

from hw.errors import InputError

DEFAULT = "MIT-0 AND LicenseRef-network-owner"
"""Both parts, where nothing is said: the generator's, and the network's under terms not told."""

OPEN = "MIT-0"
"""Of hardware with no network in it."""

OPEN_NOTE = (
    "All of this file is the generator's, which is under MIT-0: use, change and relicense it, no "
    "notice needed. No network is in it."
)

NOTE = (
    "What the generator put into this file is under MIT-0: use, change and relicense it, no notice "
    "needed. The network in it, its weights above all, is its owner's, who may put the whole file "
    "under any terms: `shiftnas emit --licence`."
)

_WORD = r"\(*[A-Za-z0-9][\w.+:-]*\)*"
_EXPRESSION = re.compile(rf"{_WORD}( (AND|OR|WITH) {_WORD})*", re.A)


def check(expression: str, field: str) -> None:
    """Raises InputError, the field first, for what is not written like an SPDX expression."""
    if not _EXPRESSION.fullmatch(expression) or expression.count("(") != expression.count(")"):
        raise InputError(
            f"{field}: {expression!r} is no SPDX expression, such as Apache-2.0 or "
            "LicenseRef-Acme-internal"
        )
