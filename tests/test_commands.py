"""What holds for the commands and the packages alike."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_is_quick_because_nothing_heavy_is_loaded(name):
    module, function = SCRIPTS[name].split(":")
    code = (
        f"import sys, {module}\n"
        f"try: sys.argv = ['{name}', '--help']; {module}.{function}()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'keras', 'tensorflow', 'cv2', 'rasterio', 'matplotlib', 'albumentations', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert "--quiet" in shown.stdout and "--debug" in shown.stdout


@pytest.mark.parametrize("package", ["segment", "classify"])
def test_importing_a_package_loads_nothing_heavy(package):
    code = f"import {package}, sys; assert not {{'keras', 'tensorflow', 'numpy', 'rasterio'}} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_imports_point_one_way():
    """cli -> work -> core; core imports neither package, segment never imports classify."""
    for path in [*ROOT.glob("segment/**/*.py"), *ROOT.glob("classify/**/*.py")]:
        package, core = path.relative_to(ROOT).parts[0], "core" in path.relative_to(ROOT).parts
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                target = name.split(".")[0]
                if target in ("segment", "classify") and (core or target != package):
                    assert package == "classify" or core, f"{path}: {name}"
                    assert name.startswith("segment.core"), f"{path}: {name}"
                assert target not in ("segment", "classify") or not name.endswith(".cli"), f"{path}: {name}"


def test_console_scripts_are_installed():
    for name in SCRIPTS:
        assert (Path(sys.executable).parent / name).exists()
