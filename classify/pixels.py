"""Pixels of images: read, resized, cropped."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.core.raster import open_raster


def read_image(path: Path | str, bands: Sequence[int] | None = None) -> NDArray[Any]:
    """The pixels of an image (rows, columns, bands) as stored, 0 where nodata.

    bands: numbers from 1; by default all but alpha, and a picture with a palette of 8 bits as its colours (3 bands).
    Raises InputError when the file cannot be read to its end or lacks a band.
    """
    return read_pixels(path, bands)[0]


def read_pixels(path: Path | str, bands: Sequence[int] | None = None) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """As `read_image`, and which pixels are not nodata (rows, columns)."""
    with open_raster(path, bands) as raster:
        pixels, valid = raster.read()
        if bands is None and raster.info.colors == ("palette",) and raster.dtype == np.uint8:
            pixels = raster.colormap()[pixels[..., 0]]
            pixels[~valid] = 0
        return np.ascontiguousarray(pixels), valid


def prepare(pixels: NDArray[Any], resize: int) -> NDArray[Any]:
    """An image (rows, columns, bands) whose shorter side has `resize` pixels, with its aspect and dtype; 0: as it is.

    Means of the pixels covered where it shrinks, bilinear where it grows. Any number of bands, any real dtype.
    """
    height, width, bands = pixels.shape
    shorter = min(height, width)
    if resize in (0, shorter):
        return pixels
    size = (max(1, round(width * resize / shorter)), max(1, round(height * resize / shorter)))
    interpolation = cv2.INTER_AREA if resize < shorter else cv2.INTER_LINEAR
    dtype = pixels.dtype
    source = pixels if dtype in (np.uint8, np.uint16, np.int16, np.float32) else pixels.astype(np.float64)
    resized = np.empty((size[1], size[0], bands), source.dtype)
    for first in range(0, bands, 4):  # OpenCV averages no more at a time
        group = np.ascontiguousarray(source[..., first : first + 4])
        resized[..., first : first + 4] = cv2.resize(group, size, interpolation=interpolation).reshape(size[1], size[0], -1)
    return (np.rint(resized) if dtype.kind in "iub" and resized.dtype == np.float64 else resized).astype(dtype, copy=False)


def centre_crop(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """The middle (size, size, bands) of an image; one that is smaller is continued by its mirror image first."""
    pixels = fill_up(pixels, size)
    top, left = ((edge - size) // 2 for edge in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + size, left : left + size])  # no view: it would keep the whole image


def fill_up(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """An image that is smaller than `size` along an axis, continued by its mirror image on both sides."""
    missing = [max(0, size - edge) for edge in pixels.shape[:2]]
    if not any(missing):
        return pixels
    return np.pad(pixels, [*((gap // 2, gap - gap // 2) for gap in missing), (0, 0)], mode="symmetric")
