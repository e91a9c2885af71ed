"""Standard streams of any encoding, and closed ones."""

import os
import subprocess
import sys

import pytest

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run(words, redirect="", **environment):
    """Bytes that `shiftnas` writes to standard output, with the shell's redirections."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "-P", *words],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, ASCII])
def test_tables_in_ascii(environment):
    """Into a pipe nothing is cut; the lines of a table are none of ASCII's."""
    text = run(["-m", "shiftnas", "genotypes"], COLUMNS="60", **environment).decode("ascii")
    assert "| ShiftNAS_C10     |        3,661,030 |      3.3 |          566 |" in text
    assert text.startswith("+-----")


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-8", "5 sep 3×3 … ± ü \\udcff\n".encode()),
        ("latin-1", "5 sep 3×3 . ± ü \\udcff\n".encode("latin-1")),
        ("ascii", b"5 sep 3x3 . +- \\xfc \\udcff\n"),
    ],
)
@pytest.mark.parametrize("printer", ["click.echo", "print"])
def test_what_an_encoding_lacks_is_spelt(encoding, written, printer):
    """The last one is a byte of a file's name that is no UTF-8."""
    code = (
        "import click; from hw import streams; streams.prepare();"
        f"{printer}('5 sep 3\\xd73 \\u2026 \\xb1 \\xfc \\udcff')"
    )
    assert run(["-c", code], PYTHONIOENCODING=encoding) == written


@pytest.mark.parametrize("redirect", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams(redirect):
    written = run(["-m", "shiftnas", "--version"], redirect)
    assert written.startswith(b"" if redirect.startswith(">") else b"shiftnas, version")


def test_a_closed_stream_does_not_become_the_next_file(tmp_path):
    """What a program that is run writes to its standard output must not end up in it."""
    code = (
        "import subprocess; from hw import streams; streams.prepare();"
        f"file = open({str(tmp_path / 'file')!r}, 'w'); subprocess.run(['echo', 'stray']);"
        "print('mine'); print('kept', file=file)"
    )
    run(["-c", code], ">&- <&-")
    assert (tmp_path / "file").read_text() == "kept\n"
