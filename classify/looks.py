"""A pass over the images of a collection: what each of them is, and what they have in common."""

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.bands import rgb_positions
from classify.images import Collection, LabelledImage
from classify.pixels import centre_crop, is_picture_with_palette, prepare, read_pixels
from segment.core.ahead import compute_ahead
from segment.core.components import Vectors
from segment.core.duplicates import Fingerprint, fingerprint
from segment.core.errors import InputError
from segment.core.figures import displayable
from segment.core.looks import EDGE, shrunk, some_values
from segment.core.progress import Progress
from segment.core.raster import open_raster

_PICTURE = 112  # edge of those that are shown, pixels
_SHOWN = 12  # of a class
_WORKERS = 2


@dataclass(frozen=True)
class Header:
    """What an image's file says of it. gsd: metres per pixel, None where it does not say. names: of the bands, None likewise."""

    width: int
    height: int
    bands: int
    dtype: str
    gsd: float | None
    names: tuple[str | None, ...] = ()

    @property
    def kind(self) -> tuple[int, str]:
        """What images of one model have in common."""
        return self.bands, self.dtype


@dataclass(frozen=True)
class Looks:
    """What was seen of a collection's images; positions are theirs in it.

    kind: bands and dtype of most images. problems: why some cannot be used, by position. usable: positions of the others; in
    that order: prints. rgb: positions of red, green and blue among the bands. means: the mean image of each class,
    (EDGE, EDGE, bands), NaN where it has none. pictures: of each class some to look at, by position, (112, 112, 3) uint8.
    values: bands of random pixels, (pixels, bands).
    """

    kind: tuple[int, str]
    problems: Mapping[int, str]
    usable: Sequence[int]
    prints: Sequence[Fingerprint]
    rgb: tuple[int, int, int]
    means: Sequence[NDArray[np.float64]]
    pictures: Sequence[Mapping[int, NDArray[np.uint8]]]
    values: NDArray[np.float32]


def read_headers(images: Sequence[LabelledImage], progress: Progress) -> tuple[dict[int, Header], dict[int, str]]:
    """What the files say of themselves, by position; and of those that do not open, why."""
    headers, problems = {}, {}
    for position, image in enumerate(images):
        try:
            with open_raster(image.path) as raster:
                bands = 3 if is_picture_with_palette(raster) else len(raster.bands)
                headers[position] = Header(
                    raster.width, raster.height, bands, raster.dtype.name, raster.ground_sampling_distance, raster.descriptions
                )
        except InputError as error:
            problems[position] = str(error)
        progress.advance("opening", position + 1, len(images))
    return headers, problems


def common_kind(headers: Mapping[int, Header]) -> tuple[int, str]:
    """Bands and dtype of most images. Raises InputError when there is no image."""
    if not headers:
        raise InputError("Exploring takes images that open. Received none. Check the files.")
    return Counter(header.kind for header in headers.values()).most_common(1)[0][0]


def look_at(collection: Collection, headers: Mapping[int, Header], vectors: Vectors, progress: Progress, seed: int = 0) -> Looks:
    """Reads every image of the common kind once; vectors gets those that can be read, at EDGE x EDGE pixels."""
    kind = common_kind(headers)
    images, random = collection.images, np.random.default_rng(seed)
    problems = {i: _odd(h.kind, kind) for i, h in headers.items() if h.kind != kind}
    expected = [i for i in headers if i not in problems]
    rgb = rgb_positions(None, kind[0], headers[expected[0]].names)
    shown = _choose(images, expected, len(collection.palette), random)
    means = [_Mean() for _ in collection.palette.names]
    pictures: list[dict[int, NDArray[np.uint8]]] = [{} for _ in collection.palette.names]
    usable, prints, values = [], [], []

    def read(position: int) -> tuple[NDArray[Any], NDArray[np.bool_], Fingerprint] | InputError:
        try:
            pixels, valid = read_pixels(images[position].path)
        except InputError as error:
            return error
        return pixels, valid, fingerprint(pixels)

    with closing(compute_ahead(_each(expected), read, _WORKERS)) as found:
        for done, (position, result) in enumerate(found, 1):
            progress.advance("looking", done, len(expected))
            if isinstance(result, InputError):
                problems[position] = str(result)
                continue
            pixels, valid, print_ = result
            usable.append(position)
            prints.append(print_)
            small = shrunk(pixels)
            vectors.add(small)
            values.append(some_values(pixels, valid, len(expected), random))
            for label in images[position].labels:
                means[label].add(small)
                if position in shown[label]:
                    pictures[label][position] = displayable(centre_crop(prepare(pixels, _PICTURE), _PICTURE)[..., list(rgb)])
    if not usable:
        raise InputError(
            f"Exploring takes images that can be read. Received none. See the first: {next(iter(problems.values()))}"
        )
    found_means = [mean.value((EDGE, EDGE, kind[0])) for mean in means]
    return Looks(kind, problems, usable, prints, rgb, found_means, pictures, np.concatenate(values))


def _each(positions: Sequence[int]) -> Generator[int, None, None]:
    yield from positions


def _odd(kind: tuple[int, str], expected: tuple[int, str]) -> str:
    return f"has {kind[0]} bands of {kind[1]}, but most have {expected[0]} of {expected[1]}"


def _choose(
    images: Sequence[LabelledImage], positions: Sequence[int], classes: int, random: np.random.Generator
) -> list[set[int]]:
    """Positions of some images of each class, by chance."""
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
