"""Images that come twice, byte for byte or nearly so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.core.pixels.digest import digest_pixels

_HASH_EDGE, _THUMBNAIL_EDGE = 8, 16
_DIFFERING_BITS = 12
_CORRELATION = 0.9
_AT_A_TIME = 256


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What tells an image from others.

    exact: digest of shape, dtype and pixels, 16 bytes.
    signs: perceptual hash, (64,) float32 of -1 and 1: half the product of two is 32 less the number of bits that differ.
    thumbnail: (256,) float32, the image at 16 x 16, with mean 0 and norm 1 (0 where it is uniform).
    """

    exact: bytes
    signs: NDArray[np.float32]
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True)
class Duplicate:
    """Positions of an image and of its like, in the one sequence or the two; exact: the pixels are the same."""

    first: int
    second: int
    exact: bool


class _Example(Protocol):
    @property
    def part(self) -> str | None:
        """Where folders put it: one of train, val, test; None if they say nothing."""


E = TypeVar("E", bound=_Example)


@dataclass(frozen=True)
class Twins(Generic[E]):
    """Two of the images to learn from that show the same. exact: pixel by pixel, else nearly."""

    first: E
    second: E
    exact: bool

    @property
    def divided(self) -> bool:
        """Whether folders put them into different parts."""
        return self.first.part != self.second.part


def fingerprint(pixels: NDArray[Any]) -> Fingerprint:
    """The fingerprint of an image (rows, columns, bands) of any real dtype.

    The perceptual hash is pHash (Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions): the 8 x 8
    lowest frequencies of the discrete cosine transform of the mean of the bands at 32 x 32, those that are constant along an
    axis left out, against their median.
    """
    grey = pixels.mean(axis=2, dtype=np.float32)
    small = _stretched(cv2.resize(grey, (4 * _HASH_EDGE, 4 * _HASH_EDGE), interpolation=cv2.INTER_AREA))
    frequencies = np.asarray(cv2.dct(small))[1 : _HASH_EDGE + 1, 1 : _HASH_EDGE + 1].ravel()
    signs = np.where(frequencies > np.median(frequencies), 1, -1).astype(np.float32)
    thumbnail = _stretched(cv2.resize(grey, (_THUMBNAIL_EDGE, _THUMBNAIL_EDGE), interpolation=cv2.INTER_AREA))
    return Fingerprint(digest_pixels(pixels), signs, thumbnail.ravel())


def _stretched(grey: NDArray[Any]) -> NDArray[np.float32]:
    """Mean 0, norm 1; all 0 where the image is uniform."""
    centred = grey - grey.mean(dtype=np.float64)
    norm = float(np.linalg.norm(centred))
    if norm <= 1e-6 * float(np.abs(grey).max()) * grey.size**0.5:
        return np.zeros(grey.shape, np.float32)
    return np.asarray(centred / norm, np.float32)


def find_duplicates(first: Sequence[Fingerprint], second: Sequence[Fingerprint] | None = None) -> list[Duplicate]:
    """Images of `first` that `second` holds too, each with the one that is most like it, in the order of `first`.

    Without `second`: images that an earlier one of `first` is like, each with the most like of these.

    Alike are images of which at most 12 of 64 bits of the hash differ and whose thumbnails correlate by 0.9 or more. It takes
    both: flat images (water) have thumbnails alike or hashes alike by chance, seldom the two. Finds copies that were
    compressed, resized, brightened or shifted by a hundredth of their edge; turned and mirrored ones count as others. Among
    the 2.5 million pairs of 2,240 images of RSSCN7 one is told, which is one place shifted by seven pixels.
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
        near = np.stack([one.signs for one in chunk]) @ signs.T >= len(signs[0]) - 2 * _DIFFERING_BITS
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


def find_twins(examples: Sequence[E], prints: Sequence[Fingerprint]) -> list[Twins[E]]:
    """Examples that an earlier one is like, each with that; a fingerprint of each in `prints`."""
    return [Twins(examples[found.second], examples[found.first], found.exact) for found in find_duplicates(prints)]
