"""GeoPackages of polygons, styled for QGIS."""

import shutil
import sqlite3
import uuid
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from segment.core.disk import broken_write, writable
from segment.core.labels.classes import ClassTable
from segment.core.maps.qgis import polygon_style
from segment.core.quiet_warnings import without_warnings
from segment.core.raster.grid import PixelGrid

_AT_A_TIME = 20_000  # polygons written at a time
_VERSION = "1.2"  # QGIS 3.22 warns of the newer one that GDAL writes by default

_STYLES_TABLE = """
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
    f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
    useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now'))
)"""
_REGISTER_TABLE = """
INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id)
VALUES ('layer_styles', 'attributes', 'layer_styles', '', 0)"""
_INSERT_STYLE = """
INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column,
    styleName, styleQML, styleSLD, useAsDefault, description, owner)
SELECT '', '', table_name, column_name,
    replace(table_name, '_', ' '), ?, '', 1, replace(table_name, '_', ' '), ''
FROM gpkg_geometry_columns WHERE table_name = ?"""


def is_taken_as_is(path: Path) -> bool:
    """Returns whether pyogrio opens the file that a path names.

    It parses paths as addresses: what follows "!" is a path in an archive, and what follows ";" in
    the name, tabs, line breaks and spaces at the beginning are left out.

    Args:
        path: Path of a vector file.

    Returns:
        False where it would open another file, or none.
    """
    text = str(path)
    return not ({*"!\t\r\n"} & {*text}) and ";" not in path.name and text == text.lstrip()


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
    from pyogrio.errors import DataLayerError, DataSourceError

    crs, transform = None if grid.crs is None else grid.crs.to_wkt(), grid.transform
    with TemporaryDirectory() as folder:
        # SQLite ends a path at ";"
        file = path if is_taken_as_is(path) and ";" not in str(path) else Path(folder) / "map.gpkg"
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
    _store_style(path, layer, class_table, with_empty)


def _store_style(path: Path, layer: str, class_table: ClassTable, with_empty: bool) -> None:
    """Makes `polygon_style` the default of a layer, in the table in which QGIS keeps styles."""
    try:
        with writable(path), closing(sqlite3.connect(path)) as database, database:
            database.execute(_STYLES_TABLE)
            database.execute(_REGISTER_TABLE)
            database.execute(_INSERT_STYLE, (polygon_style(class_table, with_empty), layer))
    except sqlite3.Error as error:
        raise broken_write(path, str(error)) from error


@cache
def _can_index() -> bool:
    """Whether GDAL can make spatial indexes in this process.

    It cannot when TensorFlow, whose SQLite lacks them, was loaded first.
    """
    import pyogrio

    probe, point = (
        f"/vsimem/{uuid.uuid4().hex}.gpkg",
        shapely.to_wkb(np.array([shapely.Point(0, 0)])),
    )
    pyogrio.raw.write(
        probe, point, [], [], layer="probe", driver="GPKG", geometry_type="Point", crs="EPSG:4326"
    )
    return bool(pyogrio.read_info(probe)["capabilities"]["fast_spatial_filter"])
