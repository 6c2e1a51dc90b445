"""What holds for the commands and the packages alike."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


COMMANDS = [
    *(name for name in SCRIPTS if name != "classify-generate"),
    *(f"classify-generate {command}" for command in ("train", "sample", "interpolate", "judge")),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_quick_because_nothing_heavy_is_loaded(command):
    module, function = SCRIPTS[command.split()[0]].split(":")
    own = {"pydantic"} if " " not in command else set()  # typer takes it for groups of commands itself
    code = (
        f"import sys, {module}\n"
        f"try: sys.argv = [*'{command}'.split(), '--help']; {module}.{function}()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"heavy = {{'keras', 'tensorflow', 'cv2', 'rasterio', 'matplotlib', 'albumentations', 'numpy', 'gradio', *{own}}}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert "--quiet" in shown.stdout and "--debug" in shown.stdout


@pytest.mark.parametrize("package", ["segment", "classify"])
def test_importing_a_package_loads_nothing_heavy(package):
    code = f"import {package}, sys; assert not {{'keras', 'tensorflow', 'numpy', 'rasterio'}} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    "module",
    [
        "segment.mapping.predict",
        "segment.cluster.assemble",
        "segment.app.server",
        "classify.labelling.predict",
        "classify.labelling.grid",
    ],
)
def test_opencv_is_there_before_threads_are(module):
    """Importing it sets environment variables, at which a thread in which GDAL reads them may crash."""
    code = f"import {module}, sys; assert 'cv2' in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_module_is_named_where_newcomers_look():
    told = set(re.findall(r"(\w+\.py)`", (ROOT / "CONTRIBUTING.md").read_text()))
    modules = {path.name for package in ("segment", "classify") for path in (ROOT / package).rglob("*.py")}
    town = {path.name for path in (ROOT / "segment" / "town").iterdir()}
    assert modules - town - {"__init__.py"} <= told, modules - town - told


def test_imports_point_one_way():
    """cli -> work -> core; core imports neither package, segment never imports classify. The app uses both, and only the
    command imports the app."""
    for path in [*ROOT.glob("segment/**/*.py"), *ROOT.glob("classify/**/*.py")]:
        package, core = path.relative_to(ROOT).parts[0], "core" in path.relative_to(ROOT).parts
        app, command = path.is_relative_to(ROOT / "segment" / "app"), path.name == "cli.py"
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                target = name.split(".")[0]
                assert app or command or not name.startswith("segment.app"), f"{path}: {name}"
                if not app and target in ("segment", "classify") and (core or target != package):
                    assert package == "classify" or core, f"{path}: {name}"
                    assert name.startswith("segment.core"), f"{path}: {name}"
                assert target not in ("segment", "classify") or not name.endswith(".cli"), f"{path}: {name}"


def test_console_scripts_are_installed():
    for name in SCRIPTS:
        assert (Path(sys.executable).parent / name).exists()
