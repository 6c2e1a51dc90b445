"""The confidence of maps: a raster of it, and windows to label next where it is low."""

from pathlib import Path
from typing import Any

from segment.core.labels.classes import ClassTable
from segment.core.maps.cog import BandContent, RawRows, write_cog
from segment.core.maps.qgis import confidence_style, write_style
from segment.core.raster.grid import PixelGrid
from segment.map_outputs.suggestions import WindowStatistics, write_suggestions

CONFIDENCE_STEPS = 254
"""Value in a confidence raster where the most probable class has probability 1."""


def write_confidence_raster(rows: RawRows, path: Path, grid: PixelGrid) -> None:
    """Writes a raster with the probability of the mapped class, and a QGIS style beside it.

    Values of 0 to 254 are probabilities of 0 to 1.

    Args:
        rows: Rows of the raster.
        path: GeoTIFF to write.
        grid: Grid of the map.

    Raises:
        InputError: If the file cannot be written.
    """
    content = BandContent(
        description="confidence",
        overviews="AVERAGE",
        tags={"content": f"probability of the mapped class, 0 to {CONFIDENCE_STEPS} for 0 to 1"},
        scale=1 / CONFIDENCE_STEPS,
    )
    write_cog(rows, path, grid, content)
    write_style(path, confidence_style())


def suggest_windows(
    classes: Path,
    confidence: Path,
    path: Path,
    grid: PixelGrid,
    class_table: ClassTable,
    count: int,
) -> tuple[dict[str, Any], list[str]]:
    """Writes windows that are worth labelling next, see `write_suggestions`.

    Args:
        classes: File of the class values, one byte a pixel, row by row.
        confidence: File of the confidence, one byte a pixel, row by row.
        path: GeoPackage to write.
        grid: Grid of the map.
        class_table: Class table of the map.
        count: Windows wanted.

    Returns:
        What the report has of them, and a note where there are fewer.

    Raises:
        InputError: If the file cannot be written.
    """
    found = WindowStatistics.of(classes, confidence, CONFIDENCE_STEPS, grid, class_table)
    written = write_suggestions(found, path, grid, class_table, count)
    room = f"the map has room for {len(found.places)} of {found.width} x {found.height} px"
    fewer = f"{written} of {count} windows are suggested: {room}, and no other is uncertain."
    report = {"file": path.name, "windows": written, "asked_for": count}
    return report, [fewer] if written < count else []
