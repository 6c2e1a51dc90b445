"""Labelled images that a model is scored on, or quantised with."""

from collections.abc import Sequence
from pathlib import Path

from classify.config import ImageSettings
from classify.data.dataset import ImageDataset
from classify.data.images import LabelledImage, find_images
from classify.data.pixels import ImagePixels
from classify.data.splits import digest_split, split_images
from classify.labelling.inference import label_info, read_resized
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.progress import Progress
from segment.core.raster.sources import Source
from segment.core.splits import PARTS, PartChoice


def find_scored(
    data: Sequence[Path], info: ModelInfo, part: PartChoice = "all"
) -> list[LabelledImage]:
    """Finds the images of data folders, labelled with the classes of a model.

    Args:
        data: Data folders or CSVs.
        info: Description of the model.
        part: Part of the data.

    Returns:
        The images of the part.

    Raises:
        InputError: If the part has no images, if the model gives one label per image and the data
            have several (or the other way round), or if the part must be drawn but the data are not
            the images of the training.
    """
    labels, training = label_info(info), info.training.get("settings", {})
    settings = ImageSettings(
        classes=info.classes, label_map=training.get("data", {}).get("label_map", {})
    )
    found = find_images(data, settings, complete=False)
    if found.multi_label != labels.multi_label:
        kinds = ("several labels an image, from a CSV", "one label an image, from class folders")
        expected, received = kinds if labels.multi_label else kinds[::-1]
        raise InputError(
            f"{data[0]}: {received}, but the model learned {expected}. Lay the data out so."
        )
    images = found.images
    if part != "all":
        split = training.get("data", {})
        own, others = split.get("split_seed"), training.get("training", {}).get("seed", 0)
        fractions = (
            split.get("val_fraction", settings.val_fraction),
            split.get("test_fraction", settings.test_fraction),
        )
        parts = split_images(
            images, *fractions, others if own is None else own, split.get("val_seed")
        )
        if any(image.part is None for image in images) and digest_split(parts) != info.training.get(
            "split"
        ):
            known = ", ".join(info.training.get("data", [])) or "unknown"
            raise InputError(
                f"{data[0]}: not the images that training drew its parts from, those of {known}."
                " Restore them, name all of the folders, or score what there is: --part all"
            )
        images = parts[part]
    if not images:
        raise InputError(
            f"{data[0]}: no images in {part}. Choose another part of {', '.join(PARTS)}."
        )
    return images


def learned_images(data: Sequence[Path], info: ModelInfo) -> set[Path]:
    """Finds the images that a model was trained on.

    Args:
        data: Data folders or CSVs.
        info: Description of the model.

    Returns:
        Their paths; empty if the training drew its parts from other images.
    """
    try:
        return {image.path for image in find_scored(data, info, "train")}
    except InputError:
        return set()


def scored_dataset(
    images: Sequence[LabelledImage],
    info: ModelInfo,
    batch_size: int,
    bands: Sequence[int] | None = None,
) -> ImageDataset:
    """Makes a dataset of images as the model sees them.

    Args:
        images: Labelled images.
        info: Description of the model.
        batch_size: Images per batch.
        bands: Band numbers from 1 in place of those that the model reads.

    Returns:
        The dataset.

    Raises:
        InputError: If the first image does not have the bands and the dtype that the model takes.
    """
    chosen = None if bands is None else tuple(bands)
    pixels = ImagePixels(
        lambda path: read_resized(Source(path, chosen), info, info.pixels.scale),
        0,
        label_info(info).rgb,
    )
    dataset = ImageDataset(images, pixels, len(info.class_table), info.tile, batch_size)
    dataset.image_at(0)
    return dataset


def readable_images(
    images: Sequence[LabelledImage],
    info: ModelInfo,
    bands: Sequence[int] | None,
    progress: Progress,
) -> list[LabelledImage]:
    """Leaves out images that cannot be read, if the settings of the training allow it.

    Args:
        images: Labelled images.
        info: Description of the model.
        bands: Band numbers from 1 in place of those that the model reads.
        progress: Where images that are left out are reported.

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
            source = Source(image.path, None if bands is None else tuple(bands))
            read_resized(source, info, info.pixels.scale)
            usable.append(image)
        except InputError as error:
            problems.append(str(error))
            progress.say(f"warning: left out: {error}")
        progress.advance("reading", done, len(images))
    if not usable:
        raise InputError(problems[0])
    return usable
