"""Survey of all images before training: statistics, unreadable files and duplicates."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.config import ImageSettings
from classify.data.headers import Bands, find_bands
from classify.data.images import LabelledImage
from classify.data.pixels import prepare_seen, require_valid
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError, counted
from segment.core.pixels.near_duplicates import Fingerprint, find_duplicates, fingerprint
from segment.core.pixels.normalise import BandStatistics, BandStatisticsMeter
from segment.core.prefetch import each, prefetch
from segment.core.splits import PARTS, Part

_WORKERS = 2


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
    bands: Bands | None = None,
) -> Survey:
    """Reads every image once.

    Args:
        parts: Images of each part.
        settings: Bands and size of images, and what is done about unreadable ones.
        preprocessing: Preprocessing of training pixels before they are counted in the statistics.
        progress: Called with the number of images that are done and of all images.
        bands: Bands that are read; by default those of `find_bands`.

    Returns:
        Usable images, statistics and problems.

    Raises:
        InputError: If an image cannot be read, or has other bands or another dtype than most,
            unless the settings skip such images; if the settings ask for bands that do not exist;
            or if no image or no valid pixel is left to train on.
    """
    placed = [(part, image) for part, images in parts.items() for image in images]
    bands = bands or find_bands([image for _, image in placed], settings)
    meters: dict[tuple[int, str], BandStatisticsMeter] = {}
    kinds: dict[Path, tuple[int, str]] = {}
    prints: dict[Path, Fingerprint] = {}
    unreadable: dict[Path, str] = {}

    def read(
        item: tuple[Part, LabelledImage],
    ) -> tuple[NDArray[Any], NDArray[np.bool_], Fingerprint] | InputError:
        part, path = item[0], item[1].path
        try:
            pixels, valid = bands.read(path)
            require_valid(path, valid)
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
                unreadable[path] = (
                    f"{path}: has {counted(kind[0], 'band')} of {kind[1]}, most images, such as"
                    f" {typical.name}, have {expected[0]} of {expected[1]}. Convert it, or choose"
                    " bands that all have in data.bands."
                )
    if unreadable and settings.unreadable == "refuse":
        first = next(iter(unreadable.values()))
        more = f" {len(unreadable) - 1} more cannot be used." if len(unreadable) > 1 else ""
        raise InputError(f"{first}{more} Or leave such images out: --set data.unreadable=skip")
    usable = {
        part: [image for image in images if image.path not in unreadable]
        for part, images in parts.items()
    }
    if not usable["train"]:
        first = next(iter(unreadable.values()), "none")
        raise InputError(
            f"No training image can be used: {len(unreadable)} were left out. First: {first}"
        )
    if not meters[expected].count:
        raise InputError(
            f"No training image can be used: all {len(usable['train'])} are nodata only. Check the"
            " files."
        )
    digests = {path: found_print.exact for path, found_print in prints.items()}
    return Survey(
        usable, bands, meters[expected].statistics(), unreadable, _leaks(usable, prints), digests
    )


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


def conflict_notes(
    parts: Mapping[Part, Sequence[LabelledImage]], digests: Mapping[Path, bytes]
) -> list[str]:
    """Reports images with the same pixels and other labels, of which one must be wrong.

    Args:
        parts: Images of each part. Images that may be of several classes agree if they share one.
        digests: Digest of the pixels of each image.

    Returns:
        One line with the first pair and the number of further images; empty if there are none.
    """
    first: dict[bytes, LabelledImage] = {}
    pairs = []
    for image in sorted(
        (image for images in parts.values() for image in images), key=lambda image: image.path
    ):
        other = first.setdefault(digests[image.path], image)
        if other.labels != image.labels and set(other.labels).isdisjoint(image.labels):
            pairs.append((other, image))
    if not pairs:
        return []
    other, image = pairs[0]
    more = f" (and {len(pairs) - 1} more)" if len(pairs) > 1 else ""
    return [
        f"{image.path} is the same as {other.path}, with another label{more}: correct or remove"
        " one of them"
    ]
