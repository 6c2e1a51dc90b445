"""Merging of the probabilities of overlapping tiles into finished rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import IGNORED
from segment.tile_window import Window

_PIECE = 64  # rows handled at a time, so that temporary arrays stay small


def blend_weights(tile: int) -> NDArray[np.float32]:
    """Returns the weights of a tile's pixels along one axis.

    They are highest in the middle and never zero: sin^2 at the centres of the pixels, which adds up
    to one at half overlap. The lower limit prevents a division by almost zero where a pixel is
    covered by one tile alone.

    Args:
        tile: Edge of a tile, pixels.

    Returns:
        (tile,) float32, 0.001 to 1.
    """
    centres = (np.arange(tile) + 0.5) / tile
    return np.asarray(np.maximum(np.sin(np.pi * centres) ** 2, 1e-3), np.float32)


class RowMerger:
    """Weighted mean of the probabilities of overlapping tiles, one row of tiles at a time.

    It holds only the rows of a window that are not finished. Tiles come in reading order, so the
    sum of each pixel has a fixed order: it depends neither on the batches of tiles nor on the
    window. Memory is 4 bytes x tile x window width x classes.

    Args:
        window: Rectangle to compute, and its tiles.
        classes: Number of classes.
    """

    def __init__(self, window: Window, classes: int):
        plan = window.plan
        self._window, self._classes, self._index = window, classes, 0
        # the classes of a pixel are adjacent, and so are their weights: numpy is fast on long rows
        self._weights = np.outer(blend_weights(plan.tile), blend_weights(plan.tile)).repeat(
            classes, axis=1
        )
        self._row_sums = _coverage(plan.rows, plan.tile, plan.padded_height)
        column_sums = _coverage(plan.columns, plan.tile, plan.padded_width)
        self._column_sums = column_sums[plan.left + window.left : plan.left + window.right].repeat(
            classes
        )
        self._sums = np.zeros((plan.tile, window.width * classes), np.float32)
        self._weighted = np.empty((_PIECE, plan.tile * classes), np.float32)

    def add(self, row: int, column: int, probabilities: NDArray[np.float32]) -> None:
        """Adds a tile of the current row of tiles.

        Args:
            row: First padded row of the tile.
            column: First padded column of the tile.
            probabilities: (tile, tile, classes).
        """
        window, tile = self._window, self._window.plan.tile
        assert row == window.rows[self._index], (row, self._index)
        first = column - window.plan.left - window.left
        begin, end = (
            edge * self._classes for edge in (max(first, 0), min(first + tile, window.width))
        )
        inside = slice(begin - first * self._classes, end - first * self._classes)
        rows = probabilities.reshape(tile, -1)
        # in two steps: a fused operation would round by the position of a pixel in the row
        for start in range(0, tile, _PIECE):
            some = slice(start, start + _PIECE)
            weighted = self._weighted[: len(rows[some])]
            np.multiply(rows[some], self._weights[some], out=weighted)
            self._sums[some, begin:end] += weighted[:, inside]

    def finished(self) -> NDArray[np.float32]:
        """Returns the probabilities of the rows that are finished after the current row of tiles.

        Returns:
            (rows, window width, classes) float32 for the rows that `Window.finished` names. They
            are zero where no tile was added, and valid until `next_row`.
        """
        window, start = self._window, self._window.rows[self._index]
        begin, end = (edge + window.plan.top for edge in window.finished[self._index])
        probabilities = self._sums[begin - start : end - start]
        for row, row_sum in zip(probabilities, self._row_sums[begin:end], strict=True):
            row /= row_sum * self._column_sums
        return probabilities.reshape(len(probabilities), window.width, self._classes)

    def next_row(self) -> None:
        """Moves on to the next row of tiles."""
        rows = self._window.rows
        if self._index + 1 < len(rows):
            kept = self._window.plan.tile - (rows[self._index + 1] - rows[self._index])
            self._sums[:kept] = self._sums[self._window.plan.tile - kept :]
            self._sums[kept:] = 0
        self._index += 1


@dataclass(frozen=True)
class RowStrip:
    """Finished rows of a map.

    Attributes:
        start: First row of the strip.
        probabilities: Shape (rows, width, classes), float32; valid only until the next strip is
            requested.
        valid: Shape (rows, width); False where the scene holds no data.
    """

    start: int
    probabilities: NDArray[np.float32]
    valid: NDArray[np.bool_]

    def labels(self) -> NDArray[np.uint8]:
        """Returns the index of the most probable class.

        Returns:
            Shape (rows, width); 255 where not valid.
        """
        return self._by_pixel(lambda probabilities: probabilities.argmax(axis=2))

    def confidence(self, steps: int) -> NDArray[np.uint8]:
        """Returns the probability of the most probable class.

        Args:
            steps: Value for probability 1, at most 254.

        Returns:
            Shape (rows, width), 0 to `steps`; 255 where not valid.
        """
        return self._by_pixel(lambda found: np.rint(found.max(axis=2) * steps).clip(0, steps))

    def _by_pixel(
        self, compute: Callable[[NDArray[np.float32]], NDArray[Any]]
    ) -> NDArray[np.uint8]:
        """Computes a value for each pixel of the strip, some rows at a time."""
        values = np.empty(self.valid.shape, np.uint8)
        for first in range(0, len(values), _PIECE):
            values[first : first + _PIECE] = compute(self.probabilities[first : first + _PIECE])
        values[~self.valid] = IGNORED
        return values


def _coverage(starts: list[int], tile: int, size: int) -> NDArray[np.float32]:
    """Returns the sum of all tiles' weights at each of the `size` padded pixels of an axis."""
    sums = np.zeros(size)
    for start in starts:
        sums[start : start + tile] += blend_weights(tile)
    return sums.astype(np.float32)
