"""What is read of images of any kind for a model: bands, and the scale to 8 bits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.data.bands import bands_by_name
from segment.core.arrays.pixels import is_in_memory
from segment.core.arrays.source import image_source
from segment.core.errors import InputError
from segment.core.inputs.scene_scales import SceneScales
from segment.core.model.info import LabelInfo, ModelInfo
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.progress import Progress
from segment.core.raster.nodata import Nodata
from segment.core.raster.sources import Source, as_source


def scaled_sources(
    sources: Sequence[Source],
    info: ModelInfo,
    scale: ScaleOption,
    progress: Progress | None = None,
    *,
    measure: bool = True,
) -> list[Source]:
    """Gives images or scenes the bands that a model reads and their scale, see `SceneScales`.

    Args:
        sources: Images or scenes.
        info: Description of the model.
        scale: What a user wrote for --scale.
        progress: Where progress is reported.
        measure: Whether a scale may be chosen from pixels; see `SceneScales.planned`.

    Returns:
        The sources in the same order; one that cannot be opened is left as it is.

    Raises:
        InputError: If the scale is wrong or does not suit the model.
    """
    scales = SceneScales.of(scale, info.pixels)
    is_plain = scales.choice.kind == "auto" and info.dtype != "uint8"
    if is_plain or scales.choice.kind == "never" or info.labels is None:
        return list(sources)
    found = []
    for source in sources:
        with suppress(InputError):
            source = replace(source, bands=source.bands or scene_bands(source, info.labels))
        found.append(source)
    return scales.scaled(found, progress) if measure else scales.planned(found)


def scene_bands(source: Source, labels: LabelInfo) -> tuple[int, ...] | None:
    """Chooses the bands to read from a file for a model.

    Bands are found by the names they had in training, if the file has these names. Otherwise they
    are found by number, if the file has as many bands as the training images.

    Args:
        source: Image or scene.
        labels: How the model reads images.

    Returns:
        Band numbers from 1; None for all but alpha.

    Raises:
        InputError: If the file has only some of the names.
    """
    if not labels.band_names and labels.read_bands is None:
        return None
    with source.open(labels.file_bands) as raster:
        try:
            named = bands_by_name(labels.band_names, raster.info.bands, raster.descriptions)
        except InputError as error:
            raise InputError(f"{source.path}: {error}") from error
        same = labels.read_bands is not None and raster.info.bands == labels.file_bands
        return named or (tuple(labels.read_bands or ()) if same else None)


@dataclass(frozen=True)
class Reading:
    """How images are read for a model.

    Attributes:
        info: Description of the model.
        bands: Bands to read, by default those of the model.
        scale: How pixels are brought to the 8 bits of the model; that of an image in memory is its
            own.
    """

    info: ModelInfo
    bands: Sequence[int] | None = None
    scale: ScaleOption = "auto"


@contextmanager
def readable_source(
    image: Any, how: Reading, name: str, nodata: Nodata | NDArray[np.bool_] | None = None
) -> Iterator[tuple[Source, list[str]]]:
    """Makes a source of an image of any kind.

    Args:
        image: Image in memory, path, open dataset, or source.
        how: How it is read.
        name: Name of an image in memory.
        nodata: Value that means "no data" or, for an image in memory, a boolean mask.

    Yields:
        The source, and notes on how the image is read.

    Raises:
        InputError: If it is no image, or does not fit the model.
    """
    if not is_in_memory(image):
        if isinstance(nodata, np.ndarray):
            raise InputError("A mask as nodata is for arrays. A path or a dataset takes a value.")
        yield as_source(image, how.bands, nodata), []
        return
    with image_source(image, how.info, bands=how.bands, nodata=nodata, name=name) as found:
        source, notes = found
        (source,) = scaled_sources([source], how.info, how.scale)
        yield source, [*notes, *([source.scale.note] if source.scale else [])]
