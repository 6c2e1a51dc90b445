"""Settings: YAML files and `a.b=value` overrides, validated as pydantic models."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from segment.core.errors import InputError, quoted, suggest
from segment.core.recipes import settings_file
from segment.core.yaml_text import parse_yaml, read_yaml


class Settings(BaseModel):
    """Base class for all parts of a configuration.

    Unknown keys are refused, values are also checked when they are changed, and numbers are finite.
    Each number has a lower and an upper bound; a test checks this for all of them.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, field: ValidationInfo) -> Any:
        kinds = _leaves(cls.model_fields[field.field_name or ""].annotation)
        # also YAML's on, off, yes and no
        if {int, float} & kinds and bool not in kinds and _holds_truth_value(value):
            raise ValueError("Input should be a number, not true or false")
        return value


def _leaves(kind: Any) -> set[Any]:
    """Returns the types inside a type, e.g. str, float and None for dict[str, float] | None."""
    return (
        {leaf for part in get_args(kind) for leaf in _leaves(part)}
        if get_origin(kind) not in (None, Literal)
        else {kind}
    )


def _holds_truth_value(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_truth_value, value.values() if isinstance(value, dict) else value))
    return isinstance(value, bool)


CONFIG_FILE = "config.yaml"
"""File of a run folder that holds the settings of the run."""

MACHINERY = ("training.workers", "training.devices", "training.tensorboard", "data.cache_mb")
"""Settings of how a machine does the work.

The result does not depend on them, except for rounding.
"""

S = TypeVar("S", bound=Settings)


def load_settings(
    kind: type[S], path: Path | str | None = None, overrides: Sequence[str] = ()
) -> S:
    """Loads settings from a YAML file and applies overrides.

    Args:
        kind: Class of the settings.
        path: YAML file, or the name of a recipe that comes with the package, e.g. "dubai". Without
            one, all settings start from their defaults.
        overrides: `key.key=value` texts, where values are YAML. They are applied after the file.

    Returns:
        The validated settings.

    Raises:
        InputError: If the file cannot be read, or a key or value is invalid. The message names the
            key, the value received, and the nearest known key.
    """
    if path is not None:
        path = settings_file(kind.__module__.partition(".")[0], Path(path))
    content = {} if path is None else _read(path)
    for override in overrides:
        _put(content, *_parse_override(override))
    return _validate(kind, content, path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(path)
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict | None):
        raise InputError(
            f"{path}: settings are `key: value` lines. Received a {type(content).__name__}. See the"
            " folder configs."
        )
    # without parts of which all lines are commented out
    return {key: value for key, value in (content or {}).items() if value is not None}


def change_settings(settings: S, values: Mapping[str, Any]) -> S:
    """Returns a copy of settings with some values replaced.

    Args:
        settings: Settings to start from; they are not modified.
        values: New values by "part.key".

    Returns:
        The validated copy.

    Raises:
        InputError: As in `load_settings`.
    """
    content = settings.model_dump(mode="json")
    for key, value in values.items():
        _put(content, key, value)
    return _validate(type(settings), content, cure="Choose another value.")


def _parse_override(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not all(name.strip().split(".")):
        raise InputError(
            f"--set takes part.key=value, e.g. training.epochs=20. Received {quoted(text)}."
        )
    try:
        return name.strip(), parse_yaml(value)
    except yaml.YAMLError as error:
        raise InputError(f"{name}: {quoted(value)} is not YAML ({error}). Quote it.") from error


def _put(content: dict[str, Any], name: str, value: Any) -> None:
    *parts, last = name.split(".")
    for key in parts:
        found = content.get(key)
        inner = content[key] = {} if found is None else found
        if not isinstance(inner, dict):
            raise InputError(
                f"{name}: {key!r} is a value, not a group. Received {quoted(value)}. Set {key}"
                " itself."
            )
        content = inner
    content[last] = value


def _validate(
    kind: type[S], content: Mapping[str, Any], path: Path | None = None, cure: str = ""
) -> S:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise InputError(_explain(kind, error, path, cure)) from error


def _explain(kind: type[Settings], error: ValidationError, path: Path | None, cure: str) -> str:
    # of union members, the best fit fails deepest
    first = max(error.errors(), key=lambda e: len(e["loc"]))
    keys = [key for key in first["loc"] if not _is_union_member(key)]
    place = ".".join(map(str, keys))
    prefix = f"{path}: " if path else ""
    if first["type"] in ("invalid_key", "string_unicode"):  # a key that is no text, or not UTF-8
        return (
            f"{prefix}Unknown setting {quoted(first['input'], 40)}. See --schema for those known."
        )
    if first["type"] == "extra_forbidden":
        known, last = _known_keys(kind, keys[:-1]), str(keys[-1])
        homes = [f"{k}.{last}" for k in known if last in _known_keys(kind, [*keys[:-1], k])]
        cure = suggest((homes or [last])[0], homes or known, f"Known there: {', '.join(known)}.")
        return f"{prefix}Unknown setting {place!r}. {cure}"
    rule = first["msg"].removeprefix("Value error, ").split(", unable to parse")[0]
    if first["type"] == "value_error":
        return f"{prefix}{place + ': ' if place else ''}{rule}"
    # --set reaches no item of a list
    whole = ".".join(takewhile(lambda key: not key.isdigit(), map(str, keys)))
    cure = cure or f"Change it there or with --set {whole}=..."
    return f"{prefix}{place}: {rule}. Received {quoted(first['input'])}. {cure}"


def _is_union_member(key: int | str) -> bool:
    """Whether a step of the place of an error is the type that was tried, as pydantic names it."""
    return isinstance(key, str) and (
        key in ("str", "int", "float", "bool") or "[" in key or key.startswith("constrained-")
    )


def _known_keys(kind: type[Settings], location: Sequence[int | str]) -> list[str]:
    kinds: set[Any] = {kind}
    for key in location:
        if isinstance(key, str):
            fields = {k: v for some in kinds for k, v in _fields(some).items()}
            kinds = _leaves(fields[key].annotation) if key in fields else set()
    return [key for some in kinds for key in _fields(some)]


def _fields(kind: Any) -> dict[str, Any]:
    return kind.model_fields if isinstance(kind, type) and issubclass(kind, Settings) else {}


def flatten(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens nested settings.

    Args:
        content: Settings as nested dictionaries.
        prefix: Text placed before every key.

    Returns:
        The values by "part.key".
    """
    flat: dict[str, Any] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def describe_settings(settings: Settings) -> dict[str, Any]:
    """Returns settings as plain values for a model folder.

    Model folders are passed on to others: existing files and folders are given by their names
    only, and the class table is left out.

    Args:
        settings: Settings of a run.

    Returns:
        The settings as nested dictionaries of plain values.
    """

    def name_files(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: name_files(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [name_files(inner) for inner in value]
        return Path(value).name if isinstance(value, str) and Path(value).exists() else value

    content = settings.model_dump(mode="json", exclude={"data": {"classes"}})
    return {key: name_files(value) for key, value in content.items()}


def dump_settings(settings: Settings) -> str:
    """Formats settings as YAML that `load_settings` can read.

    Args:
        settings: Settings to format.

    Returns:
        The YAML text.
    """
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
