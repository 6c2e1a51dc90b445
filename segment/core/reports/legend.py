"""Legends of maps: colour, name and share of each class."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from segment.core.labels.classes import ClassTable

_MANY = 12


def listed_classes(shares: Mapping[str, float]) -> list[str]:
    """Chooses the classes of a map that its legend or table lists.

    Args:
        shares: Share or number of each class by its name.

    Returns:
        All names; of more than twelve, those of the classes that the map has.
    """
    return [name for name, share in shares.items() if share or len(shares) <= _MANY]


def draw_legend(
    class_table: ClassTable, shares: Mapping[str, float], width: int
) -> NDArray[np.uint8]:
    """Draws a legend with the colour, name and share of each class.

    Entries are wrapped into lines. Of more than twelve classes, only those with a share have one.

    Args:
        class_table: Class table.
        shares: Fraction of the valid pixels of each class by its name; 0 by default.
        width: Width of the legend in pixels.

    Returns:
        The legend, (rows, width, 3) uint8.
    """
    size = max(width / 64, 12.0)
    font = ImageFont.truetype(_font_file(), size)
    full = {c.name: shares.get(c.name, 0.0) for c in class_table.classes}
    colors = {c.name: c.map_color for c in class_table.classes}
    line, left, entries = 0, size, []
    for name in listed_classes(full):
        label = f"{name}  {format_share(full[name])}"
        span = font.getlength(label) + 3.2 * size
        if left > size and left + span > width:
            line, left = line + 1, size
        entries.append((label, colors[name], (line + 0.5) * 1.8 * size + 0.4 * size, left))
        left += span
    legend = Image.new("RGB", (width, round((line + 1) * 1.8 * size + 0.8 * size)), "white")
    drawing = ImageDraw.Draw(legend)
    for label, color, middle, left in entries:
        box = (left, middle - size / 2, left + size, middle + size / 2)
        drawing.rectangle(box, color, "#444444", max(round(size / 24), 1))
        drawing.text((left + 1.4 * size, middle), label, "black", font, "lm")
    return np.asarray(legend)


def _font_file() -> str:
    """Finds the font that Matplotlib brings, without the time that its import takes."""
    matplotlib = find_spec("matplotlib")
    assert matplotlib and matplotlib.origin, "a dependency"
    return str(Path(matplotlib.origin).with_name("mpl-data") / "fonts" / "ttf" / "DejaVuSans.ttf")


def format_share(share: float) -> str:
    """Formats a share.

    Args:
        share: 0 to 1.

    Returns:
        Percent, with "< 0.1 %" for what would be rounded to nothing.
    """
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else "< 0.1 %"
