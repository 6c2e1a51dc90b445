"""Image statistics: what is gathered from the pixels of each image, in one pass over all."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError, counted
from segment.core.pixels.components import Components, Vectors, principal_components
from segment.core.pixels.geometry import resize
from segment.core.pixels.near_duplicates import Fingerprint, fingerprint
from segment.core.prefetch import each, prefetch
from segment.core.progress import Progress

WORKERS = 2
"""Threads that read images ahead."""

_EDGE = 32  # pixels to which images are resized for principal components
_COMPONENTS = 16  # at most
_VALUES = 1_000_000  # pixels in total from which histograms are drawn
_LARGEST = float(np.finfo(np.float32).max)
_MOST = 1e30  # beyond what sensors measure; squares of larger values overflow 32 bits

R = TypeVar("R")


def read_each(
    read: Callable[[int], R],
    rows: Sequence[int],
    problems: dict[int, str],
    task: str,
    progress: Progress,
) -> Generator[tuple[int, R], None, None]:
    """Reads images in threads, ahead of their use.

    Args:
        read: Reads the image of a row.
        rows: Positions of the images.
        problems: Receives why images cannot be read, by row.
        task: Name of the work, for `progress`.
        progress: Receives the number of images read.

    Yields:
        The row of each image that can be read, and what was read.

    Raises:
        InputError: If no image can be read.
    """

    def attempt(row: int) -> R | InputError:
        try:
            return read(row)
        except InputError as error:
            return error

    with closing(prefetch(each(rows), attempt, WORKERS)) as results:
        for done, (row, result) in enumerate(results, 1):
            progress.advance(task, done, len(rows))
            if isinstance(result, InputError):
                problems[row] = str(result)
            else:
                yield row, result
    if all(row in problems for row in rows):
        first = next(iter(problems.values()), "there are no images.")
        raise InputError(f"No image can be read: {first}")


@dataclass(frozen=True)
class PixelStatistics:
    """Statistics of the pixels of images.

    Attributes:
        prints: Fingerprint of each image.
        values: Values of random valid pixels, (pixels, bands).
        components: Principal components of the images at 32 x 32 pixels; None for fewer than three
            images.
    """

    prints: Sequence[Fingerprint]
    values: NDArray[np.float32]
    components: Components | None


@dataclass(frozen=True)
class SeenImage:
    """An image and what is computed of it alone, in the thread that reads it.

    Attributes:
        pixels: The image without extreme values, see `without_extremes`.
        stored: The image.
        valid: Mask (rows, columns) of valid pixels; None where all are.
        print: Its fingerprint.
        reduced: The image at 32 x 32 pixels.
    """

    pixels: NDArray[Any]
    stored: NDArray[Any]
    valid: NDArray[np.bool_] | None
    print: Fingerprint
    reduced: NDArray[np.float32]

    @classmethod
    def of(cls, stored: NDArray[Any], valid: NDArray[np.bool_]) -> "SeenImage":
        """Computes what is compared of an image.

        Args:
            stored: Image (rows, columns, bands).
            valid: Mask (rows, columns) of valid pixels.

        Returns:
            The image, for `PixelMeter.add`.
        """
        pixels = without_extremes(stored)
        reduced = resize(pixels.astype(np.float32), _EDGE, _EDGE)
        some = None if valid.all() else valid
        return cls(pixels, stored, some, fingerprint(pixels), reduced)


class PixelMeter:
    """Gathers `PixelStatistics` from one image after another.

    Args:
        bands: Number of bands of all images.
        images: Number of images, among which a million random pixels are shared out.
        seed: Seed of the random pixels.
    """

    def __init__(self, bands: int, images: int, seed: int):
        self._most, self._random = max(1, _VALUES // images), np.random.default_rng(seed)
        self._vectors = Vectors(_EDGE * _EDGE * bands)
        self._prints: list[Fingerprint] = []
        self._values: list[NDArray[np.float32]] = []

    def add(self, image: SeenImage) -> None:
        """Adds an image.

        Args:
            image: The image.
        """
        pixels = image.stored.reshape(-1, image.stored.shape[2])
        places = None if image.valid is None else np.flatnonzero(image.valid)
        among = len(pixels) if places is None else len(places)
        chosen = self._random.integers(max(among, 1), size=self._most if among else 0)
        seen = pixels[chosen if places is None else places[chosen]]
        self._values.append(seen.clip(-_LARGEST, _LARGEST).astype(np.float32))
        self._prints.append(image.print)
        self._vectors.add(image.reduced)

    def statistics(self) -> PixelStatistics:
        """Computes the statistics of the images that were added.

        Returns:
            Statistics of at least one image.

        Raises:
            InputError: If no pixel of any image is valid.
        """
        components, values = leading_components(self._vectors), np.concatenate(self._values)
        if not len(values):
            raise InputError(
                f"No pixel of the {counted(len(self._prints), 'image')} is valid, all are nodata."
                " Correct their nodata value, or take other images."
            )
        return PixelStatistics(self._prints, values, components)


def leading_components(vectors: Vectors) -> Components | None:
    """Computes the leading principal components of vectors, and frees their disk space.

    Args:
        vectors: A vector for each image.

    Returns:
        At most 16 components, or None for fewer than three vectors.
    """
    with vectors:
        return principal_components(vectors, _COMPONENTS) if len(vectors) > 2 else None


def without_extremes(pixels: NDArray[Any]) -> NDArray[Any]:
    """Replaces values larger than any measurement by 0; they are undeclared nodata, e.g. -3.4e38.

    Args:
        pixels: Pixels of any shape and dtype.

    Returns:
        The pixels in the same dtype.
    """
    if pixels.dtype.kind != "f":
        return pixels
    return np.where(np.abs(pixels) > _MOST, 0, pixels).astype(pixels.dtype)
