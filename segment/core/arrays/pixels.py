"""Pixels of images in memory: what is an image, and what is refused."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError, quoted
from segment.core.raster.datasets import is_dataset
from segment.core.raster.info import MOST_BANDS
from segment.core.raster.sources import Source

_PLAIN_MODES = ("L", "LA", "RGB", "RGBA", "I", "F")  # of PIL; and those of 16 bits
_FEW = 16  # rows of an image, below which they may be its bands


@dataclass(frozen=True)
class ImagePixels:
    """An image in memory, whose pixels are read row strip by row strip.

    Attributes:
        shape: Rows, columns and bands.
        dtype: Data type of the pixels, one that rasters can have.
        read: Returns the rows from a first one to before a last one, (rows, columns, bands).
        masked: Returns whether each pixel of such rows has no data, (rows, columns); None where no
            mask comes with the image.
        is_alpha: Whether the last band is tagged as alpha. As in a file, it is the mask unless its
            values are those of a spectral band.
        nodata: Value that the image declares to mean no data.
        crs: CRS of the image, as rasterio takes it.
        transform: Affine transform of the image.
        names: Names of the bands; empty where they have none.
        notes: What to report of how the image is read.
    """

    shape: tuple[int, int, int]
    dtype: "np.dtype[Any]"
    read: Callable[[int, int], NDArray[Any]]
    masked: Callable[[int, int], NDArray[np.bool_]] | None = None
    is_alpha: bool = False
    nodata: float | None = None
    crs: Any = None
    transform: Any = None
    names: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


def is_in_memory(image: object) -> bool:
    """Returns whether an image is given by its pixels, not by a path or an open dataset.

    Args:
        image: Any object.

    Returns:
        False for a path, a `Source` and an open rasterio dataset.
    """
    return not (isinstance(image, (str, Path, Source)) or is_dataset(image))


def image_pixels(image: Any, name: str, expected: int) -> ImagePixels:
    """Checks that an object is one image.

    Args:
        image: Array (rows, columns, bands) or (rows, columns), masked or not, or a PIL image, which
            is turned upright by its EXIF orientation.
        name: Name of the image in messages.
        expected: Number of bands that the model reads.

    Returns:
        Its pixels.

    Raises:
        InputError: If it is not.
    """
    pil = sys.modules.get("PIL.Image")
    if pil is not None and isinstance(image, pil.Image):
        return _of_pil(image, name, expected)
    return _of_array(_as_array(image, name), name, expected)


def _of_array(array: NDArray[Any], name: str, expected: int) -> ImagePixels:
    if array.ndim == 2:
        array = array[..., None]
    shape = require_shape(array.shape, name, expected)
    dtype = require_dtype(array.dtype, name)
    # a masked array is an ndarray, too
    mask: Any = array.mask if isinstance(array, np.ma.MaskedArray) else np.ma.nomask
    pixels = np.asarray(array)
    return ImagePixels(
        shape,
        dtype,
        lambda top, bottom: pixels[top:bottom].astype(dtype, copy=False),
        None if mask is np.ma.nomask else lambda top, bottom: mask[top:bottom].all(axis=2),
        is_alpha=shape[2] == 4 and dtype == np.uint8,
    )


def require_shape(shape: tuple[int, ...], name: str, expected: int) -> tuple[int, int, int]:
    """Checks that a shape is that of one image.

    Args:
        shape: Shape of an array.
        name: Name of the image in messages.
        expected: Number of bands that the model reads.

    Returns:
        Rows, columns and bands.

    Raises:
        InputError: If it is not.
    """
    if len(shape) == 4:
        raise InputError(
            f"{name}: shape {shape} is a batch of images. Give one at a time, (rows, columns,"
            " bands)."
        )
    if len(shape) != 3:
        raise InputError(
            f"{name}: an image has 2 or 3 dimensions, (rows, columns) or (rows, columns, bands)."
            f" Received shape {shape}. Reshape it."
        )
    rows, columns, bands = shape
    if 0 in shape:
        raise InputError(f"{name}: shape {shape} holds no pixel. Check how it was cut out.")
    bands_first = rows <= _FEW < bands and rows < columns and bands != expected
    if bands_first or bands > MOST_BANDS:
        raise InputError(
            f"{name}: shape {shape} seems to have the bands first, needed is (rows, columns,"
            " bands). Give image.transpose(1, 2, 0)."
        )
    return rows, columns, bands


def require_dtype(dtype: "np.dtype[Any]", name: str) -> "np.dtype[Any]":
    """Checks that pixels of a data type can be read.

    Args:
        dtype: Data type of an array.
        name: Name of the image in messages.

    Returns:
        The type in which the pixels are read: in the byte order of this machine, at least 32 bits
        for floats.

    Raises:
        InputError: If they cannot.
    """
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        cure = (
            "A mask goes to nodata=."
            if dtype.kind == "b"
            else "Give numbers, e.g. of the type uint8."
        )
        raise InputError(f"{name}: pixels of the type {dtype} cannot be read. {cure}")
    half = dtype.kind == "f" and dtype.itemsize == 2
    return np.dtype(np.float32) if half else dtype.newbyteorder("=")


def _as_array(image: Any, name: str) -> NDArray[Any]:
    if image is None:
        raise InputError(
            f"{name}: received None, not an image. cv2.imread returns it for a file that it cannot"
            " read: check the path."
        )
    if isinstance(image, np.ndarray):
        return image
    if isinstance(image, (list, tuple)):
        cure = "Give one at a time." if any(map(_has_shape, image)) else "Give np.array(image)."
        raise InputError(f"{name}: received a {type(image).__name__}, not an array. {cure}")
    if not hasattr(image, "__array__"):
        raise InputError(
            f"{name}: received {quoted(image, 60)} ({type(image).__name__}). Give an array (rows,"
            " columns, bands), a PIL image, a DataArray, or a path."
        )
    try:
        return np.asarray(image)
    except Exception as error:  # such as a tensor on a GPU
        raise InputError(f"{name}: cannot be converted to a numpy array: {error}") from error


def _has_shape(item: object) -> bool:
    return hasattr(item, "shape") or hasattr(item, "mode")


def _of_pil(image: Any, name: str, expected: int) -> ImagePixels:
    from PIL import ImageOps

    notes = []
    try:
        image.load()  # which decodes it
        image = ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{name}: cannot be decoded: {error}. Open a whole copy.") from error
    if image.mode == "P":
        notes.append("The colours of the image's palette are read.")
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("L", "LA") else "RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    if image.mode not in _PLAIN_MODES and not image.mode.startswith("I;16"):
        raise InputError(
            f"{name}: PIL images of the mode {image.mode} are not read. Convert it:"
            ' image.convert("RGB")'
        )
    found = _of_array(np.asarray(image), name, expected)
    alpha = image.mode in ("LA", "RGBA")
    return ImagePixels(found.shape, found.dtype, found.read, is_alpha=alpha, notes=notes)
