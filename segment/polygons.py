"""A map as polygons in a GeoPackage, for GIS programs."""

import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from segment.core.output import broken_write, writable
from segment.core.palette import IGNORED, Palette
from segment.core.raster import Raster

Measure = Callable[[Any], float]
_AT_A_TIME = 20_000


def write_polygons(classes: Path, scene: Raster, palette: Palette, path: Path, layer: str) -> int:
    """Writes the connected areas of a class raster, along the pixels' edges, with class, value, color and area_m2.

    area_m2 is geodesic where the CRS is not true to area, and missing without a CRS. Pixels that touch at a corner only are
    not connected. Returns the number of polygons; memory grows with it.
    Raises InputError when the file cannot be written to its end.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    shapes, measure, count = _shapes(classes), _area_measure(scene), 0
    with writable(path), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*crs.*")  # a scene without CRS has polygons without one
        try:
            while (chunk := list(islice(shapes, _AT_A_TIME))) or count == 0:
                _append(chunk, scene, palette, measure, path, layer, append=count > 0)
                count += len(chunk)
                if len(chunk) < _AT_A_TIME:
                    break
            written = pyogrio.read_info(path, layer=layer)["features"]
        except (DataLayerError, DataSourceError) as error:
            raise broken_write(path, str(error)) from error
    if written != count:
        raise broken_write(path, f"{written} of {count} polygons")
    return count


def _append(
    shapes: list[tuple[Any, int]], scene: Raster, palette: Palette, measure: Measure, path: Path, layer: str, append: bool
) -> None:
    import pyogrio
    import shapely

    class_of = {c.value: c for c in palette.classes}
    entries = [class_of[value] for _, value in shapes]
    columns = {
        "class": np.array([c.name for c in entries], object),
        "value": np.array([c.value for c in entries], np.int32),
        "color": np.array([c.color for c in entries], object),
        "area_m2": np.array([measure(polygon) for polygon, _ in shapes], np.float64),
    }
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array([polygon for polygon, _ in shapes], object)),
        list(columns.values()),
        list(columns),
        layer=layer,
        driver="GPKG",
        geometry_type="Polygon",
        crs=None if scene.crs is None else scene.crs.to_wkt(),
        append=append,
    )


def _shapes(classes: Path) -> Iterator[tuple[Any, int]]:
    import rasterio
    from rasterio.features import shapes
    from shapely.geometry import shape

    with rasterio.open(classes) as dataset:
        for geometry, value in shapes(rasterio.band(dataset, 1), connectivity=4, transform=dataset.transform):
            if int(value) != IGNORED:
                yield shape(geometry), int(value)


def _area_measure(scene: Raster) -> Measure:
    """Square metres of a polygon in the scene's CRS."""
    if scene.crs is None:
        return lambda polygon: np.nan
    if scene.pixel_area is not None:
        square_unit = scene.crs.linear_units_factor[1] ** 2
        return lambda polygon: polygon.area * square_unit
    import shapely
    from shapely.geometry.polygon import orient

    geodetic = scene.geodetic()
    if geodetic is None:
        return lambda polygon: np.nan
    to_degrees, geod = geodetic

    def measure(polygon: Any) -> float:
        # oriented, so that holes turn the other way and are subtracted
        area, _ = geod.geometry_area_perimeter(orient(shapely.transform(polygon, to_degrees, interleaved=False)))
        return abs(float(area))

    return measure
