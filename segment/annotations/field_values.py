"""Values of the fields of vector files as text, and the codes that name their classes."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from segment.core.errors import InputError
from segment.core.labels.classes import composed
from segment.core.yaml_text import read_yaml

_CONTROL = re.compile(r"\s*[\x00-\x1f\x7f]+\s*")
_WHOLE = re.compile(r"\+?(-?)0*(\d+)(?:\.0+)?")


def text_of(value: Any) -> str | None:
    """Returns a value of a field as text.

    Args:
        value: The value, of any type.

    Returns:
        The text, whole numbers without a fraction, letters with accents as one character and a
        space for line breaks; None for no value.
    """
    if value is None or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return composed(_CONTROL.sub(" ", str(value)).strip()) or None


def plain(text: str) -> str:
    """Returns what values share that differ in case, or are one number (01, 1.0 and 1).

    Args:
        text: A value as text.

    Returns:
        The text in lower case, or the whole number.
    """
    found = _WHOLE.fullmatch(text)
    return found[1] + found[2] if found else text.casefold()


def listed(values: Sequence[str | None]) -> str:
    """Lists the first different values, for messages.

    Args:
        values: Values, or None.

    Returns:
        Up to five of them, and how many more there are.
    """
    different = [value for value in dict.fromkeys(values) if value]
    more = f" and {len(different) - 5} more" if len(different) > 5 else ""
    return ", ".join(different[:5]) + more


def read_codes(path: Path) -> dict[str, str]:
    """Reads the class of each value of a field.

    Args:
        path: YAML file with a mapping, such as `111: urban`.

    Returns:
        Name of the class by value, both as text.

    Raises:
        InputError: If the file cannot be read or holds something else.
    """
    try:
        found = read_yaml(path, as_written=True)
    except (OSError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read ({reason}). Check the file of codes.") from error
    is_mapping = isinstance(found, dict) and found
    if not is_mapping or not all(isinstance(part, str) for pair in found.items() for part in pair):
        raise InputError(f"{path}: not a list of values and classes. Write one a line: 111: urban")
    return dict(found)
