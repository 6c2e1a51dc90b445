"""Geometry of images: rectangles, resizing, and the eight flips and quarter turns."""

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_RESIZED_BY_OPENCV = (np.uint8, np.uint16, np.int16, np.float32, np.float64)


class Rectangle:
    """Rows and columns of a scene; the ends are past the last.

    Attributes:
        top: First row of pixels.
        bottom: Row of pixels after the last.
        left: First column of pixels.
        right: Column of pixels after the last.
    """

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.right - self.left

    @property
    def region(self) -> tuple[int, int, int, int]:
        """Top, bottom, left and right."""
        return self.top, self.bottom, self.left, self.right


def resize(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Resizes an image.

    Pixels are averaged over the area they cover if neither height nor width grows, and
    interpolated bilinearly otherwise.

    Args:
        pixels: Image (rows, columns, bands) with any number of bands and any real dtype.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        Image (height, width, bands) in the same dtype.
    """
    rows, columns, bands = pixels.shape
    interpolation = cv2.INTER_AREA if height <= rows and width <= columns else cv2.INTER_LINEAR
    dtype = pixels.dtype
    source = pixels if dtype in _RESIZED_BY_OPENCV else pixels.astype(np.float64)
    resized = np.empty((height, width, bands), source.dtype)
    for first in range(0, bands, 4):  # OpenCV averages at most four bands at a time
        group = np.ascontiguousarray(source[..., first : first + 4])
        resized[..., first : first + 4] = cv2.resize(
            group, (width, height), interpolation=interpolation
        ).reshape(height, width, -1)
    return (
        np.rint(resized) if dtype.kind in "iub" and resized.dtype == np.float64 else resized
    ).astype(dtype, copy=False)


class Reduction:
    """A picture of a raster at a smaller size, made of rows as they are read.

    The picture is made in pieces of about 256 rows of the raster, so its pixels do not depend on
    how many rows are added at a time.

    Attributes:
        region: Top, bottom, left and right of the rectangle of the raster that it shows.
    """

    def __init__(self, region: tuple[int, int, int, int], height: int, width: int):
        """Starts without pixels.

        Args:
            region: Top, bottom, left and right of the rectangle to show.
            height: Rows of the picture, at most those of the rectangle.
            width: Columns of the picture, at most those of the rectangle.
        """
        self.region, self._size = region, (height, width)
        top, rows = region[0], region[1] - region[0]
        self._tops = (top + np.arange(height + 1) * rows // height).tolist()
        step = max(1, 256 * height // rows)
        self._missing = [(i, min(i + step, height)) for i in range(0, height, step)]
        self._picture: NDArray[Any] | None = None
        self._start, self._rows = 0, np.empty((0, 0, 0), np.uint8)

    def add(self, start: int, rows: NDArray[Any]) -> None:
        """Adds rows of the rectangle; those of pieces that are not added completely are dropped.

        Args:
            start: Row of the raster that is the first.
            rows: Pixels (rows, columns of the rectangle, bands).
        """
        if len(self._rows) and start == self._start + len(self._rows):
            self._rows = np.concatenate([self._rows, rows])
        else:
            self._start, self._rows = start, rows
        first, end = self._start, self._start + len(self._rows)
        for piece in list(self._missing):
            top, bottom = (self._tops[row] for row in piece)
            if first <= top and bottom <= end:
                self._make(piece, self._rows[top - first : bottom - first])
            if first <= top < end < bottom:
                self._start, self._rows = top, self._rows[top - first :]
                return
        self._start, self._rows = end, self._rows[:0]

    @property
    def whole(self) -> NDArray[Any] | None:
        """Pixels (height, width, bands) if all rows were added, else None."""
        return None if self._missing else self._picture

    def filled(self, read: Callable[[int, int], NDArray[Any]]) -> NDArray[Any]:
        """Returns the whole picture.

        Args:
            read: Reads pixels that were not added, by their first row and the number of rows.

        Returns:
            Pixels (height, width, bands).
        """
        for first, last in list(self._missing):
            top, bottom = self._tops[first], self._tops[last]
            self._make((first, last), read(top, bottom - top))
        assert self._picture is not None
        return self._picture

    def _make(self, piece: tuple[int, int], rows: NDArray[Any]) -> None:
        first, last = piece
        if self._picture is None:
            self._picture = np.empty((*self._size, rows.shape[2]), rows.dtype)
        self._picture[first:last] = resize(rows, last - first, self._size[1])
        self._missing.remove(piece)


def eight_views(
    pixels: NDArray[Any],
) -> Iterator[tuple[NDArray[Any], Callable[[NDArray[Any]], NDArray[Any]]]]:
    """Yields a batch of images in each of its eight symmetries.

    Args:
        pixels: Square tiles or images (batch, rows, columns, bands).

    Yields:
        The transformed batch, and a function that transforms its predictions (batch, rows,
        columns, classes) back to the original orientation.
    """
    for turns in range(4):
        for flip in (1, -1):

            def turn_back(
                predictions: NDArray[Any], turns: int = turns, flip: int = flip
            ) -> NDArray[Any]:
                return np.rot90(predictions[:, :, ::flip], -turns, axes=(1, 2))

            yield (
                np.ascontiguousarray(np.rot90(pixels, turns, axes=(1, 2))[:, :, ::flip]),
                turn_back,
            )
