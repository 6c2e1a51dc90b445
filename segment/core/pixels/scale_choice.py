"""Choices of a scale: what users write for --scale and data.scale."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from segment.core.errors import InputError
from segment.core.pixels.band_scale import BandScale

ScaleOption = str | Path | tuple[float, float]
"""`auto`, `never`, values such as `0,3000` or (0, 3000), percentages such as `2%,98%`, or the
report of a map."""

_LARGEST = 1e30  # beyond it, the difference of two float32 may be infinite
_CURE = "Choose auto, never, LOW,HIGH (0,3000), percentages (2%,98%) or a report (.json)."


@dataclass(frozen=True)
class ScaleChoice:
    """How pixels of more than 8 bits are brought to 8 bits.

    Attributes:
        kind: auto: where a model of 8 bits meets other pixels. never: pixels stay as they are.
            values, percentages: all pixels, whatever their type. report: pixels of the type that
            the report was of.
        ends: The two values or percentages, the lower first.
        scale: Scale of the report.
    """

    kind: Literal["auto", "never", "values", "percentages", "report"]
    ends: tuple[float, float] | None = None
    scale: BandScale | None = None


def parse_scale(option: ScaleOption, name: str = "--scale") -> ScaleChoice:
    """Reads what a user writes for a scale.

    Args:
        option: The text, two values, or the path of a report.
        name: Name of the option, for messages.

    Returns:
        The choice.

    Raises:
        InputError: If it is none of these, the ends are not in rising order or out of range, or the
            report holds no scale.
    """
    if isinstance(option, Path):
        return ScaleChoice("report", scale=_read_report(option, name))
    if not isinstance(option, str):
        return _of_ends(option, option, "values", name)
    text = option.strip()
    if text == "auto":
        return ScaleChoice("auto")
    if text == "never":
        return ScaleChoice("never")
    if text.lower().endswith(".json"):
        return ScaleChoice("report", scale=_read_report(Path(text), name))
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 2 and all(part.endswith("%") for part in parts):
        return _of_ends(option, [part[:-1] for part in parts], "percentages", name)
    return _of_ends(option, parts, "values", name)


def check_scale(option: str) -> str:
    """Checks the scale in the settings of a training.

    Args:
        option: The setting.

    Returns:
        The same.

    Raises:
        ValueError: If it is not one that `parse_scale` takes.
    """
    try:
        parse_scale(option, "scale")
    except InputError as error:
        raise ValueError(str(error).removeprefix("scale: ")) from error
    return option


def _of_ends(
    option: object,
    ends: Sequence[str | float],
    kind: Literal["values", "percentages"],
    name: str,
) -> ScaleChoice:
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: {option!r} is unknown. {_CURE}") from error
    lowest, highest = (0.0, 100.0) if kind == "percentages" else (-_LARGEST, _LARGEST)
    if not (math.isfinite(low) and math.isfinite(high) and lowest <= low and high <= highest):
        sort = "percentages are 0 to 100" if kind == "percentages" else "values must be finite"
        raise InputError(f"{name}: {sort}. Received {option!r}. {_CURE}")
    if low >= high:
        raise InputError(
            f"{name}: the first must be below the second. Received {option!r}. {_CURE}"
        )
    return ScaleChoice(kind, (low, high))


def _read_report(path: Path, name: str) -> BandScale:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = error.strerror or str(error)
        raise InputError(f"{name}: {path}: cannot be read: {problem}. {_CURE}") from error
    except ValueError as error:
        raise InputError(f"{name}: {path}: is not JSON. Give the report of a map.") from error
    found = content.get("scale") if isinstance(content, dict) else None
    if found is None:
        raise InputError(
            f"{name}: {path}: holds no scale, its pixels were mapped as they are. Give the report"
            " of a map with one."
        )
    try:
        low, high = (tuple(float(end) for end in found[key]) for key in ("low", "high"))
        dtype = str(found["dtype"])
        fits = low and len(low) == len(high) and all(map(math.isfinite, (*low, *high)))
        if not fits or not all(a < b for a, b in zip(low, high, strict=True)):
            raise ValueError("ends that do not fit together")
    except (TypeError, ValueError, LookupError) as error:
        problem = f"its scale is not as a map's report holds it ({error})"
        raise InputError(f"{name}: {path}: {problem}. Restore the file.") from error
    origin = re.sub(r"\s+", " ", f"the scale of {path.name}")
    return BandScale(low, high, dtype, origin)
