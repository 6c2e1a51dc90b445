"""Pixels of images: read, resized, preprocessed and cropped."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.data.images import LabelledImage
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError, printable
from segment.core.pixels.band_scale import BandScale
from segment.core.pixels.cache import Cache
from segment.core.pixels.geometry import resize
from segment.core.pixels.preprocessing import preprocess
from segment.core.raster.bands import WantedBands
from segment.core.raster.opening import open_raster
from segment.core.raster.orientation import UPRIGHT, read_orientation, summarise_turned
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.core.raster.subdatasets import several_notes

_LONGEST = 64  # times the shorter side of an image that is resized


def read_image(path: Path | str, bands: Sequence[int] | None = None) -> NDArray[Any]:
    """Reads the pixels of an image.

    Args:
        path: Image file.
        bands: Band numbers from 1. By default all but alpha; an 8-bit image with a colour table is
            read as its colours (3 bands).

    Returns:
        Pixels (rows, columns, bands) as stored, 0 where nodata.

    Raises:
        InputError: If the file cannot be read completely or lacks a band.
    """
    return read_pixels(path, bands)[0]


def read_pixels(
    image: Path | str | Source,
    bands: Sequence[int] | None = None,
    expected: int | WantedBands | None = None,
    scale: BandScale | None = None,
    notes: list[str] | None = None,
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Reads the pixels of an image, and which of them are valid.

    Args:
        image: Image file or source.
        bands: Band numbers from 1, as for `read_image`. Not used with a `Source`, which has its
            own.
        expected: Bands that a model reads, or their number, see `open_raster`.
        scale: Scale that brings images of its data type to 8 bits, if they have none of their own.
        notes: Receives notes on the choice of bands.

    Returns:
        Pixels (rows, columns, bands) as in `read_image`, and a mask (rows, columns) that is False
        where nodata.

    Raises:
        InputError: If the file cannot be read completely or lacks a band.
    """
    source = (
        image
        if isinstance(image, Source)
        else Source(image, None if bands is None else tuple(bands))
    )
    with source.open(expected) as raster:
        if scale is not None and raster.scale is None and raster.dtype.name == scale.dtype:
            raster = raster if raster.info.has_palette else raster.scaled(scale)
        if notes is not None:
            notes += raster.choice.notes
        pixels, valid = raster.read()
        if source.bands is None and is_picture_with_palette(raster):
            pixels = raster.colormap()[pixels[..., 0]]
            pixels[~valid] = 0
        return np.ascontiguousarray(pixels), valid


def require_valid(path: Path | str, valid: NDArray[np.bool_]) -> None:
    """Checks that an image has a valid pixel: all others would be learned or labelled as black.

    Args:
        path: Image, for the message.
        valid: Mask (rows, columns), False where nodata.

    Raises:
        InputError: If it has none.
    """
    if not valid.any():
        raise InputError(
            f"{printable(path)}: no pixel is valid, all are nodata. Leave the image out, or"
            " correct its nodata value."
        )


def file_notes(images: Sequence[Path | str]) -> list[str]:
    """Reports images that are turned by their EXIF orientation, or hold several pictures.

    Args:
        images: Image files.

    Returns:
        One line with each count; empty if there are no such images.
    """
    found = []
    for image in images:
        orientation = UPRIGHT
        if not isinstance(image, Path) or read_orientation(image) != UPRIGHT:
            # open_raster does not turn georeferenced images
            with suppress(InputError), open_raster(image) as raster:
                orientation = raster.orientation
        found.append((image, orientation))
    return [*summarise_turned(found), *several_notes(images)]


def is_picture_with_palette(raster: Raster) -> bool:
    """Returns whether the only band of an image holds 8-bit indices into a colour table.

    Args:
        raster: Open image.

    Returns:
        True for one 8-bit band with a colour table.
    """
    return raster.info.has_palette and raster.dtype == np.uint8


def prepare(pixels: NDArray[Any], target: int) -> NDArray[Any]:
    """Resizes an image so that its shorter side has a given length.

    Args:
        pixels: Image (rows, columns, bands).
        target: Length of the shorter side in pixels; 0 leaves the image as it is.

    Returns:
        The image with the same aspect ratio and dtype; the middle of one that is more than 64 times
        as long as wide, which would fill the memory.
    """
    shorter = min(pixels.shape[:2])
    if target in (0, shorter):
        return pixels
    starts = [max(0, edge - _LONGEST * shorter) // 2 for edge in pixels.shape[:2]]
    pixels = pixels[tuple(slice(start, start + _LONGEST * shorter) for start in starts)]
    height, width, _ = pixels.shape
    return resize(
        pixels, max(1, round(height * target / shorter)), max(1, round(width * target / shorter))
    )


def prepare_seen(
    pixels: NDArray[Any], valid: NDArray[np.bool_], target: int, preprocessing: PreprocessSettings
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Resizes and preprocesses an image: what a network sees, before the crop.

    Args:
        pixels: Image (rows, columns, bands).
        valid: Mask (rows, columns), False where nodata.
        target: Length of the shorter side in pixels, see `prepare`.
        preprocessing: Settings of `preprocess`.

    Returns:
        The image, and its mask (rows, columns). A resized pixel is valid only if no nodata went
        into it.

    Raises:
        InputError: As in `preprocess`.
    """
    resized = prepare(pixels, target)
    if valid.all():
        valid = np.ones(resized.shape[:2], bool)
    else:
        valid = prepare(valid[..., None].astype(np.float32), target)[..., 0] > 0.99
    return preprocess(resized, preprocessing, valid), valid


def centre_crop(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """Crops an image to its centre; a smaller image is first padded with its mirror image.

    Args:
        pixels: Image (rows, columns, bands).
        size: Edge of the crop in pixels.

    Returns:
        A copy (size, size, bands).
    """
    pixels = fill_up(pixels, size)
    top, left = ((edge - size) // 2 for edge in pixels.shape[:2])
    # a view would keep the whole image in memory
    return np.ascontiguousarray(pixels[top : top + size, left : left + size])


def fill_up(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """Pads an image that is smaller than a given size with its mirror image on both sides.

    Args:
        pixels: Image (rows, columns, bands).
        size: Least length of both sides in pixels.

    Returns:
        The image with both sides of at least `size` pixels.
    """
    missing = [max(0, size - edge) for edge in pixels.shape[:2]]
    if not any(missing):
        return pixels
    return np.pad(
        pixels, [*((gap // 2, gap - gap // 2) for gap in missing), (0, 0)], mode="symmetric"
    )


class ImagePixels:
    """Pixels of images as the network gets them before the crop, with a cache of recent ones.

    Safe to use from several threads.

    Args:
        read: Reads the pixels of a file, (rows, columns, bands), resized.
        megabytes: Most memory that kept images may take.
        rgb: Positions of red, green and blue among the bands, for display.

    Attributes:
        rgb: Positions of red, green and blue among the bands.
    """

    def __init__(
        self,
        read: Callable[[Path], NDArray[Any]],
        megabytes: int,
        rgb: tuple[int, int, int] = (0, 1, 2),
    ):
        self.rgb = rgb
        self._read, self._cache = read, Cache[NDArray[Any]](megabytes, lambda pixels: pixels.nbytes)

    def load(self, image: LabelledImage) -> NDArray[Any]:
        """Returns the pixels of an image, from memory or from its file.

        Args:
            image: Image to read.

        Returns:
            Pixels (rows, columns, bands).
        """
        return self._cache.get(image.path, lambda: self._read(image.path))
