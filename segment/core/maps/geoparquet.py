"""GeoParquet files of polygons."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from segment.core.disk import writable
from segment.core.errors import InputError
from segment.core.raster.grid import PixelGrid

_AT_A_TIME = 20_000  # polygons written at a time, as a row group
_GEOMETRY = "geometry"


def require_pyarrow() -> None:
    """Checks that GeoParquet can be written.

    Raises:
        InputError: If pyarrow is not installed, or cannot be loaded.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        problem = "is not installed" if error.name == "pyarrow" else f"cannot be loaded: {error}"
        raise InputError(
            f"GeoParquet is written by pyarrow, which {problem}. Run: pip install"
            " 'aerial-segment[parquet]', or write a GeoPackage: --polygons gpkg."
        ) from error


def write_geoparquet(
    polygons: NDArray[np.object_],
    fields: Mapping[str, NDArray[Any]],
    grid: PixelGrid,
    path: Path,
) -> None:
    """Writes polygons as GeoParquet 1.1.0, geometries as well-known binary.

    Args:
        polygons: Shapely polygons in columns and rows of `grid`, (polygons,) object.
        fields: Values of each field by its name, one for each polygon; NaN is missing.
        grid: Grid whose transform and CRS place the polygons.
        path: File to write.

    Raises:
        InputError: If the file cannot be written to its end.
    """
    import pyarrow
    from pyarrow import parquet

    placed = shapely.transform(polygons, lambda x, y: grid.transform @ (x, y), interleaved=False)
    kinds = {
        name: pyarrow.string() if column.dtype == object else pyarrow.from_numpy_dtype(column.dtype)
        for name, column in fields.items()
    }
    schema = pyarrow.schema(
        [*kinds.items(), (_GEOMETRY, pyarrow.binary())],
        metadata={"geo": json.dumps(_describe(grid, placed))},
    )
    with writable(path), parquet.ParquetWriter(path, schema, compression="zstd") as file:
        for start in range(0, max(len(placed), 1), _AT_A_TIME):
            some = slice(start, start + _AT_A_TIME)
            columns = [
                pyarrow.array(column[some], kinds[name], from_pandas=True)
                for name, column in fields.items()
            ]
            columns.append(pyarrow.array(shapely.to_wkb(placed[some]), pyarrow.binary()))
            file.write_table(pyarrow.table(columns, schema))


def _describe(grid: PixelGrid, placed: NDArray[np.object_]) -> dict[str, Any]:
    """Makes the metadata of the standard (geoparquet.org) for the file."""
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["Polygon"],
        # null says that there is none; without the key, readers assume longitudes and latitudes
        "crs": None if grid.crs is None else CRS.from_wkt(grid.crs.to_wkt()).to_json_dict(),
    }
    if len(placed):
        column["bbox"] = shapely.total_bounds(placed).tolist()
    return {"version": "1.1.0", "primary_column": _GEOMETRY, "columns": {_GEOMETRY: column}}
