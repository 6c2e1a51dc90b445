"""A pass over all images before training: what they are made of, which cannot be read, which come twice."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.config import ImageSettings, Unreadable
from classify.data.bands import band_names, bands_by_name, choose_bands, rgb_positions
from classify.data.images import LabelledImage
from classify.data.pixels import is_picture_with_palette, prepare_seen, read_pixels
from segment.core.config import PreprocessSettings
from segment.core.errors import InputError
from segment.core.pixels.near_duplicates import Fingerprint, find_duplicates, fingerprint
from segment.core.pixels.normalise import BandStatistics, BandStatisticsMeter
from segment.core.prefetch import compute_ahead, each
from segment.core.raster.reader import open_raster
from segment.core.raster.sources import decide_alpha
from segment.core.splits import PARTS, Part

_WORKERS = 2
_ASKED = 25  # images whose bands, or ground sampling distance, are asked for


@dataclass(frozen=True)
class Bands:
    """Which bands are read. numbers: from 1, None: all but alpha; file_bands: of an image, without alpha.
    rgb: positions of red, green and blue among those read. names: of those read, if files name them."""

    numbers: tuple[int, ...] | None
    file_bands: int
    rgb: tuple[int, int, int]
    names: list[str]

    def of(self, path: Path) -> tuple[int, ...] | None:
        """The numbers to read of a file, which may hold the bands in another order. Raises InputError as `bands_by_name`."""
        if not self.names:
            return self.numbers
        with open_raster(path) as raster:
            try:
                return bands_by_name(self.names, raster.info.bands, raster.descriptions) or self.numbers
            except InputError as error:
                raise InputError(f"{path}: {error}") from error


@dataclass(frozen=True)
class Leak:
    """An image of one part that a later one holds, too. exact: pixel by pixel, else nearly."""

    image: LabelledImage
    part: Part
    other: LabelledImage
    other_part: Part
    exact: bool

    def __str__(self) -> str:
        alike = "the same as" if self.exact else "nearly the same as"
        return f"{self.image.path} ({self.part}) is {alike} {self.other.path} ({self.other_part})"


@dataclass(frozen=True)
class Survey:
    """What the pass found.

    parts: images that can be used. statistics: of the training pixels, of the bands that are read; preprocessed, where that is
    asked for.
    unreadable: what was left out, and why. leaks: see `Leak`; one for each image that has some. digests: of the pixels of each
    image, see `digest_pixels`.
    """

    parts: dict[Part, list[LabelledImage]]
    bands: Bands
    statistics: BandStatistics
    unreadable: dict[Path, str]
    leaks: list[Leak]
    digests: dict[Path, bytes]


def survey(
    parts: Mapping[Part, Sequence[LabelledImage]],
    settings: ImageSettings,
    preprocessing: PreprocessSettings,
    progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Reads every image once.

    Raises InputError when an image cannot be read, or has other bands or another type of pixels than most, unless settings
    skip such images; when settings ask for bands that there are not; and when no image is left to train on.
    """
    placed = [(part, image) for part, images in parts.items() for image in images]
    bands = find_bands([image for _, image in placed], settings)
    meters: dict[tuple[int, str], BandStatisticsMeter] = {}
    kinds: dict[Path, tuple[int, str]] = {}
    prints: dict[Path, Fingerprint] = {}
    unreadable: dict[Path, str] = {}

    def read(item: tuple[Part, LabelledImage]) -> tuple[NDArray[Any], NDArray[np.bool_], Fingerprint] | InputError:
        part, path = item[0], item[1].path
        try:
            pixels, valid = read_pixels(path, bands.of(path), bands.file_bands)
            print_ = fingerprint(pixels)
            if part == "train" and not preprocessing.is_off:
                pixels, valid = prepare_seen(pixels, valid, settings.resize, preprocessing)
        except InputError as error:
            return error if str(path) in str(error) else InputError(f"{path}: {error}")
        return pixels, valid, print_

    with closing(compute_ahead(each(placed), read, _WORKERS)) as found:
        for done, ((part, image), result) in enumerate(found, 1):
            if isinstance(result, InputError):
                unreadable[image.path] = str(result)
            else:
                pixels, valid, prints[image.path] = result
                kind = kinds[image.path] = (pixels.shape[2], pixels.dtype.name)
                if part == "train":
                    meter = meters.setdefault(kind, BandStatisticsMeter(*kind))
                    meter.add(pixels, valid)
            if progress:
                progress(done, len(placed))
    common = Counter(kinds.values()).most_common(1)
    if common:
        expected = common[0][0]
        typical = next(path for path, kind in kinds.items() if kind == expected)
        for path, kind in kinds.items():
            if kind != expected:
                unreadable[path] = _odd(path, kind, typical, expected)
    _judge(unreadable, settings.unreadable)
    usable = {part: [image for image in images if image.path not in unreadable] for part, images in parts.items()}
    if not usable["train"]:
        raise InputError(f"There are images to train on. Received {len(unreadable)} that cannot be used. See the first: "
                         f"{next(iter(unreadable.values()), 'none')}")  # fmt: skip
    if not meters[expected].count:
        raise InputError("There are pixels to learn from. Received nodata only, in all training images. Check them.")
    digests = {path: found_print.exact for path, found_print in prints.items()}
    return Survey(usable, bands, meters[expected].statistics(), unreadable, _leaks(usable, prints), digests)


def find_bands(images: Sequence[LabelledImage], settings: ImageSettings) -> Bands:
    """As most of some images have them, spread over all; what cannot be opened is told later, with its reason.

    Raises InputError as `choose_bands` does.
    """
    decide_alpha([image.path for image in images])
    for asked in (_spread(images), images):
        found = Counter(bands for image in asked if (bands := _header(image.path, settings)))
        if found:
            count, descriptions = found.most_common(1)[0][0]
            numbers = choose_bands(settings, count, descriptions)
            names = band_names(numbers, count, descriptions)
            return Bands(numbers, count, rgb_positions(numbers, count, descriptions), names)
    return Bands(None, 3, (0, 1, 2), [])


def _header(path: Path, settings: ImageSettings) -> tuple[int, tuple[str | None, ...]] | None:
    """Number of bands, without alpha, and their names; None where the file does not open."""
    try:
        with open_raster(path) as raster:
            by_colors = settings.bands is None and not settings.leave_out and is_picture_with_palette(raster)
            return (3 if by_colors else raster.info.bands), raster.descriptions
    except InputError:
        return None


def _odd(path: Path, kind: tuple[int, str], typical: Path, expected: tuple[int, str]) -> str:
    return (
        f"{path}: images of one run share bands and type of pixels. Received {kind[0]} of {kind[1]}, but most, such as "
        f"{typical.name}, have {expected[0]} of {expected[1]}. Convert it, or name bands that all have in data.bands."
    )


def _judge(unreadable: Mapping[Path, str], wanted: Unreadable) -> None:
    if unreadable and wanted == "refuse":
        first = next(iter(unreadable.values()))
        more = f" So it is with {len(unreadable) - 1} more." if len(unreadable) > 1 else ""
        raise InputError(f"{first}{more} Or leave such images out: --set data.unreadable=skip")


def _leaks(parts: Mapping[Part, Sequence[LabelledImage]], prints: Mapping[Path, Fingerprint]) -> list[Leak]:
    """Training images that validation or test hold too, then validation images that the test holds too."""
    leaks = []
    for number, part in enumerate(PARTS[:2], 1):
        later = [(other, image) for other in PARTS[number:] for image in parts[other]]
        found = find_duplicates([prints[i.path] for i in parts[part]], [prints[i.path] for _, i in later])
        leaks += [Leak(parts[part][d.first], part, later[d.second][1], later[d.second][0], d.exact) for d in found]
    return leaks


def shorter_side(images: Sequence[LabelledImage]) -> float:
    """Pixels of the shorter side of images: the median of some, spread over all."""
    found = []
    for image in _spread(images):
        with open_raster(image.path) as raster:
            found.append(min(raster.width, raster.height))
    return float(np.median(found))


def ground_sampling_distance(images: Sequence[LabelledImage], resize: int) -> float | None:
    """Metres per pixel that the network sees: the median of images that say so, of some spread over all; None where none does.

    resize: length that an image's shorter side is brought to, see `prepare`.
    """
    found = []
    for image in _spread(images):
        with open_raster(image.path) as raster:
            if raster.ground_sampling_distance:
                shorter = min(raster.width, raster.height)
                found.append(raster.ground_sampling_distance * shorter / (resize or shorter))
    return float(np.median(found)) if found else None


def _spread(images: Sequence[LabelledImage]) -> Sequence[LabelledImage]:
    """Some of them: sorted by path, the first ones would be of one class."""
    return images[:: max(1, len(images) // _ASKED)]
