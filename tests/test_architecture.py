"""The house rules: who may import whom, what stays unloaded, what may not be in the sources."""

import ast
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hw", "nas", "sim")

MAY_IMPORT = {
    "hw": {"hw"},
    "sim": {"sim", "hw"},
    "nas": {
        "nas",
        "hw.console",
        "hw.data",
        "hw.errors",
        "hw.ir",
        "hw.networks",
    },
}
"""Package -> which of our own modules its files may import."""

OF_THE_WHOLE = (
    "tests/nas/test_equations.py",
    "tests/nas/test_straightforward.py",
    "tests/nas/test_interruption.py",
)
"""Tests of no single source: the paper's equations, the search against a plain one, runs stopped
from outside."""

NO_TORCH = ("hw", "sim")


def sources(package):
    return sorted((ROOT / package).rglob("*.py"))


def imports(path):
    """Full names of the modules that a file imports, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            # `from hw.ir import graph` imports hw.ir.graph, `from hw.errors import …` hw.errors.
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            exists = [name for name in inner if is_module(name)]
            yield from exists or [node.module]


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def is_within(name, allowed):
    return any(name == entry or name.startswith(f"{entry}.") for entry in allowed)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        for name in imports(path)
        if name.split(".")[0] in (*PACKAGES, "shiftnas", "tests")
        and not is_within(name, MAY_IMPORT[package])
    ]
    assert wrong == []


@pytest.mark.parametrize("package", NO_TORCH)
def test_no_torch_in_the_sources(package):
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources(package)
        for name in imports(path)
        if name.split(".")[0] in ("torch", "torchvision")
    ]
    assert wrong == []


def modules(package):
    """Importable modules of a package; cocotb's benches import only inside a simulator."""
    for path in sources(package):
        if path.name.startswith("tb_"):
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_hardware_and_simulation_leave_torch_unloaded():
    names = ["hw", "sim", "shiftnas", *modules("hw"), *modules("sim")]
    program = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "print(sorted({'torch', 'nas'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_components_keep_their_annotations():
    """Amaranth reads port annotations as values: postponed evaluation would make them vanish."""
    wrong = [
        str(path.relative_to(ROOT))
        for path in sources("hw")
        if "from __future__ import annotations" in path.read_text(encoding="utf-8")
    ]
    assert wrong == []


def test_no_linter_is_silenced():
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for package in PACKAGES
        for path in sources(package)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "# noqa" in line
    ]
    assert wrong == []


def test_tests_are_no_packages():
    """A tests/hw/__init__.py would shadow the package hw."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_every_folder_of_tests_is_looked_into(request):
    """pytest leaves out folders of certain names: `build` by default, and so hw/build's tests."""
    left_out = request.config.getini("norecursedirs")
    folders = {
        part
        for test in (ROOT / "tests").rglob("test_*.py")
        for part in test.relative_to(ROOT).parts[:-1]
    }
    wrong = [f for f in sorted(folders) if any(fnmatch(f, pattern) for pattern in left_out)]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_mirror_the_sources(package):
    """tests/hw/ir/test_fold.py tests hw/ir/fold.py (or the folder), .../test_ir.py the package."""
    wrong = []
    for test in sorted((ROOT / "tests" / package).rglob("test_*.py")):
        place = test.relative_to(ROOT / "tests").parent
        name = test.stem.removeprefix("test_")
        # tests/sim/test_layers.py runs hw/dataflow/layers in the simulator.
        subjects = [ROOT / place / name, ROOT / "hw" / name]
        found = any(path.with_suffix(".py").exists() or path.is_dir() for path in subjects)
        path = str(test.relative_to(ROOT))
        if not found and name != place.name and path not in OF_THE_WHOLE:
            wrong.append(path)
    assert wrong == []


def test_the_import_reader_sees_every_form(tmp_path):
    file = tmp_path / "x.py"
    file.write_text(
        "import torch.nn as nn\nfrom hw.networks import space\nfrom hw.errors import InputError\n"
        "def f():\n    from hw.ir import reference\n"
    )
    assert set(imports(file)) == {"torch.nn", "hw.networks.space", "hw.errors", "hw.ir.reference"}
