"""Areas of a scene: a window of it, or the polygons in one."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.annotations.boxes import Box, parse_box
from segment.annotations.burner import Burner
from segment.annotations.placed_boxes import describe_extent, place_box
from segment.annotations.shapes import Shapes
from segment.core.errors import InputError
from segment.core.pixels.geometry import Rectangle
from segment.core.raster.grid import PixelGrid
from segment.core.raster.reader import Raster

_ROWS = 1024  # burned at a time


@dataclass(frozen=True, kw_only=True)
class Area(Rectangle):
    """A window of a scene, or the polygons in it.

    Attributes:
        top: First row, pixels of the scene.
        bottom: Past the last row.
        left: First column.
        right: Past the last column.
        polygons: Burns the polygons, None where the whole window is meant.
        identity: What distinguishes the area from others; None for the whole scene.
        notes: What was assumed, repaired or left out.
    """

    top: int
    bottom: int
    left: int
    right: int
    polygons: Burner | None = field(default=None, compare=False)
    identity: list[Any] | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def whole(cls, raster: Raster) -> "Area":
        """Returns the area of a whole scene.

        Args:
            raster: The scene.

        Returns:
            The area.
        """
        return cls(top=0, bottom=raster.height, left=0, right=raster.width)

    def grid(self, raster: Raster) -> PixelGrid:
        """Returns the grid of the window.

        Args:
            raster: The scene.

        Returns:
            The grid, which is that of the scene where the area is the whole.
        """
        if self.identity is None:
            return raster
        return raster.window(self.top, self.left, self.height, self.width)

    @property
    def report_notes(self) -> list[str]:
        """The notes, and which part of the scene the map covers; none for a whole scene."""
        if self.identity is None:
            return []
        window = (
            f"Only the area of interest is mapped: rows {self.top} to {self.bottom}, columns"
            f" {self.left} to {self.right} of the scene."
        )
        outside = " Outside of its polygons the map is nodata." if self.polygons else ""
        return [*self.notes, window + outside]

    def covers(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.bool_]:
        """Finds the pixels of a rectangle that belong to the area.

        Args:
            top: First row, pixels of the scene.
            bottom: Past the last row.
            left: First column.
            right: Past the last column.

        Returns:
            Whether each pixel does, (rows, columns) bool.
        """
        rows, columns = np.arange(top, bottom), np.arange(left, right)
        inside = ((rows >= self.top) & (rows < self.bottom))[:, None] & (
            (columns >= self.left) & (columns < self.right)
        )
        if self.polygons is None or not inside.any():
            return inside
        return inside & (self.polygons.burn(top, bottom - top, left, right - left, 0) > 0)


def name_area(given: Any) -> Any:
    """Names an area of interest for a report, which may be passed on: a file without its folder.

    Args:
        given: What the user gave, or None.

    Returns:
        A box as it was given; of a file its name, with the layer.
    """
    if given is None or parse_box(given) is not None:
        return given
    path, bar, layer = str(given).partition("|")
    return f"{Path(path).name}{bar}{layer}"


def describe_area(given: Any, area: Area) -> dict[str, Any]:
    """Describes an area of interest for a report.

    Args:
        given: What the user gave.
        area: The area on the grid of the scene.

    Returns:
        What was given, and the rows and columns of the scene that the map covers, as first and
        past the last.
    """
    return {
        "given": str(parse_box(given) or name_area(given)),
        "rows": [area.top, area.bottom],
        "columns": [area.left, area.right],
        "polygons": area.polygons is not None,
    }


def area_of_box(box: Box, raster: Raster) -> Area:
    """Places a box on the grid of a scene.

    Args:
        box: The box.
        raster: The open scene.

    Returns:
        The area.

    Raises:
        InputError: If it does not overlap the scene, or could be meant in two ways.
    """
    placed = place_box(box, raster)
    if not placed.is_upright:
        mirrored = raster.ground is not None and raster.ground.transform.determinant < 0
        outline = np.array([placed.outline], object)
        shapes = Shapes(outline, np.zeros(1, np.int64), mirrored, placed.notes)
        return area_of_polygons(shapes, raster, f"--aoi {box}")
    left, top, right, bottom = placed.outline.bounds
    # half open, so that neighbouring boxes share no pixel
    rows = [min(max(math.ceil(edge - 0.5), 0), raster.height) for edge in (top, bottom)]
    columns = [min(max(math.ceil(edge - 0.5), 0), raster.width) for edge in (left, right)]
    if rows[0] == rows[1] or columns[0] == columns[1]:
        raise _too_small(f"--aoi {box}", raster)
    return Area(
        top=rows[0],
        bottom=rows[1],
        left=columns[0],
        right=columns[1],
        identity=["box", *rows, *columns],
        notes=placed.notes,
    )


def area_of_polygons(shapes: Shapes, raster: Raster, named: str) -> Area:
    """Makes an area of polygons.

    Args:
        shapes: Polygons that touch the scene, on its grid.
        raster: The open scene.
        named: How messages name the area.

    Returns:
        The window around them, with the polygons.

    Raises:
        InputError: If the middle of no pixel lies in them.
    """
    import shapely

    left, top, right, bottom = shapely.total_bounds(shapes.geometries)
    rows, columns = (
        (max(math.ceil(first - 0.5), 0), min(math.floor(last - 0.5) + 1, size))
        for first, last, size in ((top, bottom, raster.height), (left, right, raster.width))
    )
    polygons = Burner(shapes, np.ones(len(shapes.geometries), np.uint8))
    area = Area(
        top=rows[0],
        bottom=rows[1],
        left=columns[0],
        right=columns[1],
        polygons=polygons,
        identity=["polygons", *rows, *columns, polygons.digest],
        notes=shapes.notes,
    )
    if rows[0] >= rows[1] or columns[0] >= columns[1] or not _has_pixel(area):
        raise _too_small(named, raster)
    return area


def _has_pixel(area: Area) -> bool:
    return any(
        area.covers(row, min(row + _ROWS, area.bottom), area.left, area.right).any()
        for row in range(area.top, area.bottom, _ROWS)
    )


def _too_small(named: str, raster: Raster) -> InputError:
    return InputError(
        f"{named}: holds the middle of no pixel of {raster.path}, which covers"
        f" {describe_extent(raster)}. Give a larger area, or one that lies further inside."
    )
