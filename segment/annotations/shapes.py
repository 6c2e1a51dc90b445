"""Shapes: geometries of a vector layer on the grid of a raster, and burning them into windows."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.annotations.vector_layer import Layer
from segment.core.errors import InputError
from segment.core.raster.grid import PixelGrid
from segment.core.raster.reader import Raster

_KINDS = ("points", "lines", "polygons")  # by shapely.get_dimensions
_QUADRANT = 8  # segments of a quarter circle around points and the ends of lines


@dataclass(frozen=True)
class Shapes:
    """Geometries of a layer on the grid of a raster.

    Attributes:
        geometries: Shapely geometries in columns and rows of the grid, (shapes,) object.
        mirrored: Whether rings turn the other way on the ground, as in all north-up rasters.
        features: Position of each one's feature in the layer, (shapes,) int64, ascending.
        notes: What was repaired or left out.
    """

    geometries: NDArray[np.object_]
    features: NDArray[np.int64]
    mirrored: bool
    notes: tuple[str, ...] = ()

    def subset(self, chosen: NDArray[Any]) -> "Shapes":
        """Returns some of the shapes.

        Args:
            chosen: Indices, or whether each is chosen.

        Returns:
            Those shapes, in the order of the indices.
        """
        return replace(self, geometries=self.geometries[chosen], features=self.features[chosen])

    def touching(self, grid: PixelGrid) -> "Shapes":
        """Returns the shapes whose bounds touch the raster, in the same order.

        Args:
            grid: Grid of the raster.
        """
        import shapely

        left, top, right, bottom = shapely.bounds(self.geometries).reshape(-1, 4).T
        across = (right >= 0) & (left <= grid.width)
        return self.subset(across & (bottom >= 0) & (top <= grid.height))


def read_shapes(layer: Layer, raster: Raster) -> Shapes:
    """Reads the geometries of a layer onto the grid of a raster.

    Vertices are converted to the CRS of the raster and then to its pixels; edges stay straight
    between them. Polygons that are not valid are repaired as `shapely.make_valid` does by
    structure. Heights and measures are dropped, curves become chains of short edges.

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
    import shapely
    from pyproj import CRS, Transformer
    from pyproj.exceptions import CRSError, ProjError

    ground = _require_ground(layer, raster)
    read = pyogrio.raw.read(layer.path, layer=layer.name, columns=[], force_2d=True)[2]
    geometries = shapely.from_wkb(read, on_invalid="ignore")
    kept = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    notes = _count(f"{layer.path}: %s without a geometry left out", np.count_nonzero(~kept))
    try:
        source, target = CRS.from_user_input(layer.crs), CRS.from_user_input(ground.crs)
        same = source.equals(target, ignore_axis_order=True)
        convert = None if same else Transformer.from_crs(source, target, always_xy=True).transform
    except (CRSError, ProjError) as error:
        raise InputError(
            f"{layer.path}: its CRS cannot be converted to that of {raster.path} ({error}). Export"
            " the layer in the CRS of the scene."
        ) from error
    to_pixels = _to_pixels(ground)

    def place(points: NDArray[np.float64]) -> NDArray[np.float64]:
        xs, ys = points[:, 0], points[:, 1]
        if convert is not None:
            xs, ys = convert(xs, ys)
        return np.stack(to_pixels(np.asarray(xs), np.asarray(ys)), axis=1)

    features = np.flatnonzero(kept)
    placed = shapely.transform(geometries[features], place)
    finite = np.isfinite(shapely.bounds(placed)).all(axis=1)
    notes += _count(
        f"{layer.path}: %s that cannot be converted to the CRS of the scene left out",
        np.count_nonzero(~finite),
    )
    placed, features = placed[finite], features[finite]
    broken = ~shapely.is_valid(placed) & (shapely.get_dimensions(placed) == 2)
    placed[broken] = shapely.make_valid(placed[broken], method="structure", keep_collapsed=False)
    notes += _count(f"{layer.path}: %s repaired that crossed themselves", np.count_nonzero(broken))
    if not len(placed):
        raise InputError(f"{layer.path}: layer {layer.name!r} holds no geometry. Choose another.")
    return Shapes(placed, features, ground.transform.determinant < 0, tuple(notes))


def _require_ground(layer: Layer, raster: Raster) -> PixelGrid:
    """Returns the position of a raster on the ground, where the layer can be placed on it."""
    ground = raster.ground
    if ground is None or ground.crs is None:
        raise InputError(
            f"{raster.path}: has no {'georeference' if ground is None else 'CRS'}, so that"
            f" {layer.path.name} cannot be placed on it. Georeference the scene."
        )
    if layer.crs is None:
        raise InputError(
            f"{layer.path}: layer {layer.name!r} has no CRS. Assign the one that it was drawn in,"
            " e.g. ogr2ogr -a_srs EPSG:32633 OUT.gpkg IN."
        )
    return ground


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


def _count(text: str, count: int) -> list[str]:
    things = f"{count} {'geometry' if count == 1 else 'geometries'}"
    return [text % things] if count else []


def widen(shapes: Shapes, radii: NDArray[np.float64], metres: tuple[float, float]) -> Shapes:
    """Turns lines and points into areas around them; polygons stay.

    Args:
        shapes: The shapes.
        radii: Distance from the line or point in metres, (shapes,); ignored for polygons.
        metres: Size of a pixel along columns and rows, metres.

    Returns:
        Polygons, in the same order.
    """
    import shapely

    scale = np.array(metres)
    thin = shapely.get_dimensions(shapes.geometries) < 2
    wide = shapes.geometries.copy()
    drawn = shapely.transform(wide[thin], lambda points: points * scale)
    drawn = shapely.buffer(drawn, radii[thin], quad_segs=_QUADRANT)
    wide[thin] = shapely.transform(drawn, lambda points: points / scale)
    return replace(shapes, geometries=wide)


def kinds(shapes: Shapes) -> set[str]:
    """Lists the kinds of geometry among shapes.

    Args:
        shapes: The shapes.

    Returns:
        Some of points, lines and polygons. A collection counts as its largest kind.
    """
    import shapely

    return {_KINDS[dimension] for dimension in shapely.get_dimensions(shapes.geometries).tolist()}


class Burner:
    """Burns polygons into windows of a grid.

    A pixel belongs to the polygons that hold its centre. Later polygons cover earlier ones. The
    pixels do not depend on the window that they are burned in: columns and rows are those that
    `rasterio.features.rasterize` calculates for the whole grid, less whole numbers.
    """

    def __init__(self, polygons: Shapes, values: NDArray[np.uint8]):
        """Prepares the polygons.

        Args:
            polygons: Polygons, the lowest first.
            values: Value of each, (shapes,) uint8.
        """
        import shapely

        self._polygons, self._values = polygons.geometries, values
        self._bounds = shapely.bounds(self._polygons).reshape(-1, 4)
        # GDAL goes round a ring as it turns on the ground, which decides pixels on its edge
        self._down = -1 if polygons.mirrored else 1

    def burn(self, row: int, height: int, column: int, width: int, fill: int) -> NDArray[np.uint8]:
        """Burns the polygons into a window.

        Args:
            row: First row.
            height: Number of rows.
            column: First column.
            width: Number of columns.
            fill: Value of pixels in no polygon, 0 to 255.

        Returns:
            Values, (height, width) uint8.
        """
        import shapely
        from rasterio import Affine
        from rasterio.features import rasterize

        left, top, right, bottom = self._bounds.T
        touched = (right >= column) & (left <= column + width)
        touched &= (bottom >= row) & (top <= row + height)
        if not touched.any():
            return np.full((height, width), fill, np.uint8)
        offset, scale = np.array([column, row], float), np.array([1.0, self._down])
        moved = shapely.transform(self._polygons[touched], lambda xy: (xy - offset) * scale)
        burned: NDArray[np.uint8] = rasterize(
            zip(moved, self._values[touched].tolist(), strict=True),
            out_shape=(height, width),
            transform=Affine.scale(1, self._down),
            fill=fill,
            dtype=np.uint8,
        )
        return burned
