"""What commands write: whole or not at all, in place of what they wrote themselves only."""

import errno
import json
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hw import console, outputs
from hw.errors import InputError


def made(path: Path, maker: str = "", **files: str) -> Path:
    """A folder as a command makes it."""
    with outputs.folder(path, maker=maker) as place:
        for name, text in files.items():
            (place / name).write_text(text)
    return path


def names(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir())


def test_a_folder_appears_whole(tmp_path):
    target = tmp_path / "deep" / "out"
    with outputs.folder(target) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a").write_text("1")
        assert not target.exists()
    assert (target / "sub" / "a").read_text() == "1"
    assert names(target.parent) == ["out"]
    content = json.loads((target / outputs.MARKER).read_text())
    assert content == {"made_by": "", "files": ["sub/a"]}


def test_force_replaces_what_the_same_command_made(tmp_path):
    target = made(tmp_path / "out", old="old")
    with pytest.raises(InputError, match="out: exists already"), outputs.folder(target):
        pytest.fail("the block must not run")
    with pytest.raises(ZeroDivisionError), outputs.folder(target, force=True) as folder:
        (folder / "new").write_text("half")
        raise ZeroDivisionError
    assert names(tmp_path) == ["out"] and (target / "old").exists()
    with outputs.folder(target, force=True) as folder:
        (folder / "new").write_text("whole")
    assert names(target) == [outputs.MARKER, "new"] and names(tmp_path) == ["out"]


def add_file(target):
    (target / "sub").mkdir()
    (target / "sub" / "thesis.tex").write_text("mine")


def add_link(target):
    (target / "data").symlink_to("/usr", target_is_directory=True)


def drop_marker(target):
    (target / outputs.MARKER).unlink()


def damage_marker(target):
    (target / outputs.MARKER).write_text("{}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (add_file, "sub/thesis.tex is not a file that `emit` wrote there"),
        (add_link, "data is not a file that `emit` wrote there"),
        (drop_marker, r"has no \.shiftnas, the mark of a folder that a command made"),
        (damage_marker, r"\.shiftnas is damaged"),
    ],
)
def test_force_keeps_what_others_made(tmp_path, change, reason):
    target = made(tmp_path / "out", "emit", old="old")
    change(target)
    before = sorted(target.rglob("*"))
    with (
        pytest.raises(InputError, match=f"out: {reason}; --force replaces only"),
        outputs.folder(target, force=True, maker="emit"),
    ):
        pytest.fail("the block must not run")
    assert sorted(target.rglob("*")) == before and names(tmp_path) == ["out"]


def test_force_keeps_what_another_command_made(tmp_path):
    target = made(tmp_path / "out", "export", old="trained for hours")
    with (
        pytest.raises(InputError, match="out: was made by `export`"),
        outputs.folder(target, force=True, maker="emit"),
    ):
        pytest.fail("the block must not run")


def test_what_came_while_it_worked_is_kept(tmp_path):
    target = made(tmp_path / "out", old="old")
    with (
        pytest.raises(InputError, match="late is not a file"),
        outputs.folder(target, force=True),
    ):
        (target / "late").write_text("precious")
    assert (target / "late").read_text() == "precious" and names(tmp_path) == ["out"]


def test_force_fills_an_empty_folder(tmp_path):
    (tmp_path / "out").mkdir()
    with outputs.folder(tmp_path / "out", force=True) as folder:
        (folder / "a").write_text("1")
    assert (tmp_path / "out" / "a").read_text() == "1"


def test_a_folder_in_place_of_a_file_or_a_link(tmp_path):
    target = tmp_path / "out"
    target.write_text("precious")
    (tmp_path / "link").symlink_to(made(tmp_path / "other"))
    for path, reason in ((target, "expected a folder"), (tmp_path / "link", "is a symbolic link")):
        with pytest.raises(InputError, match=reason), outputs.folder(path, force=True):
            pytest.fail("the block must not run")
    assert target.read_text() == "precious" and (tmp_path / "link").is_symlink()


def test_the_folder_one_is_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (".", "..", "", str(tmp_path)):
        with pytest.raises(InputError, match="the folder you are in"):
            outputs.require_absent(path, force=True)


def test_the_old_folder_comes_back_where_the_new_one_cannot(tmp_path, monkeypatch):
    target = made(tmp_path / "out", old="old")
    rename = Path.rename

    def failing(self, other):
        if other == target and self.name.startswith(".out.") and "old." not in str(self):
            raise KeyboardInterrupt
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(KeyboardInterrupt), outputs.folder(target, force=True):
        pass
    assert (target / "old").read_text() == "old" and names(tmp_path) == ["out"]


def test_a_file_is_replaced_by_one_of_its_kind(tmp_path):
    marks = (b"layers:",)
    plan, other, empty = (tmp_path / name for name in ("plan.yaml", "network.json", "empty"))
    plan.write_text("# mine\nlayers: {}\n")
    other.write_text("{}")
    empty.touch()
    with pytest.raises(InputError, match="exists already"):
        outputs.require_absent(plan, False, marks)
    assert outputs.require_absent(plan, True, marks) == plan
    assert outputs.require_absent(empty, True, marks) == empty
    with pytest.raises(InputError, match="is another kind of file"):
        outputs.require_absent(other, True, marks)
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(InputError, match=r"expected a file|the folder you are in"):
            outputs.require_absent(path, True, marks)


@click.command(cls=console.Command)
@click.argument("net", type=click.Path(path_type=Path))
@click.option("--cover", type=click.Path(path_type=Path), multiple=True)
@click.option("--data", type=outputs.NameOrPath(("digits",)))
@click.option("--genotype", type=outputs.NameOrPath())
@click.option("--board")
@click.option("--out", type=outputs.Output())
@console.force_option
def command(net, cover, data, genotype, board, out, force):
    outputs.require_absent(out, force)
    click.echo("would work")


@pytest.fixture
def there(tmp_path, monkeypatch):
    """Inputs in the current folder, all as `command` might have made them."""
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "net", "command", a="1")
    made(tmp_path / "deep" / "net", "command", a="1")
    made(tmp_path / "digits", "command")
    made(tmp_path / "ulx3s", "command")
    (tmp_path / "images").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "genotype.yaml").touch()
    (tmp_path / "way").symlink_to("net")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("net --out net --force", "net: is an input of this command"),
        ("net --out net", "net: is an input of this command"),
        ("net --out ./deep/../net --force", "is an input of this command"),
        ("way --out net --force", "net: is an input of this command"),
        ("net --out way --force", "way: is an input of this command"),
        ("way --out net/sub/rtl", "net/sub/rtl: lies in way, an input"),
        ("deep/net --out deep --force", "deep: holds deep/net, an input of this command"),
        ("deep/net --out .", "holds deep/net, an input of this command"),
        ("x --cover y --cover net --out net --force", "net: is an input of this command"),
        ("x --data images --out images --force", "images: is an input of this command"),
        ("x --genotype run/genotype.yaml --out run --force", "run: holds run/genotype.yaml"),
    ],
)
def test_an_input_is_no_output(there, arguments, reason):
    before = sorted(there.rglob("*"))
    result = CliRunner().invoke(command, arguments.split())
    assert result.exit_code == 2 and result.stdout == "" and result.stderr.count("\n") == 1
    assert result.stderr.startswith("shiftnas: error: ") and reason in result.stderr
    assert sorted(there.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        "net --out other --force",
        "x --out net --force",
        "net --data digits --out digits --force",
        "net --board ulx3s --out ulx3s --force",
        "net --genotype run --out net2",
        "net --data . --out runs/search",
    ],
)
def test_names_are_no_inputs(there, arguments):
    result = CliRunner().invoke(command, arguments.split())
    assert (result.exit_code, result.stdout) == (0, "would work\n"), result.stderr


def test_write_atomic(tmp_path):
    path = tmp_path / "x" / "file"
    outputs.write_atomic(path, "text")
    outputs.write_atomic(path, b"bytes")
    assert path.read_bytes() == b"bytes" and names(path.parent) == ["file"]
    with pytest.raises(TypeError):
        outputs.write_atomic(path, 3)
    assert path.read_bytes() == b"bytes" and names(path.parent) == ["file"]


# --- Full disks: a tmpfs of a few pages would need root, a limit on file sizes needs nothing


def fill(number: int = errno.ENOSPC):
    raise OSError(number, os.strerror(number))


def test_a_full_disk_names_the_output(tmp_path):
    target = tmp_path / "out"
    with pytest.raises(OSError) as caught, outputs.folder(target):
        fill()
    assert caught.value.filename == str(target)
    with pytest.raises(OSError) as caught, outputs.folder(target) as place:
        (place / "missing" / "file").write_text("")
    assert caught.value.filename == str(target)
    with pytest.raises(OSError) as caught, outputs.folder(target):
        (tmp_path / "another").read_text()
    assert caught.value.filename == str(tmp_path / "another")
    assert names(tmp_path) == []
    line = outputs.explain(OSError(errno.EFBIG, os.strerror(errno.EFBIG), "out"))
    assert line == "out: File too large; raise the limit on file sizes (ulimit -f)"


@pytest.mark.parametrize("function", ["mkdir", "open"])
def test_a_place_where_nothing_can_be_made_names_the_output(tmp_path, monkeypatch, function):
    """The temporary folder or file beside it cannot even be made. Root may write everywhere."""
    real, target = getattr(os, function), tmp_path / "out"

    def read_only(path, *arguments, **options):
        if Path(path).name.startswith(".out."):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, function, read_only)
    with pytest.raises(OSError) as caught:
        if function == "open":
            outputs.write_atomic(target, "text")
        else:
            with outputs.folder(target):
                pytest.fail("the block must not run")
    assert caught.value.filename == str(target)
    assert outputs.explain(caught.value).startswith(f"{target}: Read-only file system; ")


def test_a_full_disk_under_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(InputError) as caught, outputs.temporary_folder():
        fill()
    assert str(caught.value) == (
        f"temporary files in {tmp_path}: No space left on device; free some space there or choose "
        "another place (the variable TMPDIR)"
    )
    with pytest.raises(FileNotFoundError), outputs.temporary_folder():
        (tmp_path / "another").read_text()
    assert names(tmp_path) == []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(InputError, match="the variable TMPDIR"), outputs.temporary_folder():
        pytest.fail("the block must not run")


def test_a_bug_is_not_hidden(tmp_path):
    for context in (lambda: outputs.folder(tmp_path / "x"), outputs.temporary_folder):
        with pytest.raises(OSError) as caught, context():
            fill(errno.EAGAIN)
        assert caught.value.filename is None
