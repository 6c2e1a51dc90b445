"""What users of Python find: names by the tab key and `help`, each with its summary."""

import ast
import importlib
import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("segment", "classify")


def _definition(package: Any, name: str) -> ast.AST:
    path = ROOT.joinpath(*package._HOMES[name].split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return next(
        node for node in ast.parse(path.read_text()).body if getattr(node, "name", None) == name
    )


@pytest.mark.parametrize("name", PACKAGES)
def test_dir_shows_the_public_names_and_nothing_else(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = importlib.import_module(name)
    assert dir(package) == sorted(package.__all__)
    assert "core" not in dir(package) and "import_module" not in dir(package)
    monkeypatch.setattr("segment.core.public_names.find_spec", lambda module: None)  # no extras
    assert set(package.__all__) - set(dir(package)) == {"Tuning", "tune"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.parametrize("name", PACKAGES)
def test_help_lists_every_name_with_its_summary(name: str) -> None:
    package = importlib.import_module(name)
    functions, classes = package.__doc__.split("Functions:\n")[1].split("\n\nClasses:\n")
    listed = {"function": functions.strip().splitlines(), "class": classes.strip().splitlines()}
    expected: dict[str, list[str]] = {"function": [], "class": []}
    for public in package.__all__:
        node = _definition(package, public)
        summary = (ast.get_docstring(node) or "").splitlines()[0]
        kind = "class" if isinstance(node, ast.ClassDef) else "function"
        expected[kind].append(f"{public}: {summary}")
    assert {kind: [line.strip() for line in lines] for kind, lines in listed.items()} == expected


def test_type_checkers_see_the_same_names() -> None:
    for name in PACKAGES:
        tree = ast.parse((ROOT / name / "__init__.py").read_text())
        seen = {
            (alias.asname, node.module)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if alias.asname
        }
        assert seen == set(importlib.import_module(name)._HOMES.items())


def test_xarray_is_not_imported_for_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    import numpy as np

    from segment.mapping.arrays import predict_array
    from tests.fakes import FakeModel

    for module in ("xarray", "rioxarray"):
        monkeypatch.setitem(sys.modules, module, None)  # an import would raise
    assert predict_array(np.ones((9, 9), np.uint8), FakeModel()).labels.shape == (9, 9)
