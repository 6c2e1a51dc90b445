"""Groups of options: dataclasses whose fields become options of a command."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import Any


def spread_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command each option of its groups of options.

    Args:
        function: A command. Parameters whose type is a dataclass are groups: the fields are
            options, as typer reads them.

    Returns:
        The command with the fields of its groups in place of these parameters.
    """
    groups: dict[str, Any] = {}
    options: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if is_dataclass(parameter.annotation):
            groups[name] = parameter.annotation
            options += map(_option, fields(parameter.annotation))
        else:
            options.append(parameter.replace(kind=parameter.KEYWORD_ONLY))

    @wraps(function)
    def spread(**values: Any) -> None:
        for name, kind in groups.items():
            values[name] = kind(**{field.name: values.pop(field.name) for field in fields(kind)})
        function(**values)

    spread.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    spread.__annotations__ = {option.name: option.annotation for option in options}
    return spread


def _option(field: "Field[Any]") -> inspect.Parameter:
    default: Any = inspect.Parameter.empty if field.default is MISSING else field.default
    if field.default_factory is not MISSING:
        default = field.default_factory()
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=field.type
    )
