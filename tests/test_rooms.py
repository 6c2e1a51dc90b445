"""Folders of the packages are rooms: each imports only from those before it, and none but the
command line from an extra.
"""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = (
    "segment.core",
    "segment.core.notebook",
    "segment.core.pixels",
    "segment.core.raster",
    "segment.core.inputs",
    "segment.core.labels",
    "segment.core.maps",
    "segment.core.model",
    "segment.core.hub",
    "segment.core.onnx_models",
    "segment.core.arrays",
    "segment.core.networks",
    "segment.core.reports",
    "segment.core.training",
    "segment.core.cluster",
    "segment.core.tuning",
    "segment.core.exploration",
    "segment.core.cli",
    "segment.bundled",
    "segment",
    "segment.annotations",
    "segment.data.splitting",
    "segment.data.pairs",
    "segment.data.masks",
    "segment.data",
    "segment.map_outputs",
    "segment.mapping",
    "segment.training",
    "segment.town",
    "segment.sample",
    "segment.cluster",
    "segment.tuning",
    "segment.exploration",
    "classify.bundled",
    "classify",
    "classify.data",
    "classify.labelling",
    "classify.training",
    "classify.cluster",
    "classify.tuning",
    "classify.exploration",
    "classify.generator",
    "segment.app.uploads",
    "segment.app.jobs",
    "segment.app.pages",
    "segment.app",
)
EXTRAS = {"cluster", "tuning", "exploration", "town", "sample", "app", "generator"}
COMMANDS = ("segment.cli", "classify.cli", "classify.generator_cli")
MOST_MODULES = 16
LINES, MOST_LINES, LONG_MODULES = 250, 320, 5
FEW_LINES, SHORT_MODULES = 40, 10


def _modules() -> dict[str, Path]:
    files = [file for package in ("segment", "classify") for file in (ROOT / package).rglob("*.py")]
    names = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in files
    }
    return {name: file for name, file in names.items() if name not in ("segment", "classify")}


MODULES = _modules()


def _room(module: str) -> str:
    """The longest room that a module is in, or is."""
    return max((room for room in ROOMS if f"{module}.".startswith(f"{room}.")), key=len)


def _is_extra(room: str) -> bool:
    return not EXTRAS.isdisjoint(room.split("."))


def _imports(module: str) -> set[str]:
    """Our modules that a module imports, inside of functions and for types too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{module}: imports are absolute"
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= inner or {node.module}
    return {name for name in found if name.split(".")[0] in ("segment", "classify")} - {
        module,
        "segment",
        "classify",
    }


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    return {module: _imports(module) for module in MODULES}


def test_every_import_of_ours_is_a_module(imports: dict[str, set[str]]) -> None:
    missing = {
        f"{module}: {name}"
        for module, names in imports.items()
        for name in names
        if name not in MODULES
    }
    assert not missing


def test_rooms_import_from_earlier_rooms_alone(imports: dict[str, set[str]]) -> None:
    back, commands, extras, packages = [], [], [], []
    for module, names in imports.items():
        for name in names:
            here, there = _room(module), _room(name)
            arrow = f"{module} -> {name}"
            if module.startswith(COMMANDS):
                continue
            if name.startswith(COMMANDS):
                commands.append(arrow)
            if ROOMS.index(there) > ROOMS.index(here):
                back.append(arrow)
            if _is_extra(there) and not _is_extra(here) and here != "segment.core.cli":
                extras.append(arrow)
            if (
                module.startswith("classify")
                and name.startswith("segment")
                and not name.startswith("segment.core")
            ):
                packages.append(arrow)
    assert not back, back
    assert not commands, "commands only parse and print: nothing imports them"
    assert not extras, extras
    assert not packages, "the two packages share the core alone"


def test_no_module_imports_itself_by_way_of_others(imports: dict[str, set[str]]) -> None:
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in finished:
            for name in sorted(imports[module] & MODULES.keys()):
                visit(name, (*path, module))
            finished.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.heavy
def test_rooms_reach_for_no_private_names_of_others() -> None:
    found = []
    for module, file in MODULES.items():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                ("segment", "classify")
            ):
                found += [
                    f"{module}: {node.module}.{alias.name}"
                    for alias in node.names
                    if alias.name.startswith("_")
                ]
    assert not found


@pytest.mark.parametrize("package", ["segment", "classify"])
def test_a_folder_holds_a_handful_of_modules(package: str) -> None:
    files = (ROOT / package).rglob("*.py")
    counts = Counter(
        file.parent.relative_to(ROOT).as_posix() for file in files if file.name != "__init__.py"
    )
    assert not {folder: count for folder, count in counts.items() if count > MOST_MODULES}


def test_contributing_names_all_rooms() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text().split("## Rooms")[1].split("## How to add")[0]
    names = {room.split(".")[-1] for room in ROOMS}
    assert not {name for name in names if not re.search(rf"`(\S*/)?{name}(/|\.py)?`", text)}


def test_modules_are_short_and_few_are_tiny() -> None:
    lines = {
        name: len(file.read_text().splitlines())
        for name, file in MODULES.items()
        if file.name != "__init__.py"
    }
    assert not {name: count for name, count in lines.items() if count > MOST_LINES}
    assert len([name for name, count in lines.items() if count > LINES]) <= LONG_MODULES
    assert len([name for name, count in lines.items() if count <= FEW_LINES]) <= SHORT_MODULES
