"""Smooth borders of the areas of a class raster.

Stairs of pixels become slanted lines, and corners are left out that move a border only a little.
Areas keep sharing their borders. Terms are those of `outlines`.
"""

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import IGNORED
from segment.map_outputs.outlines import Outlines, count_borders

_SMALL = 9  # square tolerances; without its corners, a smaller area would lose much of its size


def smooth_polygons(
    outlines: Outlines, values: NDArray[np.uint8], tolerance: float
) -> NDArray[np.object_]:
    """Makes polygons with smooth borders.

    Areas of less than 9 square tolerances keep their pixel edges. They are left out of the coverage
    while the others are simplified, which pins the borders around them.

    Args:
        outlines: Outlines with a vertex at each junction.
        values: The class values that were traced.
        tolerance: Tolerance in pixels. Corners that cut off less than its square are removed.

    Returns:
        Shapely polygons, (areas,).
    """
    import shapely

    small = outlines.pixels() < _SMALL * tolerance**2
    pinned = outlines.chosen(small)
    polygons = np.empty(len(outlines), object)
    polygons[small] = pinned.polygons()
    if not small.all():
        smooth = _smooth_stairs(outlines, values, pinned.points).chosen(~small)
        polygons[~small] = shapely.coverage_simplify(
            smooth.polygons(), tolerance, simplify_boundary=False
        )
    return polygons


def _smooth_stairs(
    outlines: Outlines, values: NDArray[np.uint8], pinned: NDArray[np.int32]
) -> Outlines:
    """Replaces each step of one pixel by its middle, so that slanted lines are straight again.

    A step is a segment of length 1 that turns one way at its start and the other way at its end. A
    step that ends at a junction, at nodata or at one of the `pinned` corners (n, 2) stays; any
    other is touched only by the two areas that share it. The new borders cannot meet: each keeps
    within half a pixel of the corners that it passed, and no two borders pass the same corner.
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
    free = (
        (count_borders(*around) == 2)
        & (np.max(around, axis=0) < IGNORED)
        & ~np.isin(keys, pinned_keys)
    )
    jog = (np.abs(step).sum(axis=1) == 1) & free & free[following] & (turn * turn[following] < 0)
    kept = jog | ~jog[previous]
    moved = points + np.where(jog[:, None], step / 2, 0.0)
    # close the rings again: repeat the first kept point of each at its end
    before_ring = np.concatenate([[0], np.cumsum(kept)])[starts]
    moved = moved[kept]
    rings = before_ring + np.arange(len(before_ring))
    closed = np.insert(moved, before_ring[1:], moved[before_ring[:-1]], axis=0)
    return Outlines(closed, rings, outlines.areas, outlines.values)
