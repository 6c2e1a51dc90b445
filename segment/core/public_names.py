"""Public names of a package, imported on first use."""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

_EXTRAS = {"Tuning": "optuna", "tune": "optuna"}  # what names need


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Makes `__getattr__` and `__dir__` of a package, so that importing it stays fast.

    Args:
        package: Name of the package.
        homes: Module of each public name.

    Returns:
        `__getattr__`, which imports a public name and knows `__version__`; and `__dir__`, the
        public names for the tab key and `help`, without extras that are not installed.
    """

    def find(name: str) -> Any:
        if name == "__version__":
            return version("aerial-segment")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    def names() -> list[str]:
        return sorted(n for n in homes if n not in _EXTRAS or find_spec(_EXTRAS[n]))

    return find, names
