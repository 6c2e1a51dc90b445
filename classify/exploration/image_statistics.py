"""Image statistics of a collection: properties of each image, and what images have in common."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.data.headers import Bands
from classify.data.images import Collection, LabelledImage
from classify.data.pixels import centre_crop, is_picture_with_palette, prepare, read_pixels
from segment.core.errors import InputError
from segment.core.exploration.image_statistics import EDGE, settled, shrunk, some_values
from segment.core.pixels.components import Vectors
from segment.core.pixels.near_duplicates import Fingerprint, fingerprint
from segment.core.prefetch import each, prefetch
from segment.core.progress import Progress
from segment.core.raster.opening import open_raster
from segment.core.raster.reader import Raster
from segment.core.reports.figures import displayable

_PICTURE = 112  # edge in pixels of images that are shown
_SHOWN = 12  # images of a class
_WORKERS = 2


@dataclass(frozen=True)
class Header:
    """Properties of an image, from its file, for the bands that are read.

    Attributes:
        width: Columns in pixels.
        height: Rows in pixels.
        bands: Number of bands that are read.
        dtype: Name of the dtype.
        gsd: Ground sampling distance in metres per pixel; None if the file has none.
        names: Names of the bands; None for a band without a name.
    """

    width: int
    height: int
    bands: int
    dtype: str
    gsd: float | None
    names: tuple[str | None, ...] = ()

    @property
    def kind(self) -> tuple[int, str]:
        """Number of bands and dtype, which all images of one model share."""
        return self.bands, self.dtype


@dataclass(frozen=True)
class ImageStatistics:
    """Image statistics of a collection. Positions are those of its images.

    Attributes:
        kind: Number of bands and dtype of most images.
        problems: Why images cannot be used, by position.
        usable: Positions of the other images.
        prints: Fingerprints of the usable images, in the order of `usable`.
        bands: Bands that are read.
        means: Mean image of each class, (EDGE, EDGE, bands); NaN for a class without images.
        pictures: Some images of each class for display, by position, (112, 112, 3) uint8.
        values: Values of random pixels, (pixels, bands).
    """

    kind: tuple[int, str]
    problems: Mapping[int, str]
    usable: Sequence[int]
    prints: Sequence[Fingerprint]
    bands: Bands
    means: Sequence[NDArray[np.float64]]
    pictures: Sequence[Mapping[int, NDArray[np.uint8]]]
    values: NDArray[np.float32]


def read_headers(
    images: Sequence[LabelledImage], bands: Bands, progress: Progress
) -> tuple[dict[int, Header], dict[int, str]]:
    """Reads the properties of images without their pixels.

    Args:
        images: Images.
        bands: Bands that are read.
        progress: Where progress is reported.

    Returns:
        Headers by position, and why files do not open or lack a band, by position.
    """
    headers, problems = {}, {}
    for position, image in enumerate(images):
        try:
            numbers = bands.of(image.path)
            with open_raster(image.path, numbers, expected=bands.file_bands) as raster:
                count = (
                    3 if numbers is None and is_picture_with_palette(raster) else len(raster.bands)
                )
                names = (
                    raster.descriptions
                    if numbers is None
                    else tuple(_name(raster, number) for number in numbers)
                )
                gsd = raster.ground_sampling_distance
                headers[position] = Header(
                    raster.width, raster.height, count, raster.dtype.name, gsd, names
                )
        except InputError as error:
            problems[position] = str(error)
        progress.advance("opening", position + 1, len(images))
    return headers, problems


def _name(raster: Raster, number: int) -> str | None:
    return raster.descriptions[number - 1] if number <= len(raster.descriptions) else None


def common_kind(headers: Mapping[int, Header]) -> tuple[int, str]:
    """Finds the number of bands and the dtype of most images.

    Args:
        headers: Headers by position.

    Returns:
        Number of bands and name of the dtype.

    Raises:
        InputError: If there are no images.
    """
    if not headers:
        raise InputError("Exploring takes images that open. Received none. Check the files.")
    return Counter(header.kind for header in headers.values()).most_common(1)[0][0]


def look_at(
    collection: Collection,
    headers: Mapping[int, Header],
    bands: Bands,
    vectors: Vectors,
    progress: Progress,
    seed: int = 0,
) -> ImageStatistics:
    """Reads every image of the common kind once and collects statistics.

    Args:
        collection: Images and their classes.
        headers: Headers by position.
        bands: Bands that are read.
        vectors: Receives each image that can be read, at EDGE x EDGE pixels.
        progress: Where progress is reported.
        seed: Seed of the images and pixels that are chosen at random.

    Returns:
        The statistics.

    Raises:
        InputError: If no image can be read.
    """
    kind = common_kind(headers)
    images, random = collection.images, np.random.default_rng(seed)
    problems = {i: _odd(h.kind, kind) for i, h in headers.items() if h.kind != kind}
    expected = [i for i in headers if i not in problems]
    shown = _choose(images, expected, len(collection.class_table), random)
    means = [_Mean() for _ in collection.class_table.names]
    pictures: list[dict[int, NDArray[np.uint8]]] = [{} for _ in collection.class_table.names]
    usable, prints, values = [], [], []

    def read(position: int) -> tuple[NDArray[Any], NDArray[np.bool_], Fingerprint] | InputError:
        try:
            path = images[position].path
            pixels, valid = read_pixels(path, bands.of(path), bands.file_bands)
        except InputError as error:
            return error
        return pixels, valid, fingerprint(settled(pixels))

    with closing(prefetch(each(expected), read, _WORKERS)) as found:
        for done, (position, result) in enumerate(found, 1):
            progress.advance("looking", done, len(expected))
            if isinstance(result, InputError):
                problems[position] = str(result)
                continue
            pixels, valid, print_ = result
            usable.append(position)
            prints.append(print_)
            values.append(some_values(pixels, valid, len(expected), random))
            pixels = settled(pixels)
            small = shrunk(pixels)
            vectors.add(small)
            for label in images[position].labels:
                means[label].add(small)
                if position in shown[label]:
                    pictures[label][position] = displayable(
                        centre_crop(prepare(pixels, _PICTURE), _PICTURE)[..., list(bands.rgb)]
                    )
    if not usable:
        raise InputError(
            "Exploring takes images that can be read. Received none. See the first:"
            f" {next(iter(problems.values()))}"
        )
    found_means = [mean.value((EDGE, EDGE, kind[0])) for mean in means]
    return ImageStatistics(
        kind, problems, usable, prints, bands, found_means, pictures, np.concatenate(values)
    )


def _odd(kind: tuple[int, str], expected: tuple[int, str]) -> str:
    return f"has {kind[0]} bands of {kind[1]}, but most have {expected[0]} of {expected[1]}"


def _choose(
    images: Sequence[LabelledImage],
    positions: Sequence[int],
    classes: int,
    random: np.random.Generator,
) -> list[set[int]]:
    """Positions of some random images of each class."""
    of_class: list[list[int]] = [[] for _ in range(classes)]
    for position in positions:
        for label in images[position].labels:
            of_class[label].append(position)
    return [set(random.permutation(some)[:_SHOWN].tolist()) for some in of_class]


class _Mean:
    """The mean of arrays of one shape."""

    def __init__(self) -> None:
        self._sum, self._count = np.zeros(1), 0

    def add(self, values: NDArray[np.float32]) -> None:
        self._sum, self._count = self._sum + values, self._count + 1

    def value(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return self._sum / self._count if self._count else np.full(shape, np.nan)
