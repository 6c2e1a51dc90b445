"""A map as polygons in a GeoPackage, for GIS programs."""

import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from segment.core.output import broken_write, writable
from segment.core.palette import IGNORED, Palette
from segment.core.raster import Raster

_AT_A_TIME = 20_000


def write_polygons(classes: Path, scene: Raster, palette: Palette, path: Path, layer: str) -> int:
    """Writes the connected areas of a class raster, along the pixels' edges, with class, value, color and area_m2.

    area_m2 is geodesic where the CRS is geographic, and missing without a CRS. Pixels that touch at a corner only are
    not connected. Returns the number of polygons; memory grows with it.
    Raises InputError when the file cannot be written to its end.
    """
    import pyogrio

    by_value = {c.value: c for c in palette.classes}
    measure = _area_measure(scene)
    shapes = _shapes(classes)
    count = 0
    with writable(path), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*crs.*")  # a scene without CRS has polygons without one
        while (chunk := list(islice(shapes, _AT_A_TIME))) or count == 0:
            import shapely

            polygons = [polygon for polygon, _ in chunk]
            entries = [by_value[value] for _, value in chunk]
            pyogrio.raw.write(
                path,
                shapely.to_wkb(np.array(polygons, object)),
                [
                    np.array([c.name for c in entries], object),
                    np.array([c.value for c in entries], np.int32),
                    np.array([c.color for c in entries], object),
                    np.array([measure(p) for p in polygons], np.float64),
                ],
                ["class", "value", "color", "area_m2"],
                layer=layer,
                driver="GPKG",
                geometry_type="Polygon",
                crs=None if scene.crs is None else scene.crs.to_wkt(),
                append=count > 0,
            )
            count += len(chunk)
            if len(chunk) < _AT_A_TIME:
                break
        written = pyogrio.read_info(path, layer=layer)["features"]
    if written != count:
        raise broken_write(path, f"{written} of {count} polygons")
    return count


def _shapes(classes: Path) -> Iterator[tuple[Any, int]]:
    import rasterio
    from rasterio.features import shapes
    from shapely.geometry import shape

    with rasterio.open(classes) as dataset:
        for geometry, value in shapes(rasterio.band(dataset, 1), connectivity=4, transform=dataset.transform):
            if int(value) != IGNORED:
                yield shape(geometry), int(value)


def _area_measure(scene: Raster) -> Any:
    """Square metres of a polygon in the scene's CRS."""
    if scene.crs is None:
        return lambda polygon: np.nan
    if scene.pixel_area is not None:
        square_unit = scene.crs.linear_units_factor[1] ** 2
        return lambda polygon: polygon.area * square_unit
    from pyproj import CRS

    geod = CRS.from_user_input(scene.crs).get_geod()
    return lambda polygon: np.nan if geod is None else abs(geod.geometry_area_perimeter(_oriented(polygon))[0])


def _oriented(polygon: Any) -> Any:
    from shapely.geometry.polygon import orient

    return orient(polygon)  # holes turn the other way, so that they are subtracted
