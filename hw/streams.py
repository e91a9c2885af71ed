"""Standard streams that can be written to, whatever the shell made of them.

A stream whose encoding lacks a character (ASCII under `LC_ALL=C`, Latin-1) gets a plain spelling of
it instead: × becomes x, … a point (so that tables stay straight), a letter of a file's name its
escape. A stream that is closed (`>&-`) leads nowhere, as /dev/null does: its number must not go to
the next file that is opened, which whatever is run from here would then write into.
"""

import codecs
import io
import os
import sys

PLAIN = {
    "×": "x",
    "±": "+-",
    "…": ".",
    "–": "-",
    "—": "-",
    "−": "-",
    "·": "*",
    "→": "->",
    "µ": "u",
    "²": "^2",
}
"""Characters of our own texts and their spelling in ASCII; others are escaped."""

_ERRORS, _ASCII = "shiftnas_plain", "shiftnas_ascii"


def prepare() -> None:
    """Make standard input, output and error usable, and any text writable to the latter two."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        _open(number, name)
    codecs.register_error(_ERRORS, _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            # Under its own name click would take ASCII for a mistake, and write UTF-8.
            stream.reconfigure(encoding=_ASCII if ascii_only else None, errors=_ERRORS)


def _open(number: int, name: str) -> None:
    """Open the stream on /dev/null where it is closed."""
    try:
        os.fstat(number)
    except OSError:
        # The lowest number that is free, and those below it are taken.
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if getattr(sys, name) is None:
        stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)
        setattr(sys, name, stream)


def _spell(error: UnicodeError) -> tuple[str, int]:
    """Error handler of codecs: a plain spelling of what cannot be encoded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    text = "".join(
        PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in characters
    )
    return text, error.end


def _find(name: str) -> codecs.CodecInfo | None:
    if name != _ASCII:
        return None
    found = codecs.lookup("ascii")
    return codecs.CodecInfo(
        found.encode,
        found.decode,
        incrementalencoder=found.incrementalencoder,
        incrementaldecoder=found.incrementaldecoder,
        name=_ASCII,
    )


codecs.register(_find)
