"""Digests of pixels, by which the same image is known whatever its file."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pixel_digest(shape: Sequence[int], dtype: np.dtype[Any]) -> "hashlib.blake2b":
    """What digests an image (rows, columns, bands) that is given to it row by row, to 16 bytes."""
    return hashlib.blake2b(f"{tuple(shape)} {dtype.str}".encode(), digest_size=16)


def digest_pixels(pixels: NDArray[Any]) -> bytes:
    """The digest of an image (rows, columns, bands): the same for the same pixels, whatever their file."""
    digest = pixel_digest(pixels.shape, pixels.dtype)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()
