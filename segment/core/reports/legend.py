"""Legends of maps: colour, name and share of each class."""

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import ClassTable

_DRAWING = threading.Lock()  # Matplotlib is not safe for several threads


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
    Only one thread at a time draws.

    Args:
        class_table: Class table.
        shares: Fraction of the valid pixels of each class by its name; 0 by default.
        width: Width of the legend in pixels.

    Returns:
        The legend, (rows, width, 3) uint8.
    """
    with _DRAWING:
        return _draw_legend(class_table, shares, width)


def _draw_legend(
    class_table: ClassTable, shares: Mapping[str, float], width: int
) -> NDArray[np.uint8]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    size = max(width / 64, 12.0)
    figure = Figure(dpi=100, facecolor="white")
    canvas: Any = FigureCanvasAgg(figure)
    full = {c.name: shares.get(c.name, 0.0) for c in class_table.classes}
    colors = {c.name: c.map_color for c in class_table.classes}
    entries = [
        (colors[name], f"{name}  {format_share(full[name])}") for name in listed_classes(full)
    ]
    labels = [
        figure.text(0, 0, name, fontsize=size * 0.72, va="center", parse_math=False)
        for _, name in entries
    ]
    spans = [label.get_window_extent(canvas.get_renderer()).width + 3.2 * size for label in labels]
    line, left, places = 0, size, []
    for span in spans:
        if left > size and left + span > width:
            line, left = line + 1, size
        places.append((line, left))
        left += span
    height = round((line + 1) * 1.8 * size + 0.8 * size)
    # cut to whole pixels, so that rounding loses none
    figure.set_size_inches((width + 0.5) / 100, (height + 0.5) / 100)
    for (color, _), label, (line, left) in zip(entries, labels, places, strict=True):
        middle = height - (line + 0.5) * 1.8 * size - 0.4 * size
        box = (left / width, (middle - size / 2) / height)
        figure.add_artist(
            Rectangle(
                box,
                size / width,
                size / height,
                facecolor=color,
                edgecolor="#444444",
                linewidth=size / 30,
            )
        )
        label.set_position(((left + 1.4 * size) / width, middle / height))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def format_share(share: float) -> str:
    """Formats a share.

    Args:
        share: 0 to 1.

    Returns:
        Percent, with "< 0.1 %" for what would be rounded to nothing.
    """
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else "< 0.1 %"
