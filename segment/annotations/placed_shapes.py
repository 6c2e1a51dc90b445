"""Reading of the geometries of a vector layer onto the grid of a raster."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from segment.annotations.shapes import Shapes, count_geometries
from segment.annotations.vector_layer import Layer
from segment.core.errors import InputError, counted
from segment.core.raster.georeference import describe_error
from segment.core.raster.grid import PixelGrid
from segment.core.raster.reader import Raster

_UNREAD = (
    "cannot be read, as they are broken or surfaces of triangles. Make polygons of them:"
    " ogr2ogr -nlt MULTIPOLYGON OUT.gpkg IN"
)


def read_shapes(layer: Layer, raster: Raster) -> Shapes:
    """Reads the geometries of a layer onto the grid of a raster.

    Vertices are converted to the CRS of the raster and then to its pixels; edges stay straight
    between them. Polygons that are not valid are repaired as `shapely.make_valid` does by
    structure. Heights and measures are dropped, curves become chains of short edges, collections
    are taken apart.

    Args:
        layer: The layer.
        raster: The open raster.

    Returns:
        The shapes that can be placed, wherever they lie.

    Raises:
        InputError: If the layer or the raster has no CRS or no georeference, if they cannot be
            converted, or if no geometry is left.
    """
    import pyogrio

    ground = _require_ground(layer, raster)
    read = pyogrio.raw.read(layer.path, layer=layer.name, columns=[], force_2d=True)[2]
    with np.errstate(invalid="ignore"):  # coordinates that are not a number
        geometries = shapely.from_wkb(read, on_invalid="ignore")
    kept = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    unread = np.array([one is not None for one in read]) & shapely.is_missing(geometries)
    notes = count_geometries(f"{layer.path}: %s left out that {_UNREAD}", np.count_nonzero(unread))
    if bare := np.count_nonzero(~kept & ~unread):
        notes.append(f"{layer.path}: {counted(bare, 'feature')} left out, without a geometry")
    try:
        source, target = CRS.from_user_input(layer.crs), CRS.from_user_input(ground.crs)
        same = source.equals(target, ignore_axis_order=True)
        convert = None if same else Transformer.from_crs(source, target, always_xy=True)
    except (CRSError, ProjError) as error:
        raise InputError(
            f"{layer.path}: its CRS cannot be converted to that of {raster.path} ({error}). Export"
            " the layer in the CRS of the scene."
        ) from error
    to_pixels = _to_pixels(ground)

    def place(points: NDArray[np.float64]) -> NDArray[np.float64]:
        xs, ys = points[:, 0], points[:, 1]
        if convert is not None:
            xs, ys = convert.transform(xs, ys)
        with np.errstate(invalid="ignore"):
            found = np.stack(to_pixels(np.asarray(xs), np.asarray(ys)), axis=1)
        return np.where(np.isfinite(found), found, np.inf)  # a ring stays closed

    features = np.flatnonzero(kept)
    if not len(features):
        if unread.any():
            raise InputError(f"{layer.path}: all geometries of layer {layer.name!r} {_UNREAD}.")
        raise InputError(f"{layer.path}: layer {layer.name!r} holds no geometry. Choose another.")
    geometries, features = _taken_apart(geometries[features], features)
    if source.is_geographic:
        notes += count_geometries(
            f"{layer.path}: %s wider than 180 degrees of longitude. If this means across the"
            " antimeridian, split them: ogr2ogr -wrapdateline OUT IN",
            np.count_nonzero(_widths(geometries) > 180),
        )
    placed = shapely.transform(geometries, place)
    finite = np.isfinite(shapely.bounds(placed)).all(axis=1)
    notes += count_geometries(
        f"{layer.path}: %s that cannot be converted to the CRS of the scene left out",
        np.count_nonzero(~finite),
    )
    if convert is not None and (doubt := describe_error(convert, raster.ground_sampling_distance)):
        notes.append(f"{layer.path}: {doubt}")
    if not finite.any():
        raise InputError(
            f"{layer.path}: no geometry of layer {layer.name!r} can be converted from"
            f" {source.name} to {target.name}. Check its CRS; GeoJSON that"
            " states none is in degrees."
        )
    placed, features = _on_each_turn(placed[finite], features[finite], ground)
    broken = ~shapely.is_valid(placed) & (shapely.get_dimensions(placed) == 2)
    placed[broken] = shapely.make_valid(placed[broken], method="structure", keep_collapsed=False)
    notes += count_geometries(
        f"{layer.path}: %s repaired that crossed themselves", np.count_nonzero(broken)
    )
    drawn = ~shapely.is_empty(placed)
    if not drawn.any():
        raise InputError(
            f"{layer.path}: no polygon of layer {layer.name!r} has an area. Draw them again, or"
            " choose another layer."
        )
    notes += count_geometries(
        f"{layer.path}: %s without an area left out", np.count_nonzero(~drawn)
    )
    placed, features = placed[drawn], features[drawn]
    return Shapes(placed, features, ground.transform.determinant < 0, tuple(notes))


def _taken_apart(
    geometries: NDArray[np.object_], features: NDArray[np.int64]
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Replaces collections, which may hold points, lines and polygons at once, by their members."""
    while (
        mixed := shapely.get_type_id(geometries) == shapely.GeometryType.GEOMETRYCOLLECTION
    ).any():
        members, owners = shapely.get_parts(geometries[mixed], return_index=True)
        geometries = np.concatenate([geometries[~mixed], members])
        features = np.concatenate([features[~mixed], features[mixed][owners]])
        order = np.argsort(features, kind="stable")
        geometries, features = geometries[order], features[order]
        drawn = ~shapely.is_empty(geometries)
        geometries, features = geometries[drawn], features[drawn]
    return geometries, features


def _widths(geometries: NDArray[np.object_]) -> NDArray[np.float64]:
    """Largest extent along x of a part of each geometry."""
    parts, owners = shapely.get_parts(geometries, return_index=True)
    left, _, right, _ = shapely.bounds(parts).reshape(-1, 4).T
    widths = np.zeros(len(geometries))
    np.maximum.at(widths, owners, np.nan_to_num(right - left))
    return widths


def _require_ground(layer: Layer, raster: Raster) -> PixelGrid:
    """Returns the position of a raster on the ground, where the layer can be placed on it."""
    ground = raster.ground
    if ground is None or ground.crs is None:
        raise InputError(
            f"{raster.path}: has no {'georeference' if ground is None else 'CRS'}, so that"
            f" {layer.path.name} cannot be placed on it. Georeference the scene."
        )
    if layer.crs is None:
        code = ground.crs.to_epsg() or "CODE"
        raise InputError(
            f"{layer.path}: layer {layer.name!r} has no CRS. Assign the one that it was drawn in,"
            f" e.g. that of the scene: ogr2ogr -a_srs EPSG:{code} OUT.gpkg IN."
        )
    return ground


def _on_each_turn(
    placed: NDArray[np.object_], features: NDArray[np.int64], grid: PixelGrid
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Adds geometries that touch the raster once they are moved by 360 degrees of longitude."""
    if not grid.crs.is_geographic:
        return placed, features
    convert, found, owners = _to_pixels(grid), [placed], [features]
    for turn in (-360.0, 360.0):
        shift = np.subtract(convert(turn, 0.0), convert(0.0, 0.0))
        moved = shapely.bounds(placed) + np.tile(shift, 2)
        near = (moved[:, 2:] >= 0).all(axis=1) & (moved[:, :2] <= (grid.width, grid.height)).all(1)
        found.append(shapely.transform(placed[near], lambda points, by=shift: points + by))
        owners.append(features[near])
    order = np.argsort(np.concatenate(owners), kind="stable")
    return np.concatenate(found)[order], np.concatenate(owners)[order]


def _to_pixels(grid: PixelGrid) -> Any:
    """Returns the function from coordinates to columns and rows, calculated as GDAL does."""
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    if b == 0 and d == 0:
        first, second = (-c / a, 1 / a, 0.0), (-f / e, 0.0, 1 / e)
    else:
        inverse = 1 / (a * e - b * d)
        first = ((b * f - c * e) * inverse, e * inverse, -b * inverse)
        second = ((-a * f + c * d) * inverse, -d * inverse, a * inverse)

    def convert(xs: Any, ys: Any) -> tuple[Any, Any]:
        return (
            first[0] + xs * first[1] + ys * first[2],
            second[0] + xs * second[1] + ys * second[2],
        )

    return convert
