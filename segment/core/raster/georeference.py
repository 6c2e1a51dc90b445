"""Georeference of rasters: ground control points, and coordinate reference systems compared."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from affine import Affine
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.errors import CRSError

_FITTED = 0.25  # pixels by which ground control points may deviate from a transform


def fit_control_points(points: Sequence[Any]) -> Any:
    """Fits an affine transform to ground control points.

    Args:
        points: Ground control points as rasterio reads them.

    Returns:
        The transform from columns and rows to coordinates. None where the points do not determine
        one, or where it misses one of them by more than a quarter of a pixel.
    """
    places, found = (
        np.array([(p.col, p.row, 1.0) for p in points]),
        np.array([(p.x, p.y) for p in points]),
    )
    if len(points) < 3 or np.linalg.matrix_rank(places) < 3:  # all on one line
        return None
    middle = found.mean(axis=0)
    fit = np.linalg.lstsq(places, found - middle, rcond=None)[0].T
    (a, b, c), (d, e, f) = fit
    transform = Affine(a, b, c + middle[0], d, e, f + middle[1])
    if transform.is_degenerate:
        return None
    missed = np.linalg.solve(fit[:, :2], (places @ fit.T - (found - middle)).T)  # pixels
    return transform if np.abs(missed).max() <= _FITTED else None


def read_projection(path: str) -> tuple[Any, str | None]:
    """Reads the CRS in the `.prj` file beside a raster, which GDAL reads for few formats.

    A `.prj` beside a Shapefile of the same name is that of the Shapefile.

    Args:
        path: Path of the raster; only files can have one.

    Returns:
        The CRS as rasterio reads it, and what to report; both None where there is no such file.
    """

    def beside(ending: str) -> Path | None:
        places = (Path(path).with_suffix(case) for case in (ending, ending.upper()))
        return next((place for place in places if os.path.isfile(place)), None)

    # Path.is_file raises for some names
    if not os.path.isfile(path) or (found := beside(".prj")) is None or beside(".shp"):
        return None, None
    try:
        crs = CRS.from_wkt(found.read_text(encoding="utf-8", errors="replace").strip())
    except (CRSError, OSError):
        return None, (
            f"Warning: {found.name} beside it holds no CRS that is understood, and the scene has"
            " none. Give it one: gdal_edit.py -a_srs EPSG:CODE FILE"
        )
    return crs, f"Its CRS is that of {found.name} beside it: {crs_name(crs)}."


def horizontal_crs(crs: Any) -> Any:
    """Returns the horizontal part of a CRS.

    Args:
        crs: CRS as rasterio reads it, or None.

    Returns:
        The horizontal part (pyproj), None where no part gives positions on the earth.
    """
    if crs is None:
        return None
    try:
        found: Any = pyproj.CRS.from_user_input(crs)
    except ProjError:
        return None
    while found.is_bound or found.is_compound:
        found = found.sub_crs_list[0] if found.is_compound else found.source_crs
    return None if found.geodetic_crs is None or found.is_geocentric else found.to_2d()


def conversion(source: Any, target: Any) -> tuple[bool, Any]:
    """Finds the conversion from one CRS to another.

    Args:
        source: CRS as rasterio reads it, or None.
        target: The other CRS, or None.

    Returns:
        Whether the two can be compared, and the conversion to the other (pyproj.Transformer), None
        where none is needed or possible.
    """
    if source is not None and source == target:
        return True, None
    first, second = horizontal_crs(source), horizontal_crs(target)
    if first is None or second is None:
        return False, None
    if first.equals(second, ignore_axis_order=True):
        return True, None
    try:
        return True, pyproj.Transformer.from_crs(first, second, always_xy=True)
    except ProjError:
        return False, None


def describe_error(transformer: Any, pixel: float | None) -> str:
    """Describes a conversion that may miss the right place by more than a metre and a pixel.

    The best conversion between two datums may need a grid file that is not installed.

    Args:
        transformer: Conversion (pyproj.Transformer) that has converted some point.
        pixel: Metres per pixel, None where unknown.

    Returns:
        How far it may miss, and the cure; empty for a conversion that is exact enough.
    """
    try:
        used = transformer.get_last_used_operation()
    except ProjError:  # no point could be converted
        return ""
    miss = f"by {used.accuracy:g} m"
    if "Ballpark" in used.description:
        miss = "by more than 100 m, as no shift between their datums is known"
    elif used.accuracy <= max(pixel or 0.0, 1.0):
        return ""
    names = f"{transformer.source_crs.name} to {transformer.target_crs.name}"
    return (
        f"the conversion from {names} may miss the right place {miss}. If it does, convert it to"
        " the CRS of the scene with a program that has the grid files of the datums"
    )


def crs_name(crs: Any) -> str:
    """Names a CRS in a message.

    Args:
        crs: CRS as rasterio reads it.

    Returns:
        Its code, such as EPSG:32632, or else the name in its WKT.
    """
    text = str(crs.to_string())
    if len(text) < 40:
        return text
    return text.split('"')[1][:60] if '"' in text else f"{text[:37]}..."
