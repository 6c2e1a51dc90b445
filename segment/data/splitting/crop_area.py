"""Ground of an image that random crops may show."""

import numpy as np
from numpy.typing import NDArray

_CELLS = 8  # along the edge of a tile
_TRIES = 16  # places drawn for a crop before it is made smaller


class CropArea:
    """Squares of an image that touch no pixel outside of some tiles.

    Args:
        corners: First row and column of each tile, pixels, (tiles, 2) int64.
        height: Rows of the image.
        width: Columns of the image.
        tile: Edge of a tile, pixels.
    """

    def __init__(self, corners: NDArray[np.int64], height: int, width: int, tile: int):
        self._tile, self._cell = tile, max(1, tile // _CELLS)
        self._size = height, width
        covered = np.zeros([-(-length // self._cell) for length in self._size], bool)
        for top, left in corners.tolist():
            rows = slice(-(-top // self._cell), self._last(top + tile, height))
            covered[rows, -(-left // self._cell) : self._last(left + tile, width)] = True
        # sums over rectangles by four look-ups
        self._sums = np.zeros([length + 1 for length in covered.shape], np.int64)
        self._sums[1:, 1:] = covered.cumsum(axis=0).cumsum(axis=1)

    def _last(self, end: int, length: int) -> int:
        """Past the last whole cell before a pixel; the last cell of an image may be smaller."""
        return -(-end // self._cell) if end >= length else end // self._cell

    def holds(self, row: int, column: int, edge: int) -> bool:
        """Checks that a square, as far as it is within the image, is within the tiles.

        Args:
            row: First row, 0 or above.
            column: First column, 0 or above.
            edge: Edge of the square, pixels.

        Returns:
            True only if each of its pixels is.
        """
        top, left = row // self._cell, column // self._cell
        bottom, right = (
            -(-min(first + edge, length) // self._cell)
            for first, length in zip((row, column), self._size, strict=True)
        )
        sums = self._sums
        inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return bool(inside == (bottom - top) * (right - left))

    def place(
        self,
        row: int,
        column: int,
        edge: int,
        random: np.random.Generator,
        pixel: tuple[int, int] | None = None,
    ) -> tuple[int, int, int]:
        """Draws a square around a pixel of a tile.

        Where none is found that keeps to the area, squares are made smaller, to the tile itself.

        Args:
            row: First row of the tile, pixels.
            column: First column of the tile, pixels.
            edge: Edge of the square, pixels.
            random: Source of random numbers.
            pixel: Row and column of a pixel that the square holds; None to draw it, with the square
                around it.

        Returns:
            First row, first column and edge of the square.
        """
        while True:
            for _ in range(_TRIES):
                if pixel is None:
                    drawn = random.integers(self._tile, size=2)
                    middle = row + int(drawn[0]), column + int(drawn[1])
                    first, left = shift_within(middle, edge // 2, edge, self._size)
                else:
                    first, left = square_around(pixel, edge, self._size, random)
                if self.holds(first, left, edge):
                    return first, left, edge
            if edge <= self._tile:
                return row, column, self._tile
            edge = max(self._tile, edge * 3 // 4)


def square_around(
    pixel: tuple[int, int], edge: int, size: tuple[int, int], random: np.random.Generator
) -> tuple[int, int]:
    """Draws a square that holds a pixel, within an image where it is large enough.

    Args:
        pixel: Row and column of the pixel.
        edge: Edge of the square, pixels.
        size: Rows and columns of the image.
        random: Source of random numbers.

    Returns:
        First row and first column, 0 or above.
    """
    before = random.integers(edge, size=2)
    first = pixel[0] - int(before[0]), pixel[1] - int(before[1])
    return shift_within(first, 0, edge, size)


def shift_within(
    place: tuple[int, int], before: int, edge: int, size: tuple[int, int]
) -> tuple[int, int]:
    """Moves a square into an image, or to its first row and column where it is larger.

    Args:
        place: Row and column of a pixel of the square.
        before: Rows and columns of the square before that pixel.
        edge: Edge of the square, pixels.
        size: Rows and columns of the image.

    Returns:
        First row and first column, 0 or above.
    """
    row, column = (
        min(max(first - before, 0), max(length - edge, 0))
        for first, length in zip(place, size, strict=True)
    )
    return row, column
