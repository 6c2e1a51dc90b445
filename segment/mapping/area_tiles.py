"""Tiles of an area of interest, and rows of a map limited to it."""

import math
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from segment.annotations.areas import Area
from segment.core.raster.grid import PixelGrid
from segment.mapping.loop import Wanted
from segment.merging import RowStrip
from segment.tile_window import Window

Region = tuple[int, int, int, int]
"""Top, bottom, left, right in pixels of the scene; bottom and right are past the last."""


def wanted_tiles(area: Area | None, window: Window, region: Region, scene: PixelGrid) -> Wanted:
    """Makes the function that chooses the tiles on which the pixels of an area depend.

    Args:
        area: The area, None for the whole region.
        window: The region on the grid that the model sees, and its tiles.
        region: The region, pixels of the scene.
        scene: Grid of the scene.

    Returns:
        The function; None where no polygons leave tiles out.
    """
    if area is None or area.polygons is None:
        return None
    plan, (top, bottom, left, right) = window.plan, region

    def wanted(row: int) -> NDArray[np.bool_]:
        start = row - plan.top
        first, last = _scene_pixels(start, start + plan.tile, plan.height, scene.height)
        first, last = max(first, top), min(last, bottom)
        if first >= last:
            return np.zeros(len(window.columns), bool)
        covered = area.covers(first, last, left, right).any(axis=0)
        found = []
        for column in window.columns:
            start = column - plan.left
            first, last = _scene_pixels(start, start + plan.tile, plan.width, scene.width)
            found.append(covered[max(first - left, 0) : max(last - left, 0)].any())
        return np.array(found)

    return wanted


def limited(
    strips: Generator[RowStrip, None, None], area: Area | None, region: Region
) -> Generator[RowStrip, None, None]:
    """Makes pixels outside an area invalid.

    Args:
        strips: Row strips of a region of a scene.
        area: The area, None for the whole region.
        region: The region, pixels of the scene.

    Returns:
        The strips, of which only pixels of the area are valid.
    """
    return strips if area is None or area.polygons is None else _limited(strips, area, region)


def _limited(
    strips: Generator[RowStrip, None, None], area: Area, region: Region
) -> Generator[RowStrip, None, None]:
    with closing(strips):
        for strip in strips:
            stop = strip.start + len(strip.valid)
            inside = area.covers(strip.start, stop, *region[2:])
            yield replace(strip, valid=strip.valid & inside)


def spread_tiles(
    grid: PixelGrid, tile: int, most: int, area: Area | None = None, factor: float = 1.0
) -> list[tuple[int, int]]:
    """Spreads tiles that do not overlap evenly over a scene, or over an area of it.

    Args:
        grid: Grid that the model sees.
        tile: Edge of a tile, pixels of that grid.
        most: Largest number of tiles.
        area: The area, on the scene's own grid; None for the whole.
        factor: Pixels that the model sees in place of one of the scene, along each axis.

    Returns:
        Top and left of the tiles that hold pixels of the area, in reading order.
    """
    top, bottom, left, right = 0.0, float(grid.height), 0.0, float(grid.width)
    if area is not None and area.identity is not None:
        top, bottom, left, right = (edge * factor for edge in area.region)
    rows, columns = max(int(bottom - top) // tile, 1), max(int(right - left) // tile, 1)
    shrink = min((most / (rows * columns)) ** 0.5, 1)
    rows = min(max(int(rows * shrink), 1), most)
    columns = min(columns, most // rows)

    def starts(first: float, length: float, count: int, size: int) -> list[int]:
        middles = [first + (i + 0.5) * length / count for i in range(count)]
        return [min(max(int(m - tile / 2), 0), max(size - tile, 0)) for m in middles]

    def counts(row: int, column: int) -> bool:
        edges = [round(edge / factor) for edge in (row, row + tile, column, column + tile)]
        return area is None or bool(area.covers(*edges).any())

    tops = starts(top, bottom - top, rows, grid.height)
    lefts = starts(left, right - left, columns, grid.width)
    return [(row, column) for row in tops for column in lefts if counts(row, column)]


def _scene_pixels(start: int, stop: int, seen: int, size: int) -> tuple[int, int]:
    """Returns a range of the scene with all pixels that depend on a range of seen pixels."""
    if seen == size:
        return start, stop
    share = size / seen
    return math.floor((start - 1) * share) - 1, math.ceil((stop + 1) * share) + 1
