"""Geometry of images: resizing, and the eight flips and quarter turns of a view from above."""

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_RESIZED_BY_OPENCV = (np.uint8, np.uint16, np.int16, np.float32, np.float64)


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
