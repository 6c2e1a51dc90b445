"""Vector layers: their geometries on the grid of a raster, and rasterisation window by window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.raster.grid import PixelGrid
from segment.core.raster.reader import Raster

SUFFIXES = (".gpkg", ".geojson", ".json", ".shp", ".fgb", ".gml", ".kml", ".sqlite", ".gdb")
"""Endings of the vector files that are told from rasters by their name."""

_KINDS = ("points", "lines", "polygons")  # by shapely.get_dimensions
_QUADRANT = 8  # segments of a quarter circle around points and the ends of lines


@dataclass(frozen=True)
class Layer:
    """A layer of a vector file whose fields were read.

    Attributes:
        path: The file.
        name: Name of the layer.
        crs: CRS as text, None where the layer has none.
        fields: Values of the fields that were asked for, by name; each (features,).
    """

    path: Path
    name: str
    crs: str | None
    fields: dict[str, NDArray[Any]]


def is_vector(path: Path | str) -> bool:
    """Decides by its ending whether a file is a vector file.

    Args:
        path: The file.

    Returns:
        Whether the ending is one of `SUFFIXES`.
    """
    return Path(path).suffix.lower() in SUFFIXES


def read_layer(path: Path, layer: str | None, fields: Sequence[str]) -> Layer:
    """Reads fields of all features of a layer, without their geometries.

    Args:
        path: File that OGR reads: GeoPackage, GeoJSON, Shapefile, FlatGeobuf and others.
        layer: Name of the layer. None for the only one.
        fields: Names of the fields.

    Returns:
        The layer with the values of the fields.

    Raises:
        InputError: If the file cannot be read, has several layers and none is named, or lacks the
            layer, a field, or features.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    if not path.exists():
        raise InputError(f"{path}: no such file. Check the path.")
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        name = _choose(path, layers, layer)
        known = [str(field) for field in pyogrio.read_info(path, layer=name)["fields"]]
        for field in fields:
            if field not in known:
                raise InputError(f"{path}: has no field {field!r}. {_nearest(field, known)}")
        meta, fids, _, values = pyogrio.raw.read(
            path, layer=name, columns=list(fields), read_geometry=False, return_fids=True
        )
    except (DataSourceError, DataLayerError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: cannot be read as a vector file ({reason}). Close programs that have it open,"
            " or export it again, e.g. as GeoPackage."
        ) from error
    found = dict(zip((str(field) for field in meta["fields"]), values, strict=True))
    if not len(fids):
        raise InputError(f"{path}: layer {name!r} holds no features. Choose another layer.")
    return Layer(path, name, meta["crs"], found)


def _choose(path: Path, layers: Sequence[str], layer: str | None) -> str:
    """Returns the name of the layer to read."""
    if not layers:
        raise InputError(f"{path}: holds no layer with geometries. Export it with geometries.")
    if layer is None and len(layers) > 1:
        raise InputError(
            f"{path}: has {len(layers)} layers ({_listed(layers)}). Choose one with --layer NAME."
        )
    if layer is not None and layer not in layers:
        raise InputError(f"{path}: has no layer {layer!r}. {_nearest(layer, layers)}")
    return layer or layers[0]


def _nearest(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"Did you mean {near[0]!r}?" if near else f"It has: {_listed(known) or 'none'}."


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


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
