"""Legends of maps: colour, name and share of each class."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import ClassTable

_MANY = 12
_FONT = "fonts/ttf/DejaVuSans.ttf"


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
    Pillow draws with the font of Matplotlib, whose own figures take nine times as long.

    Args:
        class_table: Class table.
        shares: Fraction of the valid pixels of each class by its name; 0 by default.
        width: Width of the legend in pixels.

    Returns:
        The legend, (rows, width, 3) uint8.
    """
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    size = max(width / 64, 12.0)
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path(), _FONT)), round(size))
    full = {c.name: shares.get(c.name, 0.0) for c in class_table.classes}
    colors = {c.name: c.map_color for c in class_table.classes}
    entries = [
        (colors[name], f"{name}  {format_share(full[name])}") for name in listed_classes(full)
    ]
    line, left, places = 0, size, []
    for _, text in entries:
        span = font.getlength(text) + 3.2 * size
        if left > size and left + span > width:
            line, left = line + 1, size
        places.append((line, left))
        left += span
    legend = Image.new("RGB", (width, round((line + 1) * 1.8 * size + 0.8 * size)), "white")
    pen = ImageDraw.Draw(legend)
    for (color, text), (line, left) in zip(entries, places, strict=True):
        middle = (line + 0.5) * 1.8 * size + 0.4 * size
        box = (left, middle - size / 2, left + size, middle + size / 2)
        pen.rectangle(box, color, "#444444", max(round(size / 22), 1))
        pen.text((left + 1.4 * size, middle), text, "black", font, anchor="lm")
    return np.asarray(legend)


def format_share(share: float) -> str:
    """Formats a share.

    Args:
        share: 0 to 1.

    Returns:
        Percent, with "< 0.1 %" for what would be rounded to nothing.
    """
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else "< 0.1 %"
