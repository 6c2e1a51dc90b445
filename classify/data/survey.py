"""Survey of all images before training: bands, statistics, unreadable files and duplicates."""

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
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.pixels.near_duplicates import Fingerprint, find_duplicates, fingerprint
from segment.core.pixels.normalise import BandStatistics, BandStatisticsMeter
from segment.core.prefetch import each, prefetch
from segment.core.raster.opening import open_raster
from segment.core.raster.sources import decide_alpha
from segment.core.splits import PARTS, Part

_WORKERS = 2
_ASKED = 25  # images that are opened for bands, size or ground sampling distance


@dataclass(frozen=True)
class Bands:
    """The bands that are read.

    Attributes:
        numbers: Band numbers from 1; None for all but alpha.
        file_bands: Number of bands in an image without alpha.
        rgb: Positions of red, green and blue among the bands that are read.
        names: Names of the bands that are read; empty if the files do not name them.
    """

    numbers: tuple[int, ...] | None
    file_bands: int
    rgb: tuple[int, int, int]
    names: list[str]

    def of(self, path: Path) -> tuple[int, ...] | None:
        """Returns the band numbers to read from a file, which may have the bands in another order.

        Args:
            path: Image file.

        Returns:
            Band numbers from 1; None for all but alpha.

        Raises:
            InputError: As in `bands_by_name`, and if the file cannot be opened.
        """
        if not self.names:
            return self.numbers
        with open_raster(path) as raster:
            try:
                return (
                    bands_by_name(self.names, raster.info.bands, raster.descriptions)
                    or self.numbers
                )
            except InputError as error:
                raise InputError(f"{path}: {error}") from error


@dataclass(frozen=True)
class Leak:
    """An image of one part that is in a later part, too.

    Attributes:
        image: Image of the earlier part.
        part: The earlier part.
        other: The same image in the later part.
        other_part: The later part.
        exact: Whether all pixels are equal; else the images are near-duplicates.
    """

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
    """Result of `survey`.

    Attributes:
        parts: Images of each part that can be used.
        bands: Bands that are read.
        statistics: Statistics of the training pixels in these bands, preprocessed where the
            settings ask for it.
        unreadable: Images that are left out, and why.
        leaks: One `Leak` for each image that is in a later part, too.
        digests: Digest of the pixels of each image, see `digest_pixels`.
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

    Args:
        parts: Images of each part.
        settings: Bands and size of images, and what is done about unreadable ones.
        preprocessing: Preprocessing of training pixels before they are counted in the statistics.
        progress: Called with the number of images that are done and of all images.

    Returns:
        Usable images, statistics and problems.

    Raises:
        InputError: If an image cannot be read, or has other bands or another dtype than most,
            unless the settings skip such images; if the settings ask for bands that do not exist;
            or if no image or no valid pixel is left to train on.
    """
    placed = [(part, image) for part, images in parts.items() for image in images]
    bands = find_bands([image for _, image in placed], settings)
    meters: dict[tuple[int, str], BandStatisticsMeter] = {}
    kinds: dict[Path, tuple[int, str]] = {}
    prints: dict[Path, Fingerprint] = {}
    unreadable: dict[Path, str] = {}

    def read(
        item: tuple[Part, LabelledImage],
    ) -> tuple[NDArray[Any], NDArray[np.bool_], Fingerprint] | InputError:
        part, path = item[0], item[1].path
        try:
            pixels, valid = read_pixels(path, bands.of(path), bands.file_bands)
            print_ = fingerprint(pixels)
            if part == "train" and not preprocessing.is_off:
                pixels, valid = prepare_seen(pixels, valid, settings.resize, preprocessing)
        except InputError as error:
            return error if str(path) in str(error) else InputError(f"{path}: {error}")
        return pixels, valid, print_

    with closing(prefetch(each(placed), read, _WORKERS)) as found:
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
    usable = {
        part: [image for image in images if image.path not in unreadable]
        for part, images in parts.items()
    }
    if not usable["train"]:
        first = next(iter(unreadable.values()), "none")
        raise InputError(
            f"No image can be trained on: {len(unreadable)} cannot be used. The first: {first}"
        )
    if not meters[expected].count:
        raise InputError(
            "There are pixels to learn from. Received nodata only, in all training images. Check"
            " them."
        )
    digests = {path: found_print.exact for path, found_print in prints.items()}
    return Survey(
        usable, bands, meters[expected].statistics(), unreadable, _leaks(usable, prints), digests
    )


def find_bands(images: Sequence[LabelledImage], settings: ImageSettings) -> Bands:
    """Finds the bands to read, which are those of most images.

    Some images, spread over all, are opened; if none of them opens, all are tried. Files that
    cannot be opened are skipped here; `survey` reports them with the reason.

    Args:
        images: Images to choose from.
        settings: Bands to read and to leave out.

    Returns:
        The bands that are read.

    Raises:
        InputError: As in `choose_bands`.
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
    """Number of bands without alpha, and their names; None if the file does not open."""
    try:
        with open_raster(path) as raster:
            by_colors = (
                settings.bands is None
                and not settings.leave_out
                and is_picture_with_palette(raster)
            )
            return (3 if by_colors else raster.info.bands), raster.descriptions
    except InputError:
        return None


def _odd(path: Path, kind: tuple[int, str], typical: Path, expected: tuple[int, str]) -> str:
    return (
        f"{path}: images of one run share bands and type of pixels. Received {kind[0]} of"
        f" {kind[1]}, but most, such as {typical.name}, have {expected[0]} of {expected[1]}."
        " Convert it, or name bands that all have in data.bands."
    )


def _judge(unreadable: Mapping[Path, str], wanted: Unreadable) -> None:
    if unreadable and wanted == "refuse":
        first = next(iter(unreadable.values()))
        more = f" So it is with {len(unreadable) - 1} more." if len(unreadable) > 1 else ""
        raise InputError(f"{first}{more} Or leave such images out: --set data.unreadable=skip")


def _leaks(
    parts: Mapping[Part, Sequence[LabelledImage]], prints: Mapping[Path, Fingerprint]
) -> list[Leak]:
    """Training images that are also in validation or test, then validation images also in test."""
    leaks = []
    for number, part in enumerate(PARTS[:2], 1):
        later = [(other, image) for other in PARTS[number:] for image in parts[other]]
        found = find_duplicates(
            [prints[i.path] for i in parts[part]], [prints[i.path] for _, i in later]
        )
        leaks += [
            Leak(parts[part][d.first], part, later[d.second][1], later[d.second][0], d.exact)
            for d in found
        ]
    return leaks


def shorter_side(images: Sequence[LabelledImage]) -> float:
    """Returns the median length of the shorter side of images.

    Args:
        images: Images; some of them, spread over all, are opened.

    Returns:
        Length in pixels.

    Raises:
        InputError: If an image cannot be opened.
    """
    found = []
    for image in _spread(images):
        with open_raster(image.path) as raster:
            found.append(min(raster.width, raster.height))
    return float(np.median(found))


def ground_sampling_distance(images: Sequence[LabelledImage], resize: int) -> float | None:
    """Returns the ground sampling distance that the network sees, after resizing.

    Args:
        images: Images; some of them, spread over all, are opened.
        resize: Length of the shorter side in pixels that images are resized to, see `prepare`.

    Returns:
        Median in metres per pixel of the images that have one; None if none has.

    Raises:
        InputError: If an image cannot be opened.
    """
    found = []
    for image in _spread(images):
        with open_raster(image.path) as raster:
            if raster.ground_sampling_distance:
                shorter = min(raster.width, raster.height)
                found.append(raster.ground_sampling_distance * shorter / (resize or shorter))
    return float(np.median(found)) if found else None


def _spread(images: Sequence[LabelledImage]) -> Sequence[LabelledImage]:
    """Some images, spread over all: the first ones in the order of paths would be of one class."""
    return images[:: max(1, len(images) // _ASKED)]
