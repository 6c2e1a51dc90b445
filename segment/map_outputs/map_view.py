"""How notebooks show the map of a scene: from its files and its report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.maps.class_picture import plot_classes, read_class_picture
from segment.core.maps.scene_outputs import format_areas
from segment.core.notebook.html import result_html
from segment.core.reports.map_pictures import LARGEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_map(
    report: dict[str, Any], classes: Path, overlay: Path, axes: "Axes | None" = None
) -> "Axes":
    """Draws a map over its scene, with a legend.

    Args:
        report: Report of the map.
        classes: Class raster.
        overlay: Overlay picture.
        axes: Axes of Matplotlib to draw on; by default those of a new figure.

    Returns:
        The axes.

    Raises:
        InputError: If a file is gone.
    """
    _, colors = read_class_picture(classes)
    picture = _read_overlay(overlay, report["height"], report["width"])
    return plot_classes(picture, colors, report["pixels_by_class"], report["scene"], axes)


def map_html(
    title: str, report: dict[str, Any], classes: Path, overlay: Path, lines: Sequence[str]
) -> str:
    """Formats a map as HTML: its overlay beside a table of the classes.

    Args:
        title: Title of the map.
        report: Report of the map.
        classes: Class raster.
        overlay: Overlay picture. The table stands alone where the files are gone.
        lines: Lines below the table.

    Returns:
        The HTML.
    """
    counts, scores = report["pixels_by_class"], report.get("jaccard")
    areas = format_areas(report["area_m2"] or {})
    valid = max(sum(counts.values()), 1)
    header = ["class", "share", *["area"] * bool(areas), *["Jaccard"] * bool(scores)]
    rows = []
    for name, pixels in counts.items():
        row = [name, f"{100 * pixels / valid:.1f} %"]
        if areas:
            row.append(areas[name])
        if scores:
            row.append("-" if scores[name] is None else f"{scores[name]:.3f}")
        rows.append(row)
    try:
        found = read_class_picture(classes)[1]
        picture = _read_overlay(overlay, report["height"], report["width"])
    except InputError:
        return result_html(title, header, rows, notes=lines)
    colors = [found[name] for name in counts]
    return result_html(title, header, rows, colors=colors, picture=picture, notes=lines)


def _read_overlay(path: Path, height: int, width: int) -> NDArray[np.uint8]:
    """The overlay of a scene without its legend, RGB."""
    found = cv2.imread(str(path)) if path.is_file() else None
    if found is None:
        raise InputError(f"{path}: cannot be read. Map the scene again, or give its new place.")
    reduction = max(height, width, LARGEST) / LARGEST
    rows, columns = (max(round(side / reduction), 1) for side in (height, width))
    return np.ascontiguousarray(found[:rows, :columns, ::-1], np.uint8)
