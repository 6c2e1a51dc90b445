"""Boxes on the grid of a scene: in its own coordinates, or in longitude and latitude."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.exceptions import ProjError

from segment.annotations.boxes import BOX_FORM, Box
from segment.core.errors import InputError
from segment.core.raster.georeference import crs_name, horizontal_crs
from segment.core.raster.grid import PixelGrid
from segment.core.raster.reader import Raster

_PIECES = 32  # straight pieces of an edge, where edges are bent on the grid of the scene
_LONLAT = "OGC:CRS84"  # longitude and latitude on WGS 84


@dataclass(frozen=True)
class PlacedBox:
    """A box on the grid of a scene.

    Attributes:
        outline: Shapely polygon in columns and rows of the scene.
        is_upright: Whether its edges follow the rows and columns of the scene.
        notes: What was assumed.
    """

    outline: Any
    is_upright: bool
    notes: tuple[str, ...] = ()

    def overlaps(self, raster: Raster) -> bool:
        """Checks whether the box shares ground with a scene.

        Args:
            raster: The scene.

        Returns:
            Whether the area in common is larger than nothing.
        """
        return bool(self.outline.intersection(shapely.box(0, 0, raster.width, raster.height)).area)


def place_box(box: Box, raster: Raster) -> PlacedBox:
    """Places a box on the grid of a scene.

    Without a prefix, the coordinates are those of the scene where they meet it, else longitudes and
    latitudes where these meet it. A scene without a georeference has pixels as coordinates, with
    rows counted from its top.

    Args:
        box: The box.
        raster: The open scene.

    Returns:
        The box on the grid.

    Raises:
        InputError: If the box does not overlap the scene, or could be meant both ways.
    """
    ground = raster.ground
    crs = None if ground is None else horizontal_crs(ground.crs)
    found = {}
    if box.system != "lonlat":
        own = _place_pixels(box) if ground is None else _place_own(box, ground)
        if own and own.overlaps(raster):
            found["scene"] = own
    asked = box.system == "lonlat" or (
        box.system is None and crs is not None and not crs.is_geographic
    )
    if asked and (crs is None or ground is None):
        raise InputError(
            f"--aoi {box}: {raster.path} has no CRS that longitudes can be converted to. Give the"
            f" box in {'pixels' if ground is None else 'the coordinates of the scene'}, without"
            " lonlat:."
        )
    if asked and ground is not None:
        geographic = _place_lonlat(box, ground, crs)
        if geographic and geographic.overlaps(raster):
            found["lonlat"] = geographic
    if len(found) > 1:
        raise InputError(
            f"--aoi {box}: meets {raster.path} both as coordinates of the scene and as longitudes"
            f" and latitudes. Write --aoi scene:{box} or --aoi lonlat:{box}."
        )
    for placed in found.values():
        return placed
    if ground is not None and box.system != "lonlat" and box.bottom > box.top:
        raise InputError(f"--aoi {box}: BOTTOM must be less than TOP. {BOX_FORM}")
    raise InputError(
        f"--aoi {box}: does not overlap {raster.path}, which covers {describe_extent(raster)}. Give"
        " a box that meets it."
    )


def describe_extent(raster: Raster) -> str:
    """Describes the coordinates that a scene covers, for messages.

    Args:
        raster: The open scene.

    Returns:
        The ranges of its coordinates and, if they differ, of longitude and latitude.
    """
    ground = raster.ground
    if ground is None:
        return f"columns 0 to {raster.width} and rows 0 to {raster.height}"
    left, bottom, right, top = _bounds(ground)
    name = "without a CRS" if ground.crs is None else crs_name(ground.crs)
    text = f"x {left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g} ({name})"
    crs = horizontal_crs(ground.crs)
    if crs is None or crs.is_geographic or (degrees := _degrees(ground, crs)) is None:
        return text
    west, south, east, north = degrees
    return f"{text}, longitude {west:.6g} to {east:.6g}, latitude {south:.6g} to {north:.6g}"


def _place_pixels(box: Box) -> PlacedBox:
    first, last = sorted((box.bottom, box.top))
    note = f"--aoi {box}: the scene has no georeference, the numbers are taken for its pixels."
    return PlacedBox(shapely.box(box.left, first, box.right, last), True, (note,))


def _place_own(box: Box, ground: PixelGrid) -> PlacedBox | None:
    if box.bottom > box.top:
        return None
    outline = _outline((box.left, box.bottom, box.right, box.top), ground)
    return PlacedBox(outline, ground.transform.b == ground.transform.d == 0)


def _place_lonlat(box: Box, ground: PixelGrid, crs: Any) -> PlacedBox | None:
    """Places a box of longitudes and latitudes; None where it lies elsewhere."""
    degrees = _degrees(ground, crs)
    in_range = -90 <= box.bottom < box.top <= 90 and -180 <= box.left < box.right <= 360
    if degrees is None or not in_range:
        return None
    west, south, east, north = degrees
    # less than the box: far from a scene, its CRS may give no coordinates
    wide, high = max(east - west, 1e-6), max(north - south, 1e-6)
    for turn in (0, 360, -360):
        left, right = max(box.left + turn, west - wide), min(box.right + turn, east + wide)
        bottom, top = max(box.bottom, south - high), min(box.top, north + high)
        if left >= right or bottom >= top:
            continue
        convert = Transformer.from_crs(_LONLAT, crs, always_xy=True).transform
        outline = _outline((left, bottom, right, top), ground, convert)
        if np.isfinite(outline.bounds).all():
            note = (
                f"--aoi {box}: taken for longitudes and latitudes; with --aoi scene:{box} they are"
                " coordinates of the scene."
            )
            return PlacedBox(outline, False, () if box.system else (note,))
    return None


def _outline(bounds: Sequence[float], ground: PixelGrid, convert: Any = None) -> Any:
    """Places the outline of a box (left, bottom, right, top) in columns and rows."""
    outline = shapely.box(*bounds)
    if convert is not None:
        sides = bounds[2] - bounds[0], bounds[3] - bounds[1]
        outline = shapely.segmentize(outline, max(sides) / _PIECES)
    to_pixels = ~ground.transform

    def place(points: NDArray[np.float64]) -> NDArray[np.float64]:
        xs, ys = points.T if convert is None else convert(*points.T)
        return np.stack(to_pixels @ (np.asarray(xs), np.asarray(ys)), axis=1)

    return shapely.transform(outline, place)


def _bounds(ground: PixelGrid) -> tuple[float, float, float, float]:
    corners = [ground.transform @ (x, y) for x in (0, ground.width) for y in (0, ground.height)]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _degrees(ground: PixelGrid, crs: Any) -> tuple[float, float, float, float] | None:
    """West, south, east and north of a grid; east is above 180 across the antimeridian."""
    try:
        convert = Transformer.from_crs(crs, _LONLAT, always_xy=True).transform_bounds
        west, south, east, north = convert(*_bounds(ground))
    except ProjError:
        return None
    if not np.isfinite((west, south, east, north)).all():
        return None
    return west, south, east + 360 if east < west else east, north
