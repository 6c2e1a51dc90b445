"""Boxes of coordinates, as users write them."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segment.core.errors import InputError

BOX_FORM = "Write LEFT,BOTTOM,RIGHT,TOP."
"""How a box is written, for messages."""
_PREFIXES: tuple[Literal["lonlat"], Literal["scene"]] = ("lonlat", "scene")


@dataclass(frozen=True)
class Box:
    """A box of coordinates.

    Attributes:
        left: Smallest x or longitude.
        bottom: Smallest y or latitude.
        right: Largest x or longitude.
        top: Largest y or latitude.
        system: Whether the coordinates are longitudes and latitudes ("lonlat") or those of the
            scene ("scene"); None to decide by the scene.
    """

    left: float
    bottom: float
    right: float
    top: float
    system: Literal["lonlat", "scene"] | None = None

    def __str__(self) -> str:
        """The numbers, as a user writes them."""
        return ",".join(f"{n:.12g}" for n in (self.left, self.bottom, self.right, self.top))


def parse_box(given: str | Path | Sequence[float]) -> Box | None:
    """Reads a box from text or numbers.

    Args:
        given: Four numbers, or text with them, with the prefix "lonlat:" or "scene:" or without.

    Returns:
        The box; None for a path, or text that does not consist of numbers.

    Raises:
        InputError: If there are numbers, but not of a box.
    """
    if isinstance(given, Path):
        return None
    system: Literal["lonlat", "scene"] | None = None
    parts: Sequence[Any] = given
    if isinstance(given, str):
        text = given.strip()
        for prefix in _PREFIXES:
            if text.startswith(f"{prefix}:"):
                system, text = prefix, text.removeprefix(f"{prefix}:")
        parts = [part for part in re.split(r"[,;\s]+", text.strip("[]() \n")) if part]
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        numbers = []
    if not numbers:
        if system:
            raise InputError(f"--aoi {given!r}: no box follows {system}:. {BOX_FORM}")
        return None
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise InputError(f"--aoi {given!r}: not the four numbers of a box. {BOX_FORM}")
    left, bottom, right, top = numbers
    box = Box(left, bottom, right, top, system)
    if box.left >= box.right:
        raise InputError(
            f"--aoi {given!r}: LEFT must be less than RIGHT. {BOX_FORM} Give an area across the"
            " antimeridian as a vector file in the CRS of the scene."
        )
    if box.bottom == box.top:
        raise InputError(f"--aoi {given!r}: BOTTOM and TOP are the same. {BOX_FORM}")
    return box
