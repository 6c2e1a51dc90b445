"""What is read of images and scenes for a model: bands, and the scale to 8 bits."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from classify.data.bands import bands_by_name
from segment.core.errors import InputError
from segment.core.inputs.scene_scales import SceneScales
from segment.core.model.info import LabelInfo, ModelInfo
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.progress import Progress
from segment.core.raster.sources import Source


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
