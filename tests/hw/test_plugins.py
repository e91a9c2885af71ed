"""Plug-ins: found, loaded once, refused in one line; what runs record of them."""

import hashlib
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from own_plugins import forgotten

from hw import plugins
from hw.errors import InputError
from hw.networks import space
from hw.plugins import Plugin

OPERATION = """
from hw.ir.graph import MaxPool
from hw.networks.registration import register_operation
from hw.networks.space import strided


def nodes(site):
    return [MaxPool(name=f"{site.name}/pool", inputs=(site.source,), kernel=(5, 5), padding=(2, 2),
                    stride=(site.stride, site.stride),
                    shape=strided(site.shape, site.channels, site.stride))]


register_operation("max_pool_5x5", nodes)
"""


@pytest.fixture(autouse=True)
def registries():
    with forgotten():
        yield


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own-pool.py"
    path.write_text(OPERATION)
    return path


def test_a_file_is_loaded_once(own):
    plugin = plugins.load(str(own))
    assert plugin == Plugin(str(own), hashlib.sha256(own.read_bytes()).hexdigest())
    assert "max_pool_5x5" in space.OPERATIONS
    assert plugins.load(str(own)) is plugin  # a second time would find the name taken
    assert plugins.loaded() == (plugin,)
    assert plugins.words() == ["--plugin", str(own)]
    assert sys.modules["shiftnas_plugin_own_pool"].__file__ == str(own)


def test_a_module_and_a_package(tmp_path, monkeypatch):
    (tmp_path / "mine_package").mkdir()
    (tmp_path / "mine_package" / "__init__.py").write_text("from mine_package import pool\n")
    (tmp_path / "mine_package" / "pool.py").write_text(OPERATION)
    monkeypatch.syspath_prepend(tmp_path)
    first = plugins.load("mine_package")
    assert "max_pool_5x5" in space.OPERATIONS and plugins.load("mine_package") is first
    assert plugins.words() == ["--plugin", "mine_package"]
    with forgotten():
        plugins._loaded.clear()
        (tmp_path / "mine_package" / "pool.py").write_text(OPERATION + "# more\n")
        assert plugins.load("mine_package").sha256 != first.sha256


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ny = x / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("def f(:\n", "line 1: SyntaxError"),
        ("import sys\nsys.exit(0)\n", "line 2: it ends the process (0); take that out"),
        ("class Own(BaseException): ...\nraise Own('x')\n", "line 2: Own: x"),
        (
            "\n\nimport no_such_package\n",
            "line 3: it needs no_such_package, ",
        ),
        (
            OPERATION.replace('"max_pool_5x5"', '"zero"'),
            "line 13: operation zero: there is one of this name; choose another",
        ),
    ],
)
def test_a_plugin_that_fails_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "own.py"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        plugins.load(str(path))
    assert str(caught.value).startswith(f"--plugin {path}: {message}")
    assert "\n" not in str(caught.value)
    assert plugins.loaded() == () and "shiftnas_plugin_own" not in sys.modules


def test_a_module_that_ends_the_process_is_refused(tmp_path, monkeypatch):
    (tmp_path / "mine_ends.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"--plugin mine_ends: line 1: it ends the process \(None"):
        plugins.load("mine_ends")


def test_ctrl_c_while_a_plugin_is_loaded_is_ctrl_c(tmp_path):
    (tmp_path / "own.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        plugins.load(str(tmp_path / "own.py"))
    assert plugins.loaded() == () and "shiftnas_plugin_own" not in sys.modules


def test_what_is_not_there():
    with pytest.raises(InputError, match=r"--plugin no/such.py: no such file; give a Python file"):
        plugins.load("no/such.py")
    for name in ("mine_not_there", "mine_not.there"):
        with pytest.raises(InputError, match=f"--plugin {name}: no such module; give one that is"):
            plugins.load(name)


def test_two_files_called_the_same(tmp_path, own):
    plugins.load(str(own))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / own.name).write_text("")
    with pytest.raises(InputError, match="is called the same; rename one of the two"):
        plugins.load(str(tmp_path / "more" / own.name))


def test_installed_packages_bring_theirs(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine_installed.py").write_text(OPERATION)
    (tmp_path / "mine_needs.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    points = [EntryPoint(name, name, plugins.GROUP) for name in ("mine_installed", "mine_needs")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points * (group == plugins.GROUP))
    plugins.load_all(())
    plugins.load_all(())
    (plugin,) = plugins.loaded()
    assert plugin.place == "mine_installed" and "max_pool_5x5" in space.OPERATIONS
    assert plugins.words() == []  # another process finds it by itself
    said = "mine_needs: line 1: it needs no_such_package, which is not installed; the plug-in is"
    assert said in capsys.readouterr().err


ONE, CHANGED, OTHER = Plugin("a/own.py", "1" * 64), Plugin("own.py", "2" * 64), Plugin("b.py", "3")


@pytest.mark.parametrize(
    ("recorded", "here", "message"),
    [
        ((), (), None),
        ((ONE,), (ONE,), None),
        ((ONE, OTHER), (OTHER, ONE), None),
        ((ONE,), (Plugin("elsewhere.py", ONE.sha256),), None),
        ((ONE,), (), "made with --plugin a/own.py (SHA-256 111111111111…), which is not loaded"),
        ((ONE,), (CHANGED,), "a/own.py (SHA-256 111111111111…), which has changed since; put it"),
        ((ONE,), (OTHER,), "which is not loaded; pass it"),
        ((ONE,), (ONE, OTHER), "it was made without --plugin b.py"),
        ((), (ONE,), "it was made without --plugin a/own.py"),
    ],
)
def test_plugins_of_a_run_against_those_here(recorded, here, message):
    found = plugins.unlike(recorded, here)
    assert (found is None) == (message is None)
    assert message is None or message in found
    if message is None or "without" in message:
        assert plugins.missing(recorded, here) is None
    else:
        assert plugins.missing(recorded, here) == found


def test_records_there_and_back():
    assert plugins.read([ONE.as_dict(), OTHER.as_dict()]) == (ONE, OTHER)
    assert plugins.read(None) == ()
    for wrong in ("own.py", [1], [{"place": "own.py"}], [{"place": 1, "sha256": "2"}]):
        with pytest.raises(ValueError, match="plugins: expected a list of place and sha256"):
            plugins.read(wrong)


def test_an_error_says_which_plugin_is_missing(own):
    plugin = plugins.load(str(own))
    with pytest.raises(InputError, match=r"^unknown; it was made with --plugin a/own\.py"):
        with plugins.told((ONE, plugin)):
            raise InputError("unknown")
    with pytest.raises(InputError, match=r"^unknown$"):
        with plugins.told((plugin,)):
            raise InputError("unknown")


WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; import shiftnas; shiftnas.main()"


def test_hardware_commands_take_an_operation_without_torch(tmp_path, own):
    (tmp_path / "needs.py").write_text("import torch\n")
    edges = "[[max_pool_5x5, 0], [skip_connect, 1]]"
    (tmp_path / "g.yaml").write_text(
        f"normal: {edges}\nnormal_concat: [2]\nreduce: {edges}\nreduce_concat: [2]\n"
    )
    root = Path(__file__).parents[2]

    def run(*words):
        sizes = ("--channels", "1", "--cells", "1", "--image", "4x4x1", "--classes", "2")
        command = [sys.executable, "-c", WITHOUT_TORCH, "network", "--genotype", "g.yaml", *sizes]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(root)}
        return subprocess.run(
            [*command, "--out", "net", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    refused = run("--plugin", "needs.py")
    assert refused.returncode == 2
    assert refused.stderr == (
        "shiftnas: error: --plugin needs.py: line 1: it needs torch, which is not installed\n"
    )
    unknown = run()
    assert unknown.returncode == 2 and "or pass the --plugin that registers it" in unknown.stderr
    done = run("--plugin", own.name)
    assert done.returncode == 0, done.stderr
    assert "edge0_max_pool_5x5/pool" in (tmp_path / "net" / "network.json").read_text()
