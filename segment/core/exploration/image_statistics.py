"""Image statistics that explorations of scene labels and of tile folders share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.pixels.components import Components, Vectors, principal_components
from segment.core.pixels.geometry import resize

EDGE = 32
"""Edge in pixels to which images are resized for mean images and principal components."""

_COMPONENTS = 16  # computed for images, at most
_VALUES = 1_000_000  # pixels in total from which histograms are drawn
_LARGEST = float(np.finfo(np.float32).max)
_MOST = 1e30  # beyond what sensors measure; squares of larger values overflow 32 bits


def leading_components(vectors: Vectors) -> Components | None:
    """Computes the leading principal components of vectors.

    Args:
        vectors: A vector for each image.

    Returns:
        At most 16 components, or None for fewer than three vectors.
    """
    return principal_components(vectors, _COMPONENTS) if len(vectors) > 2 else None


def settled(pixels: NDArray[Any]) -> NDArray[Any]:
    """Replaces values larger than any measurement by 0; they are undeclared nodata, e.g. -3.4e38.

    Args:
        pixels: Pixels of any shape and dtype.

    Returns:
        The pixels in the same dtype.
    """
    if pixels.dtype.kind != "f":
        return pixels
    extreme = np.abs(pixels) > _MOST
    return np.where(extreme, 0, pixels).astype(pixels.dtype) if extreme.any() else pixels


def shrunk(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Resizes an image to EDGE x EDGE pixels.

    Args:
        pixels: Image (rows, columns, bands).

    Returns:
        Image (EDGE, EDGE, bands) float32.
    """
    return resize(pixels.astype(np.float32), EDGE, EDGE)


def some_values(
    pixels: NDArray[Any], valid: NDArray[np.bool_], images: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Draws random valid pixels of an image: its share of a million pixels from all images.

    Args:
        pixels: Image (rows, columns, bands).
        valid: Mask (rows, columns) of valid pixels.
        images: Number of images in total.
        random: Generator of random numbers.

    Returns:
        Pixels (pixels, bands) float32, none if no pixel is valid.
    """
    seen = pixels[valid]
    if not len(seen):
        return np.zeros((0, pixels.shape[2]), np.float32)
    chosen = seen[random.integers(len(seen), size=max(1, _VALUES // images))]
    if chosen.dtype.kind == "f":
        chosen = chosen.clip(-_LARGEST, _LARGEST)
    found: NDArray[np.float32] = chosen.astype(np.float32)
    return found
