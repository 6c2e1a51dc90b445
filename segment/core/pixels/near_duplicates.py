"""Duplicates among images: exact by a digest of their pixels, or nearly so by a fingerprint."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_HASH_EDGE, _THUMBNAIL_EDGE = 8, 16
_DIFFERING_BITS = 12
_CORRELATION = 0.9
_AT_A_TIME = 256


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Properties that identify an image.

    Attributes:
        exact: Digest of shape, dtype and pixels, 16 bytes.
        signs: Perceptual hash, (64,) float32 of -1 and 1. Half the dot product of two hashes is 32
            less the number of bits that differ.
        thumbnail: The image at 16 x 16 pixels, (256,) float32, with mean 0 and norm 1, or all 0 if
            the image is uniform.
    """

    exact: bytes
    signs: NDArray[np.float32]
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True)
class Duplicate:
    """Positions of an image and of its duplicate.

    Attributes:
        first: Position of the image in the first sequence.
        second: Position of its duplicate in the second sequence, or in the first if there is only
            that one.
        exact: Whether the pixels are the same.
    """

    first: int
    second: int
    exact: bool


def digest_pixels(pixels: NDArray[Any]) -> bytes:
    """Computes the digest of an image.

    Args:
        pixels: Image (rows, columns, bands).

    Returns:
        16 bytes, which are the same for the same pixels in any file.
    """
    header = f"{pixels.shape} {pixels.dtype.str}".encode()
    digest = hashlib.blake2b(header, digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()


def fingerprint(pixels: NDArray[Any]) -> Fingerprint:
    """Computes the fingerprint of an image.

    The perceptual hash is pHash (Zauner 2010, Implementation and Benchmarking of Perceptual Image
    Hash Functions): the bands are averaged and resized to 32 x 32; the 8 x 8 lowest frequencies of
    the discrete cosine transform, without those that are constant along an axis, are compared with
    their median.

    Args:
        pixels: Image (rows, columns, bands) of any real dtype.

    Returns:
        The fingerprint.
    """
    grey = pixels.mean(axis=2, dtype=np.float32)
    small = _stretched(
        cv2.resize(grey, (4 * _HASH_EDGE, 4 * _HASH_EDGE), interpolation=cv2.INTER_AREA)
    )
    frequencies = np.asarray(cv2.dct(small))[1 : _HASH_EDGE + 1, 1 : _HASH_EDGE + 1].ravel()
    signs = np.where(frequencies > np.median(frequencies), 1, -1).astype(np.float32)
    thumbnail = _stretched(
        cv2.resize(grey, (_THUMBNAIL_EDGE, _THUMBNAIL_EDGE), interpolation=cv2.INTER_AREA)
    )
    return Fingerprint(digest_pixels(pixels), signs, thumbnail.ravel())


def _stretched(grey: NDArray[Any]) -> NDArray[np.float32]:
    """Scales to mean 0 and norm 1; the result is all 0 for a uniform image."""
    centred = grey - grey.mean(dtype=np.float64)
    norm = float(np.linalg.norm(centred))
    if norm <= 1e-6 * float(np.abs(grey).max()) * grey.size**0.5:
        return np.zeros(grey.shape, np.float32)
    return np.asarray(centred / norm, np.float32)


def find_duplicates(
    first: Sequence[Fingerprint], second: Sequence[Fingerprint] | None = None
) -> list[Duplicate]:
    """Finds duplicates between two sequences of images, or within one.

    Two images are duplicates if at most 12 of the 64 bits of their hashes differ and their
    thumbnails correlate by 0.9 or more. Both are required: thumbnails or hashes of flat images
    (water) can agree by chance, but seldom both. This finds copies that were compressed, resized,
    brightened, or shifted by a hundredth of their edge; rotated and mirrored ones are not
    found. Among the 2.5 million pairs of the 2,240 images of RSSCN7 it finds one, which shows the
    same place shifted by seven pixels.

    Args:
        first: Images to find duplicates of.
        second: Images to compare with. By default each image is compared with the earlier ones of
            `first`.

    Returns:
        The images of `first` that have a duplicate, in order, each with the most similar one.
    """
    others = first if second is None else second
    if not first or not others:
        return []
    exact: dict[bytes, int] = {}
    for position, other in enumerate(others):
        exact.setdefault(other.exact, position)
    signs = np.stack([other.signs for other in others])
    thumbnails = np.stack([other.thumbnail for other in others])
    duplicates = []
    for start in range(0, len(first), _AT_A_TIME):
        chunk = first[start : start + _AT_A_TIME]
        near = (
            np.stack([one.signs for one in chunk]) @ signs.T >= len(signs[0]) - 2 * _DIFFERING_BITS
        )
        if second is None:
            near &= np.arange(len(others)) < np.arange(start, start + len(chunk))[:, None]
        correlation = np.stack([one.thumbnail for one in chunk]) @ thumbnails.T
        correlation[~near] = -1
        best = correlation.argmax(axis=1)
        for row, one in enumerate(chunk):
            same = exact.get(one.exact)
            if same is not None and (second is not None or same < start + row):
                duplicates.append(Duplicate(start + row, same, True))
            elif correlation[row, best[row]] >= _CORRELATION:
                duplicates.append(Duplicate(start + row, int(best[row]), False))
    return duplicates
