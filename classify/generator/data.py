"""The images that generators learn from, and are compared with."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from classify.data.augment import augmentation
from classify.data.dataset import ImageDataset
from classify.data.images import Data, LabelledImage, data_folders
from classify.data.training_data import TrainingData
from classify.generator.config import GeneratorConfig
from segment.core.config import PreprocessSettings
from segment.core.errors import InputError
from segment.core.model.folder import ModelInfo
from segment.core.progress import Progress
from segment.core.reports.page import REPORT_FILE
from segment.core.splits import PARTS, Part

T = TypeVar("T")

_MOST = 10_000  # real images to compare with; their features take some hundred megabytes


class ReconstructionDataset(ImageDataset):
    """As `ImageDataset`, what an autoencoder is fed: its inputs by name, and the pictures that should come out."""

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        pictures, labels = super().__getitem__(index)
        return {"pixels": pictures, "label": labels}, pictures


def require_pictures(data: TrainingData) -> None:
    """Raises InputError when images carry several labels, or are not RGB of 8 bits."""
    statistics = data.survey.statistics
    if data.multi_label:
        raise InputError("Generators learn one label an image. Received a CSV of several. Sort the images into class folders.")
    if (statistics.bands, statistics.dtype) != (3, "uint8"):
        raise InputError(
            f"Generators learn RGB of 8 bits. Received {statistics.bands} bands of {statistics.dtype}. "
            "Choose three in data.bands, or convert the images."
        )


def build_datasets(data: TrainingData, config: GeneratorConfig) -> tuple[ReconstructionDataset, dict[Part, ImageDataset]]:
    """What is learned, changed at random; and all parts that have images, unchanged and in order."""
    settings, pixels, classes = config.training, data.pixels(config.data), len(data.palette)
    training = ReconstructionDataset(
        data.parts["train"],
        pixels,
        classes,
        config.data.size,
        settings.batch_size,
        augment=partial(augmentation, config.augment, config.data.size, data.survey.statistics),
        weighted=config.data.sampling == "weighted",
        seed=settings.seed,
        workers=settings.workers,
    )
    common = pixels, classes, config.data.size, settings.batch_size
    return training, {part: ImageDataset(data.parts[part], *common) for part in PARTS if data.parts[part]}


def mean_picture(dataset: ImageDataset) -> NDArray[np.float64]:
    """The mean of all pictures of a dataset, (size, size, 3), 0 to 255."""
    total = sum(dataset[index][0].sum(axis=0, dtype=np.float64) for index in range(len(dataset)))
    return np.asarray(total / len(dataset.images))


def find_again(run: Path, data: Data | None, config: GeneratorConfig, info: ModelInfo, progress: Progress) -> TrainingData:
    """The images that the generator in `run` was trained on. data: where they lie now; None: where they were.

    Raises InputError when they are not there, are others, or when the run does not say where they were.
    """
    folders = data_folders(_known_folders(run) if data is None else data)
    for folder in folders:
        if not folder.exists():
            raise InputError(f"{folder}: the images that the generator was trained on must be at hand. Received nothing. "
                             "Say where they are: --data FOLDER.")  # fmt: skip
    found = TrainingData.prepare(folders, config.data, PreprocessSettings(), config.training, progress)
    if found.split_digest != info.training.get("split"):
        raise InputError(f"{folders[0]}: needed are the images that the generator was trained on. Received others. Restore them.")
    return found


def _known_folders(run: Path) -> list[str]:
    """Where the images lay when the generator in `run` was trained."""
    try:
        folders = json.loads((run / REPORT_FILE).read_text(encoding="utf-8"))["data"]
        if isinstance(folders, list) and folders and all(isinstance(folder, str) for folder in folders):
            return folders
        problem = "no list of folders"
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{type(error).__name__} {error}"
    raise InputError(f"{run / REPORT_FILE}: says under data where the images of the training were. Received: {problem}. "
                     "Say where they are: --data FOLDER.")  # fmt: skip


def choose_real(data: TrainingData, count: int | None) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Images that were not learned from, in the order of their classes, and as many of each class that were, in the same order.

    count: of each; None: as many as there are, 10,000 at most. Of a class are chosen as many as is its share of the images that
    were not learned from, evenly spread over them. Raises InputError when there are not so many.
    """
    held, learned = (
        _sort_by_class(images, len(data.palette)) for images in (data.parts["val"] + data.parts["test"], data.parts["train"])
    )
    pairs = [min(len(these), len(those)) for these, those in zip(held, learned, strict=True)]
    most = min(sum(pairs), _MOST)
    wanted = most if count is None else count
    if not 1 <= wanted <= most:
        raise InputError(f"count: 1 to {most}, as many real images as there are. Received {wanted}. Choose another.")
    labels = _spread(np.repeat(np.arange(len(pairs)), pairs).tolist(), wanted)

    def choose(by_class: list[list[LabelledImage]]) -> list[LabelledImage]:
        return [image for label, images in enumerate(by_class) for image in _spread(images, labels.count(label))]

    return choose(held), choose(learned)


def _sort_by_class(images: Sequence[LabelledImage], classes: int) -> list[list[LabelledImage]]:
    """The images of each class by their paths."""
    ordered = sorted(images, key=lambda image: image.path)
    return [[image for image in ordered if image.labels[0] == label] for label in range(classes)]


def _spread(items: Sequence[T], count: int) -> list[T]:
    """So many of some items, from the first to the last."""
    return [items[i] for i in np.linspace(0, len(items) - 1, count).astype(int)]
