"""What explorations of scene labels and of tile folders keep of each image they look at."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.pixels.components import Components, Vectors, principal_components
from segment.core.pixels.resize import resize

EDGE = 32
"""Of the images that are averaged, and whose principal components are taken, pixels."""

_COMPONENTS = 16  # that are taken of images, at most
_VALUES = 1_000_000  # pixels that histograms are drawn from
_LARGEST = float(np.finfo(np.float32).max)
_MOST = 1e30  # beyond what sensors measure; squares of more do not fit into 32 bits


def leading_components(vectors: Vectors) -> Components | None:
    """Of what was kept of some images; None of fewer than three."""
    return principal_components(vectors, _COMPONENTS) if len(vectors) > 2 else None


def settled(pixels: NDArray[Any]) -> NDArray[Any]:
    """The pixels, with 0 where they are larger than any measurement: undeclared nodata, such as -3.4e38."""
    if pixels.dtype.kind != "f":
        return pixels
    extreme = np.abs(pixels) > _MOST
    return np.where(extreme, 0, pixels).astype(pixels.dtype) if extreme.any() else pixels


def shrunk(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """An image (rows, columns, bands) at EDGE x EDGE pixels."""
    return resize(pixels.astype(np.float32), EDGE, EDGE)


def some_values(pixels: NDArray[Any], valid: NDArray[np.bool_], images: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Its share of a million random pixels of all images: (pixels, bands), of the valid ones. images: how many there are."""
    seen = pixels[valid]
    if not len(seen):
        return np.zeros((0, pixels.shape[2]), np.float32)
    chosen = seen[random.integers(len(seen), size=max(1, _VALUES // images))]
    if chosen.dtype.kind == "f":
        chosen = chosen.clip(-_LARGEST, _LARGEST)
    found: NDArray[np.float32] = chosen.astype(np.float32)
    return found
