"""Evaluation of a scene classifier on labelled images."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.config import ImageSettings
from classify.data.dataset import ImageDataset, ImagePixels
from classify.data.images import Data, LabelledImage, collection_name, data_folders, find_images
from classify.data.pixels import orientation_notes, read_pixels
from classify.data.splits import digest_split, split_images
from classify.labelling.inference import (
    answer,
    label_info,
    predict_dataset,
    read_resized,
    scene_bands,
)
from classify.training.report import scores_page
from classify.training.scoring import Evaluation, recognise, score_images
from segment.core.choices import Runtime
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.model.recognised import UNKNOWN
from segment.core.model.record import known_record
from segment.core.model.runtime import Model, describe_use, folder_of, load_model
from segment.core.outputs import refuse_existing
from segment.core.progress import Progress, Silent
from segment.core.raster.sources import Source
from segment.core.reports.page import REPORT_FILES, write_report_folder
from segment.core.splits import PARTS, PartChoice


def evaluate(
    data: Data,
    model: Model | Path | str = BUNDLED,
    output: Path | str | None = None,
    *,
    part: PartChoice = "all",
    bands: Sequence[int] | None = None,
    batch_size: int = 16,
    augment: bool = False,
    runtime: Runtime = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Scores a model on data folders.

    The temperature and the thresholds found in training are applied. The evaluation also reports
    how many pixels of the images the model was trained on. Images that cannot be read are reported
    and left out if the settings of the training said so.

    Args:
        data: Data folders or CSVs, as for training. Labels are read with the classes of the model
            and its label map.
        model: Model folder, or a loaded model.
        output: Folder for report.json and report.html. By default nothing is written.
        part: Part to score, as folders assign it, or as the training drew it from the same images.
            Of the training's own images, only "test" is new to the model.
        bands: Band numbers from 1 in the order of the model. By default the bands that the model
            reads.
        batch_size: Images per batch.
        augment: Averages over the eight flips and quarter turns, which takes eight times as long.
        runtime: What computes, if `model` is a folder.
        overwrite: Whether an existing `output` is replaced.
        progress: Where progress, notes and warnings are reported.

    Returns:
        The scores.

    Raises:
        InputError: If the data do not fit the model, `part` is unknown, or `output` exists.
    """
    progress = progress or Silent()
    if part not in get_args(PartChoice):
        raise InputError(
            f"Parts are {', '.join(get_args(PartChoice))}. Received {part!r}. Choose one of them."
        )
    if output is not None:
        refuse_existing(Path(output), overwrite, REPORT_FILES)
    model = (
        load_model(model, runtime, progress=progress) if isinstance(model, (str, Path)) else model
    )
    info = model.info
    folders = data_folders(data)
    images = find_scored(folders, info, part)
    images = readable_images(images, info, bands, progress)
    for note in orientation_notes([image.path for image in images]):
        progress.say(note)
    dataset = scored_dataset(images, info, batch_size, bands)
    _warn_of_training(folders, info, part, progress)
    answers = predict_dataset(
        partial(answer, model, augment=augment),
        dataset,
        progress,
        model.recommended_batches(info.tile)[1],
    )
    evaluation = score_images(images, answers, info)
    record, known = known_record(folder_of(model), progress), ""
    if record is not None:
        familiarity = recognise(
            images, record, lambda path: _read_stored(path, info, bands), progress
        )
        evaluation, known = replace(evaluation, familiar=familiarity.report), str(familiarity)
    elif folder_of(model) is not None:
        evaluation = replace(evaluation, familiar=UNKNOWN)
    if known:
        progress.say(f"warning: {known}")
    if output is not None:
        names = ", ".join(folder.name for folder in folders)
        page = scores_page(
            f"{describe_use(model, augment)} on {names}",
            evaluation,
            dataset,
            info.class_table,
            known,
        )
        figures = evaluation.report | {"runtime": model.runtime, "augment": augment}
        write_report_folder(Path(output), figures, page, overwrite)
    return evaluation


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
            f"{data[0]}: the model learned {expected}. Received {received}. Lay the data out so."
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
                f"{data[0]}: --part draws parts as training did, which takes the images of all its"
                f" data folders ({known}). Received others. Restore them, name all of the folders,"
                " or score what there is: --part all"
            )
        images = parts[part]
    if not images:
        raise InputError(
            f"{data[0]}: {part} must hold images. Received none. Choose another part of"
            f" {', '.join(PARTS)}."
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
        lambda path: read_resized(Source(path, chosen), info), 0, label_info(info).rgb
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
    """Leaves out images that cannot be read, if the settings of the training said so.

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
            read_resized(Source(image.path, None if bands is None else tuple(bands)), info)
            usable.append(image)
        except InputError as error:
            problems.append(str(error))
            progress.say(f"warning: left out: {error}")
        progress.advance("reading", done, len(images))
    if not usable:
        raise InputError(problems[0])
    return usable


def _read_stored(path: Path, info: ModelInfo, bands: Sequence[int] | None) -> NDArray[Any]:
    """Pixels of an image in the bands that the model reads, unchanged from the file."""
    source = Source(path, None if bands is None else tuple(bands))
    return read_pixels(path, source.bands or scene_bands(source, label_info(info)))[0]


def _warn_of_training(
    data: Sequence[Path], info: ModelInfo, part: PartChoice, progress: Progress
) -> None:
    learned_from = info.training.get("data", [])
    if part in ("all", "train") and any(collection_name(folder) in learned_from for folder in data):
        progress.say(
            f"warning: {info.name} was trained on images of such a folder: --part test scores those"
            " it never saw"
        )
