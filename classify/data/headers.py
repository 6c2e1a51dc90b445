"""What the headers of images hold: bands, size and ground sampling distance."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.config import ImageSettings
from classify.data.bands import (
    assumes_eurosat,
    band_names,
    bands_by_name,
    choose_bands,
    rgb_positions,
)
from classify.data.images import LabelledImage
from classify.data.pixels import is_picture_with_palette, read_pixels
from segment.core.errors import InputError
from segment.core.inputs.scene_scales import ModelPixels
from segment.core.pixels.band_scale import BandScale
from segment.core.progress import Progress
from segment.core.raster.opening import open_raster
from segment.core.raster.sources import Source, decide_alpha
from segment.core.training.image_scale import choose_one_scale

_OPENED = 25  # images that are opened for bands, size or ground sampling distance


@dataclass(frozen=True)
class Bands:
    """The bands that are read.

    Attributes:
        numbers: Band numbers from 1; None for all but alpha.
        file_bands: Number of bands in an image without alpha.
        rgb: Positions of red, green and blue among the bands that are read.
        names: Names of the bands that are read; empty if the files do not name them.
        scale: Scale that brings images to 8 bits; None where they stay as they are.
        assumed: Whether the names are those of EuroSAT, as the files name no Sentinel-2 band.
    """

    numbers: tuple[int, ...] | None
    file_bands: int
    rgb: tuple[int, int, int]
    names: list[str]
    scale: BandScale | None = None
    assumed: bool = False

    @property
    def count(self) -> int:
        """Number of bands that are read."""
        return self.file_bands if self.numbers is None else len(self.numbers)

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

    def read(self, path: Path) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Reads the bands of a file, see `read_pixels`.

        Args:
            path: Image file.

        Returns:
            Pixels (rows, columns, bands), and a mask (rows, columns) that is False where nodata.

        Raises:
            InputError: As `of` does, and if the file cannot be read completely.
        """
        return read_pixels(path, self.of(path), self.file_bands, self.scale)

    def with_scale(
        self, images: Sequence[LabelledImage], option: str, progress: Progress
    ) -> "Bands":
        """Chooses the scale that brings images to 8 bits.

        Args:
            images: Training images.
            option: What `data.scale` holds.
            progress: Receives a note on the scale.

        Returns:
            The bands with the scale.

        Raises:
            InputError: As in `choose_one_scale`.
        """
        sources = []
        for image in images if option != "never" else []:
            with suppress(InputError):
                sources.append(Source(image.path, self.of(image.path)))
        model = ModelPixels(self.count, "uint8")
        return replace(self, scale=choose_one_scale(sources, option, model, progress))


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
            assumed = assumes_eurosat(count, descriptions)
            rgb = rgb_positions(numbers, count, descriptions)
            return Bands(numbers, count, rgb, names, assumed=assumed)
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


def shorter_side(images: Sequence[LabelledImage]) -> float:
    """Returns the median length of the shorter side of images.

    Args:
        images: Images; some of them, spread over all, are opened.

    Returns:
        Length in pixels.

    Raises:
        InputError: If an image cannot be opened.
    """
    return float(np.median([side for side, _ in _measure(images)]))


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
    found = [gsd * side / (resize or side) for side, gsd in _measure(images) if gsd]
    return float(np.median(found)) if found else None


def _measure(images: Sequence[LabelledImage]) -> Iterator[tuple[int, float | None]]:
    """Yields the shorter side in pixels and the ground sampling distance of some images."""
    for image in _spread(images):
        with open_raster(image.path) as raster:
            yield min(raster.width, raster.height), raster.ground_sampling_distance


def _spread(images: Sequence[LabelledImage]) -> Sequence[LabelledImage]:
    """Some images, spread over all: the first ones in the order of paths would be of one class."""
    return images[:: max(1, len(images) // _OPENED)]
