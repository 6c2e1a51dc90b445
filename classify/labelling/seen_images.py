"""Labelled images as a model sees them: to score it, or to quantise it with."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from classify.data.dataset import ImageDataset
from classify.data.images import LabelledImage
from classify.data.pixels import ImagePixels
from classify.labelling.inference import label_info, read_resized
from classify.labelling.scene_inputs import scaled_sources
from segment.core.errors import InputError
from segment.core.inputs.named_scenes import as_sources
from segment.core.model.info import ModelInfo
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.progress import Progress
from segment.core.raster.sources import Source

Notes = dict[str, dict[str, None]]
"""Remarks, and the names of the images of each."""


def scored_sources(
    images: Sequence[LabelledImage],
    info: ModelInfo,
    bands: Sequence[int] | None = None,
    scale: ScaleOption = "auto",
    progress: Progress | None = None,
) -> dict[Path, Source]:
    """Gives images the bands and the scale by which they are read to be labelled.

    Where a file does not state which of its bands are meant, none are chosen: scores of the first
    three would not be those of the model.

    Args:
        images: Labelled images.
        info: Description of the model.
        bands: Band numbers from 1 in place of those that the model reads.
        scale: How pixels are brought to the 8 bits of a model, see `scaled_sources`.
        progress: Where progress is reported.

    Returns:
        Sources by the paths of the images.

    Raises:
        InputError: As in `scaled_sources`.
    """
    found = as_sources([image.path for image in images], bands)
    stated = [replace(source, if_stated=True) for source in found]
    scaled = scaled_sources(stated, info, scale, progress)
    return {image.path: source for image, source in zip(images, scaled, strict=True)}


def scored_dataset(
    images: Sequence[LabelledImage],
    info: ModelInfo,
    batch_size: int,
    sources: Mapping[Path, Source] | None = None,
    notes: Notes | None = None,
) -> ImageDataset:
    """Makes a dataset of images as the model sees them.

    Args:
        images: Labelled images.
        info: Description of the model.
        batch_size: Images per batch.
        sources: Images as they are read; by default those of `scored_sources`.
        notes: Receives remarks on the choice of bands as images are read, with the images of each;
            None where all bands are to be read.

    Returns:
        The dataset.

    Raises:
        InputError: If the first image does not have the bands and the dtype that the model takes.
            Reading an image without a valid pixel raises it, too.
    """
    held = sources or scored_sources(images, info)

    pixels = ImagePixels(lambda path: _read(held[path], info, notes), 0, label_info(info).rgb)
    dataset = ImageDataset(images, pixels, len(info.class_table), info.tile, batch_size)
    dataset.image_at(0)
    return dataset


def readable_images(
    images: Sequence[LabelledImage],
    info: ModelInfo,
    sources: Mapping[Path, Source],
    progress: Progress,
    notes: Notes | None = None,
) -> list[LabelledImage]:
    """Leaves out images that cannot be read, if the settings of the training allow it.

    Args:
        images: Labelled images.
        info: Description of the model.
        sources: Images as they are read, see `scored_sources`.
        progress: Where images that are left out are reported.
        notes: As for `scored_dataset`.

    Returns:
        The other images.

    Raises:
        InputError: If no image is left.
    """
    if info.training.get("settings", {}).get("data", {}).get("unreadable") != "skip":
        return list(images)
    usable, problems = [], []
    for done, image in enumerate(images, 1):
        try:
            _read(sources[image.path], info, notes)
            usable.append(image)
        except InputError as error:
            problems.append(str(error))
            progress.say(f"warning: left out: {error}")
        progress.advance("reading", done, len(images))
    if not usable:
        raise InputError(problems[0])
    return usable


def _read(source: Source, info: ModelInfo, notes: Notes | None) -> NDArray[Any]:
    if notes is None:
        return read_resized(source, info, to_label=True)
    remarks: list[str] = []
    pixels = read_resized(source, info, remarks, to_label=True)
    for remark in remarks:
        notes.setdefault(remark, {})[str(source.path)] = None
    return pixels
