"""Where tiles lie, in plain integers, and how their probabilities merge, row band by row band."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from patchify import patchify

from segment.core.errors import InputError


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

    The scene is padded on all sides by `margin`, half of the overlap, so that its outermost pixels are seen with
    surroundings too, and further below and to the right where it is smaller than a tile.

    height, width: of the scene, pixels. tile: edge of a tile, pixels.
    overlap: fraction of the tile edge shared with its neighbour, 0 to below 1.

    Raises InputError when overlap or tile are out of range.
    """

    height: int
    width: int
    tile: int
    overlap: float

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise InputError(f"Tiles overlap by a fraction from 0 to below 1. Received overlap={self.overlap}. Choose e.g. 0.5.")
        if self.tile < 1:
            raise InputError(f"Tiles have an edge of at least one pixel. Received tile={self.tile}. Choose e.g. 256.")

    @property
    def shared(self) -> int:
        """Pixels a tile shares with its neighbour."""
        return min(round(self.tile * self.overlap), self.tile - 1)

    @property
    def step(self) -> int:
        return self.tile - self.shared

    @property
    def margin(self) -> int:
        return self.shared // 2

    @property
    def padded_height(self) -> int:
        return max(self.height + 2 * self.margin, self.tile)

    @property
    def padded_width(self) -> int:
        return max(self.width + 2 * self.margin, self.tile)

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
        inside = [min(max(edge - self.margin, 0), self.height) for edge in edges]
        return list(pairwise(inside))

    def scene_rows(self, start: int) -> NDArray[np.intp]:
        """The scene's rows (tile,) that the tiles from padded row `start` on see, reflected at its edges."""
        return reflect(np.arange(start, start + self.tile) - self.margin, self.height)

    @cached_property
    def scene_columns(self) -> NDArray[np.intp]:
        """The scene's column (padded_width,) behind each padded column."""
        return reflect(np.arange(self.padded_width) - self.margin, self.width)


def reflect(positions: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Positions brought into 0..size-1 by mirroring at the outermost pixels, as often as needed (numpy's "reflect")."""
    if size == 1:
        return np.zeros_like(positions)
    period = 2 * (size - 1)
    folded = positions % period
    return np.minimum(folded, period - folded)


def window(tile: int) -> NDArray[np.float32]:
    """Weight (tile,) of a tile's pixels along one axis, highest in the middle and never zero.

    sin^2 at the pixels' centres, which adds up to one at half overlap; the floor keeps a pixel that one tile
    alone covers from being divided by next to nothing.
    """
    centres = (np.arange(tile) + 0.5) / tile
    weights: NDArray[np.float32] = np.maximum(np.sin(np.pi * centres) ** 2, 1e-3).astype(np.float32)
    return weights


class RowStitcher:
    """Weighted mean of overlapping tiles' probabilities, holding only the rows that are still open.

    Tiles come in reading order, so each pixel's sum has a fixed order and does not depend on how tiles were batched.
    Memory: 4 bytes x tile x scene width x classes, twice while rows are handed out.
    """

    def __init__(self, plan: TilePlan, classes: int):
        self.plan = plan
        self._weights = np.outer(window(plan.tile), window(plan.tile))[:, :, None]
        self._row_sums = _coverage(plan.rows, plan.tile, plan.padded_height)
        self._column_sums = _coverage(plan.columns, plan.tile, plan.padded_width)[plan.margin :][: plan.width]
        self._sums = np.zeros((plan.tile, plan.width, classes), np.float32)
        self._index = 0

    def add(self, row: int, column: int, probabilities: NDArray[np.float32]) -> None:
        """Adds one tile (tile, tile, classes) of the present row of tiles, at its padded row and column."""
        assert row == self.plan.rows[self._index], (row, self._index)
        first = column - self.plan.margin
        begin, end = max(first, 0), min(first + self.plan.tile, self.plan.width)
        self._sums[:, begin:end] += (probabilities * self._weights)[:, begin - first : end - first]

    def finish(self) -> NDArray[np.float32]:
        """Ends the present row of tiles; hands out the probabilities (rows, width, classes) of the scene's rows
        `plan.finished` names for it. They are zero where no tile was added.
        """
        plan, index = self.plan, self._index
        start = plan.rows[index]
        after = plan.rows[index + 1] - start if index + 1 < len(plan.rows) else plan.tile
        begin, end = (edge + plan.margin - start for edge in plan.finished[index])
        finished = self._sums[begin:end]
        following = np.zeros_like(self._sums)
        following[: plan.tile - after] = self._sums[after:]
        finished /= (self._row_sums[begin + start : end + start, None] * self._column_sums)[:, :, None]
        self._sums, self._index = following, index + 1
        return finished


def _coverage(starts: list[int], tile: int, size: int) -> NDArray[np.float32]:
    """Sum of all tiles' windows at each of the `size` padded pixels of an axis."""
    sums = np.zeros(size)
    for start in starts:
        sums[start : start + tile] += window(tile)
    return sums.astype(np.float32)


def stitch(plan: TilePlan, classes: int, tiles: Iterable[tuple[int, int, NDArray[np.float32]]]) -> Iterator[NDArray[np.float32]]:
    """Merges (padded row, padded column, probabilities) in reading order; yields what `RowStitcher.finish` hands out
    for each row of tiles, as soon as a tile of a later row arrives. Tiles may be missing.
    """
    stitcher, index = RowStitcher(plan, classes), 0
    for row, column, probabilities in tiles:
        while plan.rows[index] < row:
            yield stitcher.finish()
            index += 1
        stitcher.add(row, column, probabilities)
    for _ in plan.rows[index:]:
        yield stitcher.finish()
