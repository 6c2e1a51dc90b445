"""Public functions say what they take, return and raise."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# docstrings are their --help
COMMANDS = ("segment/cli/", "classify/cli/", "classify/generator_cli.py")
FILES = sorted(
    file.relative_to(ROOT).as_posix()
    for package in ("segment", "classify")
    for file in (ROOT / package).rglob("*.py")
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _public(
    body: list[ast.stmt], prefix: str = "", inherits: bool = False
) -> list[tuple[str, Function, bool]]:
    """Public functions and methods by their names, and whether they may override others."""
    found = []
    for node in body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            found.append((prefix + node.name, node, inherits))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            bases = {ast.unparse(base) for base in node.bases} - {"Protocol", "ABC", "Exception"}
            found += _public(node.body, f"{prefix}{node.name}.", bool(bases))
    return found


def _decorators(function: Function) -> set[str]:
    return {
        ast.unparse(decorator).split("(")[0].split(".")[-1] for decorator in function.decorator_list
    }


def _raised(body: list[ast.stmt], caught: frozenset[str] = frozenset()) -> set[str]:
    """Names of the exceptions that statements raise and do not catch; those that a call makes are
    not known.
    """
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.Raise) and node.exc is not None:
            kind = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(kind, ast.Name) and kind.id[0].isupper() and kind.id not in caught:
                found.add(kind.id)
        elif isinstance(node, ast.Try):
            names = {
                name.id
                for h in node.handlers
                if h.type
                for name in ast.walk(h.type)
                if isinstance(name, ast.Name)
            }
            found |= _raised(node.body, caught | names)
            for part in (node.orelse, node.finalbody, *(handler.body for handler in node.handlers)):
                found |= _raised(part, caught)
        elif not isinstance(node, Function | ast.ClassDef):
            for field in ("body", "orelse"):
                found |= _raised(getattr(node, field, []), caught)
            for case in getattr(node, "cases", []):
                found |= _raised(case.body, caught)
    return found - {"NotImplementedError", "AssertionError"}


def lacks(name: str, function: Function, inherits: bool = False) -> list[str]:
    """What the docstring of a function lacks. inherits: it may override a method whose docstring
    says the rest.
    """
    text, decorators = ast.get_docstring(function) or "", _decorators(function)
    if inherits or text.startswith(("See `", "As `")):
        return []
    if not text:
        is_method = any(argument.arg in ("self", "cls") for argument in function.args.args[:1])
        return [] if is_method else [f"{name}: docstring"]
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    arguments += [argument for argument in (function.args.vararg, function.args.kwarg) if argument]
    names = [
        argument.arg
        for argument in arguments
        if argument.arg not in ("self", "cls") and argument.arg[0] != "_"
    ]
    section = text.split("Args:", 1)[1] if "Args:" in text else ""
    described = [
        argument for argument in names if re.search(rf"^ +\**{argument}\b.*:", section, re.M)
    ]
    missing = [f"{name}: argument {argument}" for argument in names if argument not in described]
    returns = "None" if function.returns is None else ast.unparse(function.returns)
    is_value = (
        returns not in ("None", "'None'", "Never", "NoReturn")
        and not {"property", "cached_property", "contextmanager"} & decorators
    )
    if is_value and not re.search(r"^ *(Returns|Yields)\b", text, re.M):
        missing.append(f"{name}: return value")
    missing += [
        f"{name}: {error}"
        for error in sorted(_raised(function.body))
        if not re.search(rf"\b{error}\b", text)
    ]
    return missing


@pytest.mark.parametrize("path", [path for path in FILES if not path.startswith(COMMANDS)])
def test_docstrings_name_arguments_results_and_errors(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    missing = [line for found in _public(tree.body) for line in lacks(*found)]
    assert not missing, "\n".join(missing)


def test_what_is_missing_is_found() -> None:
    source = '''
def draw(count: int, seed: int) -> int:
    """Draws.

    Args:
        count: How many.
    """
    if count < 0:
        raise ValueError("negative")
    return seed
'''
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert lacks("draw", function) == [
        "draw: argument seed",
        "draw: return value",
        "draw: ValueError",
    ]
