"""Digests of pixels, which identify the same image in any file."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pixel_digest(shape: Sequence[int], dtype: np.dtype[Any]) -> "hashlib.blake2b":
    """Starts the digest of an image whose pixels are added row by row.

    Args:
        shape: Shape of the image (rows, columns, bands).
        dtype: Dtype of the image.

    Returns:
        A hash object of 16 bytes.
    """
    return hashlib.blake2b(f"{tuple(shape)} {dtype.str}".encode(), digest_size=16)


def digest_pixels(pixels: NDArray[Any]) -> bytes:
    """Computes the digest of an image.

    Args:
        pixels: Image (rows, columns, bands).

    Returns:
        16 bytes, which are the same for the same pixels in any file.
    """
    digest = pixel_digest(pixels.shape, pixels.dtype)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()
