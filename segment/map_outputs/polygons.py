"""Polygons of a map, without gaps or overlaps, in a GeoPackage or as GeoParquet."""

import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from segment.core.choices import PolygonFormat
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.maps.geopackage import write_geopackage
from segment.core.maps.geoparquet import require_pyarrow, write_geoparquet
from segment.core.raster.grid import PixelGrid
from segment.core.raster.opening import open_raster
from segment.map_outputs.outlines import insert_junctions, trace
from segment.map_outputs.smoothing import smooth_polygons

_ROWS = 1024  # rows read at a time


def write_polygons(
    classes: Path,
    scene: PixelGrid,
    class_table: ClassTable,
    path: Path,
    layer: str,
    *,
    min_area: float = 0.0,
    simplify: float = 1.0,
) -> int:
    """Writes the connected areas of a class raster as polygons.

    They have the fields class, value, color and area_m2, and in a GeoPackage a style for QGIS.
    Pixels that touch only at a corner are not connected. Together the polygons are a coverage,
    whatever the options: neighbours share their border vertex by vertex, and what is mapped is
    covered once.

    `area_m2` is the area of the polygon as it is written. It is geodesic where the CRS is not true
    to area (see `Raster.row_pixel_areas`), and missing without a CRS.

    All polygons are in memory at once: about 250 bytes for each vertex along pixel edges, and one
    byte for each pixel, or three with `min_area`. In maps with many specks, `min_area` saves much
    of this memory and of the time.

    Args:
        classes: The class raster.
        scene: Grid of the raster.
        class_table: Class table of the raster.
        path: File to write: a GeoPackage, or GeoParquet where its name ends in .parquet.
        layer: Name of the layer of a GeoPackage.
        min_area: Areas smaller than this become part of their largest neighbour (GDAL's sieve);
            those with only nodata around them stay. In square metres, or in pixels without a CRS.
            Where the size of pixels differs, that in the middle of the raster counts.
        simplify: Tolerance in pixels. Borders lose the stairs of pixels, then each corner that cuts
            off less than the square of the tolerance (Visvalingam & Whyatt 1993). Borders with
            nodata and the edge of the scene stay, and so does the total area of all polygons. Areas
            below 9 square tolerances stay as well. 0 keeps the edges of pixels everywhere.

    Returns:
        The number of polygons.

    Raises:
        InputError: If an option is out of range, the raster holds a value that is no class, or a
            file cannot be read or written completely.
    """
    check_options(min_area, simplify)
    values = _read_framed(classes)
    if min_area:
        values = _sieve(values, _pixels_of(min_area, scene))
    outlines = trace(values)
    unknown = set(np.unique(outlines.values).tolist()) - {c.value for c in class_table.mapped}
    if unknown:
        raise InputError(
            f"{classes}: holds the value {min(unknown)}, which no class has. Add it to the class"
            " table."
        )
    outlines = insert_junctions(outlines, values)
    polygons = (
        smooth_polygons(outlines, values, simplify)
        if simplify and len(outlines)
        else outlines.polygons()
    )
    fields = _fields(polygons, outlines.values, scene, class_table)
    if path.suffix == ".parquet":
        write_geoparquet(polygons, fields, scene, path)
    else:
        write_geopackage(polygons, fields, scene, class_table, path, layer)
    return len(polygons)


def choose_format(polygons: bool | str | None) -> PolygonFormat | None:
    """Returns the format of polygons that is asked for.

    Args:
        polygons: Whether polygons are written, or their format.

    Returns:
        The format; GeoPackage for True, None where no polygons are written.

    Raises:
        InputError: If the format is unknown, or cannot be written here.
    """
    if polygons is None or polygons is False:
        return None
    if polygons is True:
        return "gpkg"
    formats: tuple[PolygonFormat, ...] = get_args(PolygonFormat)
    for name in formats:
        if polygons == name:
            if name == "parquet":
                require_pyarrow()
            return name
    raise InputError(f"polygons: {polygons!r} is unknown. Choose {' or '.join(formats)}.")


def check_options(min_area: float, simplify: float = 1.0) -> None:
    """Checks the options of `write_polygons`.

    Args:
        min_area: Smallest area of a polygon.
        simplify: Tolerance of borders in pixels.

    Raises:
        InputError: If an option is neither 0 nor a positive number.
    """
    for name, option in (("min_area", min_area), ("simplify", simplify)):
        if not 0 <= option < math.inf:
            raise InputError(f"{name} must be 0 or a positive number. Received {option}.")


def _read_framed(classes: Path) -> NDArray[np.uint8]:
    """Reads class values in a frame of nodata, (rows + 2, columns + 2).

    Corners at the edge of the scene need the frame.
    """
    with open_raster(classes) as raster:
        values = np.full((raster.height + 2, raster.width + 2), IGNORED, np.uint8)
        for start in range(0, raster.height, _ROWS):
            pixels, valid = raster.read(start, height=min(_ROWS, raster.height - start))
            values[1 + start : 1 + start + len(pixels), 1:-1] = np.where(
                valid, pixels[..., 0], IGNORED
            )
    return values


def _pixels_of(min_area: float, scene: PixelGrid) -> int:
    """Returns the smallest number of pixels whose area is not below `min_area`."""
    areas = scene.row_pixel_areas(scene.height // 2, scene.height // 2 + 1)
    pixels = min_area if areas is None else min_area / float(areas[0])
    return min(math.ceil(pixels * (1 - 1e-9)), 2**31 - 1)


def _sieve(values: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Merges areas of fewer pixels into their largest neighbour; nodata keeps its pixels.

    Where no class has so many pixels, they join the largest area.
    """
    from rasterio.features import sieve

    valid = values != IGNORED
    if pixels > np.bincount(values[valid], minlength=1).max():  # GDAL would merge none
        pixels = max(int(trace(values).pixels().max(initial=1)), 1)
    while True:  # merged areas may still be small
        sieved: NDArray[np.uint8] = sieve(values, pixels, mask=valid, connectivity=4)
        if np.array_equal(sieved, values):
            return sieved
        values = sieved


def _fields(
    polygons: NDArray[np.object_],
    values: NDArray[np.uint8],
    scene: PixelGrid,
    class_table: ClassTable,
) -> dict[str, NDArray[Any]]:
    import shapely

    names, colors = np.empty((2, 256), object)
    for c in class_table.mapped:
        names[c.value], colors[c.value] = c.name, c.map_color
    areas, pixel_areas = shapely.area(polygons), scene.row_pixel_areas(0, scene.height)
    if pixel_areas is None:
        areas[:] = np.nan
    else:  # pixels change size steadily from row to row: take that at the centroid
        rows = shapely.get_y(shapely.centroid(polygons))
        areas *= np.interp(rows, np.arange(scene.height) + 0.5, pixel_areas)
    return {
        "class": names[values],
        "value": values.astype(np.int32),
        "color": colors[values],
        "area_m2": areas,
    }
