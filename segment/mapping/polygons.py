"""A map as polygons in a GeoPackage, for GIS programs: the areas of one class, without gaps or overlaps between them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.raster.classes import IGNORED, Palette
from segment.core.raster.geopackage import write_geopackage
from segment.core.raster.reader import Raster, open_raster
from segment.mapping.outlines import insert_junctions, smooth_polygons, trace

_ROWS = 1024  # rows looked at


def write_polygons(
    classes: Path, scene: Raster, palette: Palette, path: Path, layer: str, *, min_area: float = 0.0, simplify: float = 1.0
) -> int:
    """Writes the connected areas of a class raster as polygons, with class, value, color and area_m2, and a style for QGIS.

    Pixels that touch at a corner only are not connected. Together the polygons are a coverage: neighbours share their
    border vertex by vertex, and cover what is mapped once, whatever the options.

    min_area: areas smaller than that many square metres (pixels without a CRS; in the middle of the scene where pixels
    differ) become part of their largest neighbour, GDAL's sieve; those around which there is only nodata stay.
    simplify: tolerance in pixels; borders lose the pixels' stairs, then each corner that cuts off less than its square
    (Visvalingam & Whyatt 1993). Borders with nodata and the scene's edge stay, so the area of all polygons together does,
    and so do areas below 9 square tolerances. 0 keeps the pixels' edges everywhere.

    area_m2 is that of the polygon written, geodesic where the CRS is not true to area (see `Raster.row_pixel_areas`),
    and missing without a CRS.

    Returns the number of polygons. All of them are in memory at once, about 250 bytes for each vertex along pixel edges,
    and a byte for each pixel, with `min_area` three. In maps full of specks, that and the time are what `min_area` saves.
    Raises InputError when an option is out of range, the raster holds a value that is no class, or a file cannot be read
    or written to its end.
    """
    check_options(min_area, simplify)
    values = _read_framed(classes)
    if min_area:
        values = _sieve(values, _pixels_of(min_area, scene))
    outlines = trace(values)
    unknown = set(np.unique(outlines.values).tolist()) - {c.value for c in palette.mapped}
    if unknown:
        raise InputError(f"{classes}: must hold values of its classes. Received {min(unknown)}. Name it in the class table.")
    outlines = insert_junctions(outlines, values)
    polygons = smooth_polygons(outlines, values, simplify) if simplify and len(outlines) else outlines.polygons()
    fields = _fields(polygons, outlines.values, scene, palette)
    write_geopackage(polygons, fields, scene, palette, path, layer)
    return len(polygons)


def check_options(min_area: float, simplify: float = 1.0) -> None:
    """Raises InputError when an option of `write_polygons` is out of range."""
    for name, option in (("min_area", min_area), ("simplify", simplify)):
        if not 0 <= option < math.inf:
            raise InputError(f"{name} is 0 or a positive number. Received {option}. Change it.")


def _read_framed(classes: Path) -> NDArray[np.uint8]:
    """Class values (rows + 2, columns + 2) in a frame of nodata, which corners at the scene's edge need."""
    with open_raster(classes) as raster:
        values = np.full((raster.height + 2, raster.width + 2), IGNORED, np.uint8)
        for start in range(0, raster.height, _ROWS):
            pixels, valid = raster.read(start, height=min(_ROWS, raster.height - start))
            values[1 + start : 1 + start + len(pixels), 1:-1] = np.where(valid, pixels[..., 0], IGNORED)
    return values


def _pixels_of(min_area: float, scene: Raster) -> int:
    """The smallest number of pixels that is not below `min_area`."""
    areas = scene.row_pixel_areas(scene.height // 2, scene.height // 2 + 1)
    pixels = min_area if areas is None else min_area / float(areas[0])
    return min(math.ceil(pixels * (1 - 1e-9)), 2**31 - 1)


def _sieve(values: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Areas of fewer pixels become part of their largest neighbour; nodata neither grows nor shrinks."""
    from rasterio.features import sieve

    valid = values != IGNORED
    while True:  # what grew together may still be small
        sieved: NDArray[np.uint8] = sieve(values, pixels, mask=valid, connectivity=4)
        if np.array_equal(sieved, values):
            return sieved
        values = sieved


def _fields(polygons: NDArray[np.object_], values: NDArray[np.uint8], scene: Raster, palette: Palette) -> dict[str, NDArray[Any]]:
    import shapely

    names, colors = np.empty((2, 256), object)
    for c in palette.mapped:
        names[c.value], colors[c.value] = c.name, c.map_color
    areas, pixel_areas = shapely.area(polygons), scene.row_pixel_areas(0, scene.height)
    if pixel_areas is None:
        areas[:] = np.nan
    else:  # pixels change size steadily from row to row: that at the centroid stands for all
        rows = shapely.get_y(shapely.centroid(polygons))
        areas *= np.interp(rows, np.arange(scene.height) + 0.5, pixel_areas)
    return {"class": names[values], "value": values.astype(np.int32), "color": colors[values], "area_m2": areas}
