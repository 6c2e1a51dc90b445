"""Decoded pixels of an image with its labels, or of a part of it."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import IGNORED
from segment.tiling import reflect


class Decoded(NamedTuple):
    """Pixels and mask of a pair, or of a tile of it.

    Attributes:
        image: (rows, columns, bands) in the dtype of the file, or in 8 bits by its scale.
        valid: (rows, columns) bool, False where nodata.
        mask: (rows, columns) uint8, class indices or codes of label sets; 255 where ignored or
            nodata.
    """

    image: NDArray[Any]
    valid: NDArray[np.bool_]
    mask: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.mask.shape[0], self.mask.shape[1]

    def cut(self, row: int, column: int, edge: int) -> "Decoded":
        """Cuts out a square; what lies beyond the image is padded as in `pad_tile`.

        Args:
            row: First row, 0 or above.
            column: First column, 0 or above.
            edge: Edge of the square, pixels.

        Returns:
            The square, (edge, edge).
        """
        window = slice(row, row + edge), slice(column, column + edge)
        image, mask = pad_tile(self.image[window], self.mask[window], edge)
        return Decoded(image, fill_up(self.valid[window], edge), mask)

    def stored(self, row: int, column: int, edge: int) -> NDArray[Any]:
        """Returns the pixels of a square as far as it is within the image.

        Args:
            row: First row, 0 or above.
            column: First column, 0 or above.
            edge: Edge of the square, pixels.

        Returns:
            (rows, columns, bands), each at most the edge.
        """
        return self.image[row : row + edge, column : column + edge]

    def around(self, row: int, column: int, edge: int) -> "Decoded":
        """Cuts out a square; what lies beyond the image is reflected, labels too.

        Args:
            row: First row, which may be negative.
            column: First column, which may be negative.
            edge: Edge of the square, pixels.

        Returns:
            The square, (edge, edge).
        """
        if min(row, column) >= 0 and max(row, column) + edge <= min(self.mask.shape):
            return self.cut(row, column, edge)
        places = [np.arange(first, first + edge) for first in (row, column)]
        rows, columns = (
            reflect(p, length) for p, length in zip(places, self.mask.shape, strict=True)
        )
        return Decoded(*(array[rows[:, None], columns] for array in self))


def pad_tile(
    image: NDArray[Any], mask: NDArray[np.uint8], tile: int
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Pads an image and mask that are smaller than a tile.

    The image is padded by reflection, the mask with 255 (ignored).

    Args:
        image: (rows, columns, bands), at most a tile.
        mask: (rows, columns) uint8.
        tile: Edge of a tile, pixels.

    Returns:
        Image (tile, tile, bands) and mask (tile, tile).
    """
    missing = ((0, tile - mask.shape[0]), (0, tile - mask.shape[1]))
    if missing == ((0, 0), (0, 0)):
        return image, mask
    return fill_up(image, tile), np.pad(mask, missing, constant_values=IGNORED)


def fill_up(pixels: NDArray[Any], tile: int) -> NDArray[Any]:
    """Pads pixels that are fewer than a tile by reflection.

    Args:
        pixels: (rows, columns, ...), at most a tile.
        tile: Edge of a tile, pixels.

    Returns:
        (tile, tile, ...) of the same dtype.
    """
    missing = [(0, tile - length) for length in pixels.shape[:2]] + [(0, 0)] * (pixels.ndim - 2)
    return np.pad(pixels, missing, "reflect") if any(behind for _, behind in missing) else pixels
