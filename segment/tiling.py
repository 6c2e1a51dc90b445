"""Where tiles lie, in plain integers, and how their probabilities merge, row by row of tiles."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from patchify import patchify

from segment.core.errors import InputError

Tile = tuple[int, int, NDArray[np.float32] | None]
"""Padded row and column of a tile, and its probabilities (tile, tile, classes); None where nothing is valid."""


def tile_starts(size: int, tile: int, step: int) -> list[int]:
    """First pixels of the tiles that cover 0..size, `step` apart; the last one shifts inward.

    size: pixels to cover, at least `tile`. Every pixel lies in one tile at least.
    """
    starts = list(range(0, size - tile + 1, step))
    if starts[-1] + tile < size:
        starts.append(size - tile)
    return starts


def cut_strip(strip: NDArray[Any], tile: int, step: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Cuts a strip of `tile` rows into square tiles with patchify, the last one shifted inward.

    strip: (tile, columns, bands). Yields the first column and the (tile, tile, bands) view of each.
    """
    starts = tile_starts(strip.shape[1], tile, step)
    patches = patchify(strip, (tile, tile, strip.shape[2]), step=step)[0, :, 0]
    for index, start in enumerate(starts):
        yield start, patches[index] if index < len(patches) else strip[:, start:]


@dataclass(frozen=True)
class TilePlan:
    """Where the square tiles of a scene lie, in pixels of the scene padded by reflection.

    The scene is padded on all sides by half of the overlap at least, so that its outermost pixels are seen with
    surroundings too, and further below and to the right where it is smaller than a tile. Tiles keep to a grid of
    `multiple` pixels: a network that reduces its input by as much sees the same ground the same way in scenes that
    overlap, if each is given its place in the grid.

    height, width: of the scene, pixels. tile: edge of a tile, pixels, a multiple of `multiple`.
    overlap: fraction of the tile edge shared with its neighbour, 0 to below 1, rounded to `multiple`.
    row, column: place of the scene's first pixel in the grid.

    Raises InputError when overlap or tile are out of range.
    """

    height: int
    width: int
    tile: int
    overlap: float
    multiple: int = 1
    row: int = 0
    column: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise InputError(f"Tiles overlap by a fraction from 0 to below 1. Received overlap={self.overlap}. Choose e.g. 0.5.")
        if self.tile < 1:
            raise InputError(f"Tiles have an edge of at least one pixel. Received tile={self.tile}. Choose e.g. 256.")
        assert self.tile % self.multiple == 0

    @property
    def shared(self) -> int:
        """Pixels a tile shares with its neighbour."""
        return min(round(self.tile * self.overlap / self.multiple) * self.multiple, self.tile - self.multiple)

    @property
    def step(self) -> int:
        return self.tile - self.shared

    @property
    def top(self) -> int:
        """Padded rows above the scene."""
        return self.shared // 2 + (self.row - self.shared // 2) % self.multiple

    @property
    def left(self) -> int:
        """Padded columns before the scene."""
        return self.shared // 2 + (self.column - self.shared // 2) % self.multiple

    @property
    def padded_height(self) -> int:
        return self._padded(self.top + self.height)

    @property
    def padded_width(self) -> int:
        return self._padded(self.left + self.width)

    def _padded(self, end: int) -> int:
        whole = end + self.shared // 2
        return max(whole + -whole % self.multiple, self.tile)

    @cached_property
    def rows(self) -> list[int]:
        """First padded rows of the tiles."""
        return tile_starts(self.padded_height, self.tile, self.step)

    @cached_property
    def columns(self) -> list[int]:
        """First padded columns of the tiles."""
        return tile_starts(self.padded_width, self.tile, self.step)

    @cached_property
    def finished(self) -> list[tuple[int, int]]:
        """Scene rows (first, past the last) that no tile after each row of tiles touches; empty for some at the edges."""
        edges = [*self.rows, self.padded_height]
        inside = [min(max(edge - self.top, 0), self.height) for edge in edges]
        return list(pairwise(inside))

    def scene_rows(self, start: int) -> NDArray[np.intp]:
        """The scene's rows (tile,) that the tiles from padded row `start` on see, reflected at its edges."""
        return reflect(np.arange(start, start + self.tile) - self.top, self.height)

    def scene_columns(self, start: int, stop: int) -> NDArray[np.intp]:
        """The scene's columns (stop - start,) behind some padded columns, reflected at its edges."""
        return reflect(np.arange(start, stop) - self.left, self.width)


@dataclass(frozen=True)
class Window:
    """A rectangle of a plan's scene and all tiles that touch it, which is all that its map depends on.

    top, bottom, left, right: first and past the last of its rows and columns, pixels of the scene.
    """

    plan: TilePlan
    top: int
    bottom: int
    left: int
    right: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @cached_property
    def _indices(self) -> list[int]:
        plan = self.plan
        return [i for i, row in enumerate(plan.rows) if self._touches(row - plan.top, self.top, self.bottom)]

    @cached_property
    def rows(self) -> list[int]:
        """First padded rows of the tiles."""
        return [self.plan.rows[i] for i in self._indices]

    @cached_property
    def columns(self) -> list[int]:
        """First padded columns of the tiles."""
        plan = self.plan
        return [column for column in plan.columns if self._touches(column - plan.left, self.left, self.right)]

    def _touches(self, start: int, first: int, last: int) -> bool:
        return start < last and start + self.plan.tile > first

    @cached_property
    def finished(self) -> list[tuple[int, int]]:
        """What `TilePlan.finished` says of each row of tiles, as far as it lies in the window."""
        inside = [self.plan.finished[i] for i in self._indices]
        return [(min(max(a, self.top), self.bottom), min(max(b, self.top), self.bottom)) for a, b in inside]

    @cached_property
    def scene_columns(self) -> NDArray[np.intp]:
        """The scene's column behind each padded column of the window's tiles, from the first to the last."""
        return self.plan.scene_columns(self.columns[0], self.columns[-1] + self.plan.tile)


def reflect(positions: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Positions brought into 0..size-1 by mirroring at the outermost pixels, as often as needed (numpy's "reflect")."""
    if size == 1:
        return np.zeros_like(positions)
    period = 2 * (size - 1)
    folded = positions % period
    return np.minimum(folded, period - folded)


def blend_weights(tile: int) -> NDArray[np.float32]:
    """Weight (tile,) of a tile's pixels along one axis, highest in the middle and never zero.

    sin^2 at the pixels' centres, which adds up to one at half overlap; the floor keeps a pixel that one tile
    alone covers from being divided by next to nothing.
    """
    centres = (np.arange(tile) + 0.5) / tile
    weights: NDArray[np.float32] = np.maximum(np.sin(np.pi * centres) ** 2, 1e-3).astype(np.float32)
    return weights


class RowMerger:
    """Weighted mean of overlapping tiles' probabilities, holding only the rows of a window that are still open.

    Tiles come in reading order, so each pixel's sum has a fixed order: it depends neither on how tiles were batched
    nor on the window. Memory: 4 bytes x tile x window width x classes.
    """

    def __init__(self, window: Window, classes: int):
        plan = window.plan
        self._window, self._classes, self._index = window, classes, 0
        # the classes of a pixel lie side by side, and so do their weights: long rows are what numpy is fast with
        self._weights = np.outer(blend_weights(plan.tile), blend_weights(plan.tile)).repeat(classes, axis=1)
        self._row_sums = _coverage(plan.rows, plan.tile, plan.padded_height)
        column_sums = _coverage(plan.columns, plan.tile, plan.padded_width)
        self._column_sums = column_sums[plan.left + window.left : plan.left + window.right].repeat(classes)
        self._sums = np.zeros((plan.tile, window.width * classes), np.float32)
        self._weighted = np.empty((plan.tile, plan.tile * classes), np.float32)

    def add(self, row: int, column: int, probabilities: NDArray[np.float32]) -> None:
        """Adds one tile (tile, tile, classes) of the present row of tiles, at its padded row and column."""
        window, tile = self._window, self._window.plan.tile
        assert row == window.rows[self._index], (row, self._index)
        first = column - window.plan.left - window.left
        begin, end = (edge * self._classes for edge in (max(first, 0), min(first + tile, window.width)))
        # not in one step: fused operations round by where a pixel lies in the row
        np.multiply(probabilities.reshape(tile, -1), self._weights, out=self._weighted)
        first *= self._classes
        self._sums[:, begin:end] += self._weighted[:, begin - first : end - first]

    def finished(self) -> NDArray[np.float32]:
        """The probabilities (rows, width, classes) of the window's rows that `finished` names for the present row of tiles.

        They are zero where no tile was added, and valid until `advance`.
        """
        window, start = self._window, self._window.rows[self._index]
        begin, end = (edge + window.plan.top for edge in window.finished[self._index])
        probabilities = self._sums[begin - start : end - start]
        for row, row_sum in zip(probabilities, self._row_sums[begin:end], strict=True):
            row /= row_sum * self._column_sums
        return probabilities.reshape(len(probabilities), window.width, self._classes)

    def advance(self) -> None:
        """Goes on to the next row of tiles."""
        rows = self._window.rows
        if self._index + 1 < len(rows):
            kept = self._window.plan.tile - (rows[self._index + 1] - rows[self._index])
            self._sums[:kept] = self._sums[self._window.plan.tile - kept :]
            self._sums[kept:] = 0
        self._index += 1


def _coverage(starts: list[int], tile: int, size: int) -> NDArray[np.float32]:
    """Sum of all tiles' weights at each of the `size` padded pixels of an axis."""
    sums = np.zeros(size)
    for start in starts:
        sums[start : start + tile] += blend_weights(tile)
    return sums.astype(np.float32)
