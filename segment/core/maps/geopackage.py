"""GeoPackages of polygons, styled for QGIS."""

import shutil
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.disk import broken_write, writable
from segment.core.labels.classes import ClassTable
from segment.core.maps.qgis import store_polygon_style
from segment.core.quiet_warnings import without_warnings
from segment.core.raster.grid import PixelGrid

_AT_A_TIME = 20_000  # polygons written at a time
_VERSION = "1.2"  # QGIS 3.22 warns of the newer one that GDAL writes by default


def write_geopackage(
    polygons: NDArray[np.object_],
    fields: Mapping[str, NDArray[Any]],
    grid: PixelGrid,
    class_table: ClassTable,
    path: Path,
    layer: str,
    with_empty: bool = False,
) -> None:
    """Writes polygons as one layer, styled by their field "class".

    Args:
        polygons: Shapely polygons in columns and rows of `grid`, (polygons,) object.
        fields: Values of each field by its name, one for each polygon.
        grid: Grid whose transform and CRS place the polygons.
        class_table: Class table with the colours of the classes.
        path: GeoPackage to write.
        layer: Name of the layer.
        with_empty: Whether the style is that of a layer to be labelled, see `polygon_style`.

    Raises:
        InputError: If the file cannot be written to its end.
    """
    import pyogrio
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError

    crs, transform = None if grid.crs is None else grid.crs.to_wkt(), grid.transform
    with TemporaryDirectory() as folder:
        # pyogrio reads "!" as a path into an archive, SQLite ends a path at ";"
        file = Path(folder) / "map.gpkg" if {*"!;\r\n"} & {*str(path)} else path
        with writable(path), without_warnings():
            try:
                for start in range(0, max(len(polygons), 1), _AT_A_TIME):
                    some = slice(start, start + _AT_A_TIME)
                    placed = shapely.transform(
                        polygons[some], lambda x, y: transform @ (x, y), interleaved=False
                    )
                    pyogrio.raw.write(
                        file,
                        shapely.to_wkb(placed),
                        [column[some] for column in fields.values()],
                        list(fields),
                        layer=layer,
                        driver="GPKG",
                        geometry_type="Polygon",
                        crs=crs,
                        append=start > 0,
                        dataset_options={"VERSION": _VERSION},
                    )
                found = pyogrio.read_info(file, layer=layer)
            except (DataLayerError, DataSourceError) as error:
                raise broken_write(path, str(error)) from error
            if file != path:
                shutil.copyfile(file, path)
    if found["features"] != len(polygons):
        raise broken_write(path, f"{found['features']} of {len(polygons)} polygons")
    # the index is made when the file is closed, where GDAL reports no errors
    if not found["capabilities"]["fast_spatial_filter"] and _can_index():
        raise broken_write(path, "no spatial index")
    store_polygon_style(path, layer, class_table, with_empty)


@cache
def _can_index() -> bool:
    """Whether GDAL can make spatial indexes in this process.

    It cannot when TensorFlow, whose SQLite lacks them, was loaded first.
    """
    import pyogrio
    import shapely

    probe, point = (
        f"/vsimem/{uuid.uuid4().hex}.gpkg",
        shapely.to_wkb(np.array([shapely.Point(0, 0)])),
    )
    pyogrio.raw.write(
        probe, point, [], [], layer="probe", driver="GPKG", geometry_type="Point", crs="EPSG:4326"
    )
    return bool(pyogrio.read_info(probe)["capabilities"]["fast_spatial_filter"])
