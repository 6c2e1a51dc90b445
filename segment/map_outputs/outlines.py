"""Outlines of the areas of a class raster: traced, and joined at junctions.

Outlines are traced along pixel edges, and made to share borders vertex by vertex.
Coordinates are (column, row) in pixels of the scene; class values come in arrays with a frame of
nodata, one pixel wide. A *corner* is where four pixels meet; a *junction* is a corner at which the
borders of three or four areas meet. Between junctions, each border is shared by two areas.
"""

from array import array
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import IGNORED

_ROWS = 1024  # rows handled at a time
_TRACED = 2**20  # vertices held as Python numbers, before they become an array


@dataclass(frozen=True)
class Outlines:
    """Closed rings around areas.

    Attributes:
        points: Vertices of all rings, column and row, (n, 2).
        rings: Where each ring starts in `points`, and n, (rings + 1,).
        areas: First ring of each area, its outer one, and the number of rings, (areas + 1,).
        values: Class value of each area, (areas,).
    """

    points: NDArray[Any]
    rings: NDArray[np.int64]
    areas: NDArray[np.int64]
    values: NDArray[np.uint8]

    def __len__(self) -> int:
        """Returns the number of areas."""
        return len(self.values)

    def polygons(self) -> NDArray[np.object_]:
        """Makes polygons of the areas.

        Returns:
            Shapely polygons, (areas,).
        """
        import shapely

        if not len(self):
            return np.empty(0, object)
        parts = self.points.astype(np.float64), (self.rings, self.areas)
        return np.asarray(shapely.from_ragged_array(shapely.GeometryType.POLYGON, *parts))

    def chosen(self, areas: NDArray[np.bool_]) -> "Outlines":
        """Selects areas.

        Args:
            areas: Whether each area is kept, (areas,) bool.

        Returns:
            Outlines of these areas only.
        """
        counts, sizes = np.diff(self.areas), np.diff(self.rings)
        rings = np.repeat(areas, counts)
        ring_starts, area_starts = (
            np.append(0, lengths).cumsum() for lengths in (sizes[rings], counts[areas])
        )
        return Outlines(
            self.points[np.repeat(rings, sizes)], ring_starts, area_starts, self.values[areas]
        )

    def pixels(self) -> NDArray[np.float64]:
        """Computes the size of each area.

        Returns:
            Sizes in pixels, (areas,) float64.
        """
        x, y = self.points.astype(np.float64).T
        doubled = np.append(x[:-1] * y[1:] - x[1:] * y[:-1], 0)
        doubled[self.rings[1:] - 1] = 0  # no segment leads from one ring to the next
        enclosed = np.abs(np.add.reduceat(doubled, self.rings[:-1])) / 2
        outer = self.areas[:-1]
        return np.asarray(2 * enclosed[outer] - np.add.reduceat(enclosed, outer))


def trace(values: NDArray[np.uint8]) -> Outlines:
    """Traces the connected areas of a class raster, with a vertex at each turn.

    Pixels that touch only at a corner are not connected.

    Args:
        values: Class values in a frame of nodata (255), (rows + 2, columns + 2) uint8.

    Returns:
        Outlines of the areas that are not nodata.
    """
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
    return Outlines(
        np.concatenate(parts),
        np.cumsum(sizes),
        np.cumsum(counts),
        np.frombuffer(bytes(found), np.uint8),
    )


def count_borders(a: Any, b: Any, c: Any, d: Any) -> NDArray[np.uint8]:
    """Counts the borders that meet at corners.

    Args:
        a: Class values above and left of the corners, in an array of any shape.
        b: Those above and right.
        c: Those below and left.
        d: Those below and right.

    Returns:
        Number of borders, 0 to 4, in the same shape.
    """
    return np.asarray((a != b).astype(np.uint8) + (c != d) + (a != c) + (b != d))


def _passed_junctions(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Finds the corners where three borders meet, as column and row, (n, 2).

    Two areas turn there, and the third passes straight.
    """
    parts = []
    for start in range(0, len(values) - 1, _ROWS):
        rows = values[start : start + _ROWS + 1]
        meets = count_borders(rows[:-1, :-1], rows[:-1, 1:], rows[1:, :-1], rows[1:, 1:]) == 3
        parts.append(np.argwhere(meets)[:, ::-1] + (0, start))
    return np.concatenate(parts)


def insert_junctions(outlines: Outlines, values: NDArray[np.uint8]) -> Outlines:
    """Adds a vertex at each junction that an outline passes straight.

    Neighbours then share their borders vertex by vertex.

    Args:
        outlines: Outlines as traced.
        values: The class values that were traced.

    Returns:
        Outlines with these vertices.
    """
    points, junctions, stride = outlines.points, _passed_junctions(values), sum(values.shape)
    owners, inserted = [], []
    within = np.ones(len(points), bool)
    within[outlines.rings[1:] - 1] = False  # no segment leads from one ring to the next
    for axis in (0, 1):  # segments along rows, then along columns; keys order corners line by line
        across, along = points[:, 1 - axis].astype(np.int64), points[:, axis]
        keys = across * stride + along
        nodes = np.sort(junctions[:, 1 - axis] * stride + junctions[:, axis])
        segments = np.flatnonzero(within[:-1] & (across[:-1] == across[1:]))
        ends = np.sort([keys[segments], keys[segments + 1]], axis=0)
        first, last = (
            np.searchsorted(nodes, ends[0], "right"),
            np.searchsorted(nodes, ends[1], "left"),
        )
        counts = last - first
        owner = np.repeat(segments, counts)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        forward = np.repeat(keys[segments] == ends[0], counts)
        chosen = nodes[
            np.where(forward, np.repeat(first, counts) + place, np.repeat(last, counts) - 1 - place)
        ]
        new = np.empty((len(owner), 2), points.dtype)
        new[:, 1 - axis], new[:, axis] = np.divmod(chosen, stride)
        owners.append(owner)
        inserted.append(new)
    owner = np.concatenate(owners)
    rings = outlines.rings + np.searchsorted(np.sort(owner), outlines.rings)
    return Outlines(
        np.insert(points, owner + 1, np.concatenate(inserted), axis=0),
        rings,
        outlines.areas,
        outlines.values,
    )
