"""Pixels of images: read, resized, preprocessed, cropped."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.config import PreprocessSettings
from segment.core.errors import InputError
from segment.core.pixels.preprocessing import preprocess
from segment.core.pixels.resize import resize
from segment.core.raster.orientation import UPRIGHT, read_orientation, summarise_turned
from segment.core.raster.reader import Raster, open_raster
from segment.core.raster.sources import Source


def read_image(path: Path | str, bands: Sequence[int] | None = None) -> NDArray[Any]:
    """The pixels of an image (rows, columns, bands) as stored, 0 where nodata.

    bands: numbers from 1; by default all but alpha, and a picture with a palette of 8 bits as its colours (3 bands).
    Raises InputError when the file cannot be read to its end or lacks a band.
    """
    return read_pixels(path, bands)[0]


def read_pixels(
    image: Path | str | Source, bands: Sequence[int] | None = None, expected: int | None = None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """As `read_image`, and which pixels are not nodata (rows, columns). expected: see `open_raster`."""
    source = image if isinstance(image, Source) else Source(image, None if bands is None else tuple(bands))
    with source.open(expected) as raster:
        pixels, valid = raster.read()
        if source.bands is None and is_picture_with_palette(raster):
            pixels = raster.colormap()[pixels[..., 0]]
            pixels[~valid] = 0
        return np.ascontiguousarray(pixels), valid


def orientation_notes(images: Sequence[Path | str]) -> list[str]:
    """A line on the images that are turned upright by their EXIF orientation, with a count; none where there are none."""
    found = []
    for image in images:
        orientation = UPRIGHT
        if not isinstance(image, Path) or read_orientation(image) != UPRIGHT:
            with suppress(InputError), open_raster(image) as raster:  # which leaves georeferenced ones as they are
                orientation = raster.orientation
        found.append((image, orientation))
    return summarise_turned(found)


def is_picture_with_palette(raster: Raster) -> bool:
    """Whether the one band of 8 bits stands for the three colours of a palette."""
    return raster.info.colors == ("palette",) and raster.dtype == np.uint8


def prepare(pixels: NDArray[Any], target: int) -> NDArray[Any]:
    """An image (rows, columns, bands) whose shorter side has `target` pixels, with its aspect and dtype; 0: as it is."""
    height, width, _ = pixels.shape
    shorter = min(height, width)
    if target in (0, shorter):
        return pixels
    return resize(pixels, max(1, round(height * target / shorter)), max(1, round(width * target / shorter)))


def prepare_seen(
    pixels: NDArray[Any], valid: NDArray[np.bool_], target: int, preprocessing: PreprocessSettings
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """An image as a network sees it but for the crop, `prepare`d and then `preprocess`ed, and which of its pixels are valid.

    valid: False where nodata (rows, columns); pixels that something of nodata went into are not. Raises InputError as
    `preprocess` does.
    """
    resized = prepare(pixels, target)
    if valid.all():
        valid = np.ones(resized.shape[:2], bool)
    else:
        valid = prepare(valid[..., None].astype(np.float32), target)[..., 0] > 0.99
    return preprocess(resized, preprocessing, valid), valid


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
