"""Outlines of the areas of a class raster: traced along pixels, made to share borders vertex by vertex, and smoothed.

All geometry is in pixels (column, row), of arrays in a frame of nodata. A *corner* is where four pixels meet; a *junction*
is a corner at which the borders of three or four areas meet. Between junctions, two areas share each border.
"""

from array import array
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.raster.classes import IGNORED

_ROWS = 1024  # rows looked at
_TRACED = 2**20  # vertices held as Python's own numbers
_SMALL = 9  # square tolerances; what is smaller would lose much of its area when its corners go


@dataclass(frozen=True)
class Outlines:
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

    def chosen(self, areas: NDArray[np.bool_]) -> "Outlines":
        """Those of some areas."""
        counts, sizes = np.diff(self.areas), np.diff(self.rings)
        rings = np.repeat(areas, counts)
        ring_starts, area_starts = (np.append(0, lengths).cumsum() for lengths in (sizes[rings], counts[areas]))
        return Outlines(self.points[np.repeat(rings, sizes)], ring_starts, area_starts, self.values[areas])

    def pixels(self) -> NDArray[np.float64]:
        """Size of each area in pixels."""
        x, y = self.points.astype(np.float64).T
        doubled = np.append(x[:-1] * y[1:] - x[1:] * y[:-1], 0)
        doubled[self.rings[1:] - 1] = 0  # from the end of a ring no segment leads on
        enclosed = np.abs(np.add.reduceat(doubled, self.rings[:-1])) / 2
        outer = self.areas[:-1]
        sizes: NDArray[np.float64] = 2 * enclosed[outer] - np.add.reduceat(enclosed, outer)
        return sizes


def trace(values: NDArray[np.uint8]) -> Outlines:
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
    return Outlines(np.concatenate(parts), np.cumsum(sizes), np.cumsum(counts), np.frombuffer(bytes(found), np.uint8))


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


def insert_junctions(outlines: Outlines, values: NDArray[np.uint8]) -> Outlines:
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
    return Outlines(np.insert(points, owner + 1, np.concatenate(inserted), axis=0), rings, outlines.areas, outlines.values)


def smooth_polygons(outlines: Outlines, values: NDArray[np.uint8], tolerance: float) -> NDArray[np.object_]:
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


def _smooth_stairs(outlines: Outlines, values: NDArray[np.uint8], pinned: NDArray[np.int32]) -> Outlines:
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
    return Outlines(closed, rings, outlines.areas, outlines.values)
