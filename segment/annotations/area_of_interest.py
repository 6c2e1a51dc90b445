"""The area of interest of a scene, from a box or a vector file that a user gives."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from segment.annotations.areas import Area, area_of_box, area_of_polygons
from segment.annotations.boxes import parse_box
from segment.annotations.placed_boxes import describe_extent
from segment.annotations.placed_shapes import read_shapes
from segment.annotations.shapes import Shapes
from segment.annotations.vector_layer import Layer, read_layer
from segment.core.errors import InputError
from segment.core.raster.reader import Raster

AreaOfInterest = str | Path | Sequence[float]
"""What a user gives: a box as text or four numbers, or a vector file."""

_LAYER = "|layername="  # as QGIS writes the layer of a file


def check_area(given: AreaOfInterest | None) -> None:
    """Checks an area of interest without a scene.

    Args:
        given: What a user gives, or None.

    Raises:
        InputError: If it is neither a box nor a file.
    """
    area_file(given)


def area_file(given: AreaOfInterest | None) -> Path | None:
    """Returns the file of an area of interest.

    Args:
        given: What a user gives, or None.

    Returns:
        Its path, None for a box or no area.

    Raises:
        InputError: If it is neither a box nor a file.
    """
    return None if given is None or parse_box(given) is not None else _file(given)[0]


def open_area(given: AreaOfInterest | None, raster: Raster) -> Area:
    """Places an area of interest on the grid of a scene.

    A pixel belongs to the area that its middle lies in.

    Args:
        given: A box LEFT,BOTTOM,RIGHT,TOP, as text or numbers; or a vector file with polygons in
            any CRS, `FILE|layername=NAME` for one of several layers; None for the whole scene.
        raster: The open scene.

    Returns:
        The area.

    Raises:
        InputError: If it does not overlap the scene, could be meant in two ways, cannot be read, or
            holds no polygons.
    """
    if given is None:
        return Area.whole(raster)
    box = parse_box(given)
    if box is not None:
        return area_of_box(box, raster)
    shapes, path = _read_polygons(given, raster)
    return area_of_polygons(shapes, raster, f"--aoi {path.name}")


def _file(given: AreaOfInterest) -> tuple[Path, str | None]:
    """Returns the file and the layer of an area of interest."""
    if not isinstance(given, (str, Path)):
        raise InputError(f"--aoi {given!r}: not a box of four numbers, nor a file. Give one.")
    name, _, layer = str(given).partition(_LAYER)
    if not name or not Path(name).exists():
        raise InputError(
            f"--aoi {str(given)!r}: neither a box LEFT,BOTTOM,RIGHT,TOP nor a file that exists."
            " Check the numbers or the path."
        )
    return Path(name), layer or None


def _read_polygons(given: AreaOfInterest, raster: Raster) -> tuple[Shapes, Path]:
    """Reads the polygons of a file that touch a scene, each part by itself."""
    path, name = _file(given)
    if raster.ground is None:
        raise InputError(
            f"{raster.path}: has no georeference, so that {path.name} cannot be placed on it. Give"
            " --aoi as a box of its pixels, LEFT,BOTTOM,RIGHT,TOP."
        )
    layer = read_layer(path, name, [], f"with --aoi '{path}{_LAYER}NAME'")
    _require_one_side(layer)
    shapes = read_shapes(layer, raster).only_polygons(layer, "the area")
    parts, notes = shapely.get_parts(shapes.geometries), tuple(f"{one}." for one in shapes.notes)
    polygons = Shapes(parts, np.zeros(len(parts), np.int64), shapes.mirrored, notes)
    near = polygons.touching(raster)
    if not len(near.geometries):
        raise InputError(
            f"{path}: none of {len(parts)} polygons lies on {raster.path}, which covers"
            f" {describe_extent(raster)}. Check the CRS of both, or map another scene."
        )
    return near, path


def _require_one_side(layer: Layer) -> None:
    """Raises InputError for a polygon in degrees that is drawn across the antimeridian."""
    import pyogrio

    try:
        if layer.crs is None or not CRS.from_user_input(layer.crs).is_geographic:
            return
    except CRSError:
        return
    fids, (west, _, east, _) = pyogrio.read_bounds(layer.path, layer=layer.name)
    wide = fids[east - west > 180]
    if not len(wide):
        return
    wkb = pyogrio.raw.read(layer.path, layer=layer.name, columns=[], fids=wide, force_2d=True)[2]
    bounds = shapely.bounds(shapely.get_parts(shapely.from_wkb(wkb, on_invalid="ignore")))
    if (bounds[:, 2] - bounds[:, 0] > 180).any():
        raise InputError(
            f"{layer.path}: a polygon spans more than 180 degrees of longitude. Split it at the"
            " antimeridian: ogr2ogr -wrapdateline OUT IN, or export it in the CRS of the scene."
        )
