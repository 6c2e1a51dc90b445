"""A map as polygons in a GeoPackage, for GIS programs: the areas of one class, without gaps or overlaps between them.

All geometry is in pixels (column, row) until it is written. A *corner* is where four pixels meet; a *junction* is a
corner at which the borders of three or four areas meet. Between junctions, two areas share each border.
"""

import math
import warnings
from array import array
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.output import broken_write, writable
from segment.core.palette import IGNORED, Palette
from segment.core.raster import Raster, open_raster
from segment.styles import store_polygon_style

_AT_A_TIME = 20_000  # polygons written
_ROWS = 1024  # rows looked at
_TRACED = 2**20  # vertices held as Python's own numbers
_SMALL = 9  # square tolerances; what is smaller would lose much of its area when its corners go


def write_polygons(
    classes: Path, scene: Raster, palette: Palette, path: Path, layer: str, *, min_area: float = 0.0, simplify: float = 1.0
) -> int:
    """Writes the connected areas of a class raster as polygons, with class, value, color and area_m2, and a style for QGIS.

    Pixels that touch at a corner only are not connected. Together the polygons are a coverage: neighbours share their
    border vertex by vertex, and cover what is mapped once, whatever the options.

    min_area: areas smaller than that many square metres (pixels without a CRS; in the middle of the scene where pixels
    differ) become part of their largest neighbour, GDAL's sieve; those around which there is only nodata stay.
    simplify: tolerance in pixels; borders lose the pixels' stairs, then each corner that cuts off less than its square
    (Visvalingam & Whyatt 1993). Borders with nodata and the scene's edge stay, so the area of all polygons together does,
    and so do areas below 9 square tolerances. 0 keeps the pixels' edges everywhere.

    area_m2 is that of the polygon written, geodesic where the CRS is not true to area (see `Raster.row_pixel_areas`),
    and missing without a CRS.

    Returns the number of polygons. All of them are in memory at once, about 250 bytes for each vertex along pixel edges,
    and a byte for each pixel, with `min_area` three. In maps full of specks, that and the time are what `min_area` saves.
    Raises InputError when an option is out of range, the raster holds a value that is no class, or a file cannot be read
    or written to its end.
    """
    for name, option in (("min_area", min_area), ("simplify", simplify)):
        if not 0 <= option < math.inf:
            raise InputError(f"{name} is 0 or a positive number. Received {option}. Change it.")
    values = _read_framed(classes)
    if min_area:
        values = _sieve(values, _pixels_of(min_area, scene))
    outlines = _trace(values)
    unknown = set(np.unique(outlines.values).tolist()) - {c.value for c in palette.classes}
    if unknown:
        raise InputError(f"{classes}: must hold values of its classes. Received {min(unknown)}. Name it in the class table.")
    outlines = _insert_junctions(outlines, values)
    polygons = _simplify(outlines, values, simplify) if simplify and len(outlines) else outlines.polygons()
    _write(polygons, _fields(polygons, outlines.values, scene, palette), scene, path, layer)
    store_polygon_style(path, layer, palette)
    return len(polygons)


@dataclass(frozen=True)
class _Outlines:
    """Closed rings of areas. points: (n, 2) column and row. rings: where in points each starts, and n.
    areas: the first ring of each area, its outer one, and their number. values: (areas,) class values."""

    points: NDArray[Any]
    rings: NDArray[np.int64]
    areas: NDArray[np.int64]
    values: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.values)

    def polygons(self) -> NDArray[np.object_]:
        import shapely

        if not len(self):
            return np.empty(0, object)
        parts = self.points.astype(np.float64), (self.rings, self.areas)
        polygons: NDArray[np.object_] = shapely.from_ragged_array(shapely.GeometryType.POLYGON, *parts)
        return polygons

    def chosen(self, areas: NDArray[np.bool_]) -> "_Outlines":
        """Those of some areas."""
        counts, sizes = np.diff(self.areas), np.diff(self.rings)
        rings = np.repeat(areas, counts)
        ring_starts, area_starts = (np.append(0, lengths).cumsum() for lengths in (sizes[rings], counts[areas]))
        return _Outlines(self.points[np.repeat(rings, sizes)], ring_starts, area_starts, self.values[areas])

    def pixels(self) -> NDArray[np.float64]:
        """Size of each area in pixels."""
        x, y = self.points.astype(np.float64).T
        doubled = np.append(x[:-1] * y[1:] - x[1:] * y[:-1], 0)
        doubled[self.rings[1:] - 1] = 0  # from the end of a ring no segment leads on
        enclosed = np.abs(np.add.reduceat(doubled, self.rings[:-1])) / 2
        outer = self.areas[:-1]
        sizes: NDArray[np.float64] = 2 * enclosed[outer] - np.add.reduceat(enclosed, outer)
        return sizes


def _read_framed(classes: Path) -> NDArray[np.uint8]:
    """Class values (rows + 2, columns + 2) in a frame of nodata, which corners at the scene's edge need."""
    with open_raster(classes) as raster:
        values = np.full((raster.height + 2, raster.width + 2), IGNORED, np.uint8)
        for start in range(0, raster.height, _ROWS):
            pixels, valid = raster.read(start, height=min(_ROWS, raster.height - start))
            values[1 + start : 1 + start + len(pixels), 1:-1] = np.where(valid, pixels[..., 0], IGNORED)
    return values


def _pixels_of(min_area: float, scene: Raster) -> int:
    """The smallest number of pixels that is not below `min_area`."""
    areas = scene.row_pixel_areas(scene.height // 2, scene.height // 2 + 1)
    pixels = min_area if areas is None else min_area / float(areas[0])
    return min(math.ceil(pixels * (1 - 1e-9)), 2**31 - 1)


def _sieve(values: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Areas of fewer pixels become part of their largest neighbour; nodata neither grows nor shrinks."""
    from rasterio.features import sieve

    valid = values != IGNORED
    while True:  # what grew together may still be small
        sieved: NDArray[np.uint8] = sieve(values, pixels, mask=valid, connectivity=4)
        if np.array_equal(sieved, values):
            return sieved
        values = sieved


def _trace(values: NDArray[np.uint8]) -> _Outlines:
    """Outlines of the connected areas, a vertex at each turn."""
    from rasterio.features import shapes
    from rasterio.transform import Affine

    found, sizes, counts = bytearray(), array("q", [0]), array("q", [0])
    parts: list[NDArray[np.int32]] = [np.empty((0, 2), np.int32)]
    points: list[tuple[float, float]] = []
    for geometry, value in shapes(values, connectivity=4, transform=Affine.translation(-1, -1)):
        if value == IGNORED:
            continue
        rings = geometry["coordinates"]
        found.append(int(value))
        counts.append(len(rings))
        sizes.extend(len(ring) for ring in rings)
        points.extend(chain.from_iterable(rings))
        if len(points) > _TRACED:
            parts.append(np.array(points, np.int32))
            points.clear()
    if points:
        parts.append(np.array(points, np.int32))
    return _Outlines(np.concatenate(parts), np.cumsum(sizes), np.cumsum(counts), np.frombuffer(bytes(found), np.uint8))


def _borders(a: Any, b: Any, c: Any, d: Any) -> NDArray[np.uint8]:
    """How many borders (0 to 4) meet at corners, from their four pixels: a, b above and c, d below."""
    count: NDArray[np.uint8] = (a != b).astype(np.uint8) + (c != d) + (a != c) + (b != d)
    return count


def _passed_junctions(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Corners (n, 2), column and row, where three borders meet: two areas turn there, the third passes straight."""
    parts = []
    for start in range(0, len(values) - 1, _ROWS):
        rows = values[start : start + _ROWS + 1]
        meets = _borders(rows[:-1, :-1], rows[:-1, 1:], rows[1:, :-1], rows[1:, 1:]) == 3
        parts.append(np.argwhere(meets)[:, ::-1] + (0, start))
    return np.concatenate(parts)


def _insert_junctions(outlines: _Outlines, values: NDArray[np.uint8]) -> _Outlines:
    """Gives each outline a vertex at the junctions it passes straight, so that neighbours share borders vertex by vertex."""
    points, junctions, stride = outlines.points, _passed_junctions(values), sum(values.shape)
    owners, inserted = [], []
    within = np.ones(len(points), bool)
    within[outlines.rings[1:] - 1] = False  # from the end of a ring no segment leads on
    for axis in (0, 1):  # segments along rows, then those along columns; a key orders the corners of one line after another
        across, along = points[:, 1 - axis].astype(np.int64), points[:, axis]
        keys = across * stride + along
        nodes = np.sort(junctions[:, 1 - axis] * stride + junctions[:, axis])
        segments = np.flatnonzero(within[:-1] & (across[:-1] == across[1:]))
        ends = np.sort([keys[segments], keys[segments + 1]], axis=0)
        first, last = np.searchsorted(nodes, ends[0], "right"), np.searchsorted(nodes, ends[1], "left")
        counts = last - first
        owner = np.repeat(segments, counts)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        forward = np.repeat(keys[segments] == ends[0], counts)
        chosen = nodes[np.where(forward, np.repeat(first, counts) + place, np.repeat(last, counts) - 1 - place)]
        new = np.empty((len(owner), 2), points.dtype)
        new[:, 1 - axis], new[:, axis] = np.divmod(chosen, stride)
        owners.append(owner)
        inserted.append(new)
    owner = np.concatenate(owners)
    rings = outlines.rings + np.searchsorted(np.sort(owner), outlines.rings)
    return _Outlines(np.insert(points, owner + 1, np.concatenate(inserted), axis=0), rings, outlines.areas, outlines.values)


def _simplify(outlines: _Outlines, values: NDArray[np.uint8], tolerance: float) -> NDArray[np.object_]:
    """Polygons with smooth borders; small ones are left out of the coverage meanwhile, which pins the borders around them."""
    import shapely

    small = outlines.pixels() < _SMALL * tolerance**2
    pinned = outlines.chosen(small)
    polygons = np.empty(len(outlines), object)
    polygons[small] = pinned.polygons()
    if not small.all():
        smooth = _smooth_stairs(outlines, values, pinned.points).chosen(~small)
        polygons[~small] = shapely.coverage_simplify(smooth.polygons(), tolerance, simplify_boundary=False)
    return polygons


def _smooth_stairs(outlines: _Outlines, values: NDArray[np.uint8], pinned: NDArray[np.int32]) -> _Outlines:
    """Outlines whose steps of one pixel became points in the step's middle, so that a slanted line is straight again.

    A step is a segment of length 1 that turns one way at its start and the other way at its end. Only the two areas that
    share it touch it, unless it ends at a junction, at nodata or at `pinned` corners (n, 2): then it stays. The new borders
    cannot meet: each keeps within half a pixel of the corners it passed, and no two borders pass the same corner.
    """
    stride = values.shape[1]
    closing = np.zeros(len(outlines.points), bool)
    closing[outlines.rings[1:] - 1] = True
    points = outlines.points[~closing]  # rings without their closing vertex
    starts = outlines.rings - np.arange(len(outlines.rings))
    following, previous = np.arange(1, len(points) + 1), np.arange(-1, len(points) - 1)
    following[starts[1:] - 1], previous[starts[:-1]] = starts[:-1], starts[1:] - 1
    step = points[following] - points
    before = step[previous]
    turn = np.sign(before[:, 0] * step[:, 1] - before[:, 1] * step[:, 0])
    columns, rows = points.T
    around = [values[rows + below, columns + right] for below in (0, 1) for right in (0, 1)]
    keys, pinned_keys = (corners @ np.array([1, stride], np.int64) for corners in (points, pinned))
    free = (_borders(*around) == 2) & (np.max(around, axis=0) < IGNORED) & ~np.isin(keys, pinned_keys)
    jog = (np.abs(step).sum(axis=1) == 1) & free & free[following] & (turn * turn[following] < 0)
    kept = jog | ~jog[previous]
    moved = points + np.where(jog[:, None], step / 2, 0.0)
    # closed again: the first point kept of each ring comes once more at its end
    before_ring = np.concatenate([[0], np.cumsum(kept)])[starts]
    moved = moved[kept]
    rings = before_ring + np.arange(len(before_ring))
    closed = np.insert(moved, before_ring[1:], moved[before_ring[:-1]], axis=0)
    return _Outlines(closed, rings, outlines.areas, outlines.values)


def _fields(polygons: NDArray[np.object_], values: NDArray[np.uint8], scene: Raster, palette: Palette) -> dict[str, NDArray[Any]]:
    import shapely

    names, colors = np.empty((2, 256), object)
    for c in palette.classes:
        names[c.value], colors[c.value] = c.name, c.color
    areas, pixel_areas = shapely.area(polygons), scene.row_pixel_areas(0, scene.height)
    if pixel_areas is None:
        areas[:] = np.nan
    else:  # pixels change size steadily from row to row: that at the centroid stands for all
        rows = shapely.get_y(shapely.centroid(polygons))
        areas *= np.interp(rows, np.arange(scene.height) + 0.5, pixel_areas)
    return {"class": names[values], "value": values.astype(np.int32), "color": colors[values], "area_m2": areas}


def _write(polygons: NDArray[np.object_], fields: dict[str, NDArray[Any]], scene: Raster, path: Path, layer: str) -> None:
    import pyogrio
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError

    crs, transform = None if scene.crs is None else scene.crs.to_wkt(), scene.transform
    with writable(path), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*crs.*")  # a scene without CRS has polygons without one
        try:
            for start in range(0, max(len(polygons), 1), _AT_A_TIME):
                some = slice(start, start + _AT_A_TIME)
                placed = shapely.transform(polygons[some], lambda x, y: transform @ (x, y), interleaved=False)
                columns = [column[some] for column in fields.values()]
                pyogrio.raw.write(path, shapely.to_wkb(placed), columns, list(fields), layer=layer, driver="GPKG",
                                  geometry_type="Polygon", crs=crs, append=start > 0)  # fmt: skip
            found = pyogrio.read_info(path, layer=layer)
        except (DataLayerError, DataSourceError) as error:
            raise broken_write(path, str(error)) from error
    if found["features"] != len(polygons):
        raise broken_write(path, f"{found['features']} of {len(polygons)} polygons")
    if not found["capabilities"]["fast_spatial_filter"]:  # made when the file is closed, where GDAL tells nobody
        raise broken_write(path, "no spatial index")
