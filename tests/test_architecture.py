"""The house rules: who may import whom, what stays unloaded, what may not be in the sources."""

import ast
import subprocess
import sys
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hw", "nas", "sim")

MAY_IMPORT = {
    "hw": {"hw"},
    "sim": {"sim", "hw"},
    "nas": {
        "nas",
        "hw.board.boards",
        "hw.commands.options",
        "hw.console",
        "hw.data",
        "hw.documents",
        "hw.errors",
        "hw.import_advice",
        "hw.outputs",
        "hw.plugins",
        "hw.ir",
        "hw.networks",
    },
}
"""Package -> which of our own modules its files may import."""

ROOMS = (
    "errors", "documents", "streams", "processes", "outputs", "console", "cache", "import_advice",
    "plugins", "axi_lite",
)  # fmt: skip
"""What everybody in hw/ uses; they use each other from left to right."""

WINGS = ("ir", "networks", "dataflow", "overlay", "corners", "verilog", "build", "board")
"""Folders of hw/ in their order: each imports only what stands left of it, and the rooms."""

APART = {"overlay": {"dataflow"}}
"""Wings, and those left of them that they know nothing of: two kinds of hardware."""

EDGES = {
    "data": set(),
    "report": {"ir", "networks", "data"},
    "exchange": {"ir"},
    "commands": {*WINGS, "data", "report", "exchange"},
}
"""Folders of hw/ beside the wings, and the folders they may import."""

DATAFLOW_MAY = {
    "plan": set(),
    "fabric": set(),
    "places": {"plan"},
    "design": {"plan"},
    "loading": {"plan", "design"},
    "layers": {"plan", "fabric", "places", "design", "loading"},
    "flow": {"plan", "design"},
    "top": {"plan", "design", "loading", "layers"},
    "cost": {"plan", "fabric", "design", "flow"},
    "check": {"plan", "design", "flow"},
    "ladder": {"plan", "design", "flow", "cost"},
    "bounds": {"plan", "fabric", "design", "cost", "ladder"},
    "planner": {"plan", "fabric", "design", "flow", "cost", "ladder", "bounds"},
    "plan_file": {"plan"},
}
"""Inside hw/dataflow: plan, then design, then all that reads it. RTL and predictions know nothing
of each other."""

OVERLAY_MAY = {
    "isa": set(),
    "banks": set(),
    "hardware": {"isa", "banks"},
    "header": set(),
    "registers": set(),
    "program": {"isa", "hardware"},
    "packet": {"isa", "header", "program"},
    "places": set(),
    "model": {"isa", "hardware", "program"},
    "cycles": {"isa", "program"},
    "plan": {"hardware"},
    "plan_file": {"hardware", "plan"},
    "program_file": {"isa", "hardware", "header", "program", "packet", "cycles"},
    "profile": {"isa", "program", "cycles"},
    "compiler": {"isa", "hardware", "program", "places"},
    "cost": {"banks", "hardware"},
    "programming": {"hardware", "program", "compiler", "program_file"},
    "planner": {
        "banks",
        "hardware",
        "cycles",
        "compiler",
        "plan",
        "program_file",
        "programming",
        "cost",
    },
    "rtl": {"isa", "banks", "hardware", "header", "registers"},
}
"""Inside hw/overlay: the words of a program, then who runs, writes and executes them. Model,
compiler and RTL know nothing of each other."""

OF_THE_WHOLE = (
    "tests/nas/test_equations.py",
    "tests/nas/test_straightforward.py",
    "tests/nas/test_interruption.py",
    "tests/nas/test_library_page.py",
    "tests/nas/test_inside_page.py",
)
"""Tests of no single source: the paper's equations, the search against a plain one, runs stopped
from outside, the programs of a page."""

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


def module_of(path) -> str:
    """Dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


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


def folder_of(name: str, depth: int) -> str:
    """hw.dataflow.design.program -> dataflow at depth 1, design at depth 2."""
    parts = name.split(".")
    return parts[depth] if len(parts) > depth else ""


def may_import_in_hw() -> dict[str, set[str]]:
    """Folder or room of hw/ -> what its files may import beside themselves."""
    rooms = {room: set(ROOMS[:n]) for n, room in enumerate(ROOMS)}
    wings = {wing: {*ROOMS, *WINGS[:n]} - APART.get(wing, set()) for n, wing in enumerate(WINGS)}
    return rooms | wings | {edge: {*ROOMS, *allowed} for edge, allowed in EDGES.items()}


def crossings(folder: Path, depth: int, allowed: dict[str, set[str]]) -> list[str]:
    """Imports below `folder` from one of its parts to another one that it may not import."""
    wrong = []
    package = ".".join(folder.relative_to(ROOT).parts)
    for path in sorted(folder.rglob("*.py")):
        own = module_of(path)
        mine = folder_of(own, depth)
        for name in imports(path):
            theirs = folder_of(name, depth)
            if not is_within(name, {package}) or theirs in ("", mine):
                continue
            if mine not in allowed or theirs not in allowed[mine]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    return wrong


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other, directly or by way of others, if there are any."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def import_graph(*packages: str) -> dict[str, set[str]]:
    """Module -> modules of ours that it imports, those inside functions too."""
    return {
        module_of(path): {name for name in imports(path) if is_within(name, set(packages))}
        for package in packages
        for path in sources(package)
    }


def test_wings_import_what_stands_left_of_them():
    assert crossings(ROOT / "hw", 1, may_import_in_hw()) == []


def test_dataflow_goes_from_plan_to_design_to_its_readers():
    assert crossings(ROOT / "hw/dataflow", 2, DATAFLOW_MAY) == []


def test_the_sides_of_the_overlay_know_nothing_of_each_other():
    assert crossings(ROOT / "hw/overlay", 2, OVERLAY_MAY) == []


def test_every_folder_has_its_place():
    folders = {path.parent.name for path in (ROOT / "hw").glob("*/*.py")}
    assert folders == {*WINGS, *EDGES}
    files = {path.stem for path in (ROOT / "hw").glob("*.py")}
    assert files == {"__init__", *ROOMS}
    paths = sources("hw/dataflow")
    inside = {folder_of(module_of(path), 2) for path in paths}
    assert inside - {""} == set(DATAFLOW_MAY)


def test_no_import_circle():
    assert circle(import_graph(*PACKAGES)) == []


def test_an_upward_import_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    for wing in ("ir", "dataflow", "dataflow/design", "dataflow/flow"):
        (tmp_path / "hw" / wing).mkdir(parents=True)
    (tmp_path / "hw/dataflow/plan.py").write_text("from hw.ir import graph\n")
    (tmp_path / "hw/ir/graph.py").write_text("def f():\n    from hw.dataflow import plan\n")
    (tmp_path / "hw/dataflow/design/a.py").write_text("import hw.dataflow.flow.b\n")
    (tmp_path / "hw/dataflow/flow/b.py").write_text("from hw.dataflow.design.a import x\n")
    upward = ["hw/ir/graph.py imports hw.dataflow.plan"]
    assert crossings(tmp_path / "hw", 1, may_import_in_hw()) == upward
    inner = ["hw/dataflow/design/a.py imports hw.dataflow.flow.b"]
    assert crossings(tmp_path / "hw/dataflow", 2, DATAFLOW_MAY) == inner
    graph = import_graph("hw")
    assert circle(graph) != []
    del graph["hw.dataflow.flow.b"], graph["hw.ir.graph"]
    assert circle(graph) == []


LATE = (
    "hw/commands",
    "sim/commands",
    "nas/cli.py",
    "nas/compare/command.py",
    "nas/convert/command.py",
    "nas/run_options.py",
    "shiftnas.py",
)
"""What imports its tools when a command runs, so that the others start at once."""


def late_imports(path):
    """Modules of ours that are imported inside a function."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and node.module is not None:
                    if node.module.split(".")[0] in PACKAGES:
                        yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_imports_stand_at_the_top():
    """Outside of commands: an import inside a function hides an arrow of the structure."""
    wrong = [
        place
        for package in PACKAGES
        for path in sources(package)
        if not str(path.relative_to(ROOT)).startswith(LATE)
        for place in late_imports(path)
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
        yield module_of(path)


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


@pytest.mark.parametrize("package", ["hw", "sim", "nas", "examples"])
def test_text_has_an_encoding(package):
    """Without one, files and programs are read as ASCII under `LC_ALL=C`."""
    for path in sources(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", "")
                options = {word.arg: word.value for word in node.keywords}
                missing = name in ("read_text", "write_text") or "text" in options
                assert not missing or "encoding" in options, f"{path}:{node.lineno}"


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
        subjects = [ROOT / place / name, ROOT / "hw/dataflow" / name]
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
