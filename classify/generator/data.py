"""Images that generators learn from, and that their pictures are compared with."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from classify.data.augment import augmentation
from classify.data.dataset import Drawing, ImageDataset
from classify.data.images import Data, LabelledImage, data_folders
from classify.data.training_data import TrainingData
from classify.generator.config import GeneratorConfig
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.progress import Progress
from segment.core.reports.page import REPORT_FILE
from segment.core.splits import PARTS, Part

T = TypeVar("T")

_MOST = 10_000  # most real images to compare with; their features take some hundred megabytes


class ReconstructionDataset(ImageDataset):
    """Batches for an autoencoder: its inputs by name, and the pictures that it is to reconstruct.

    The arguments are those of `ImageDataset`.
    """

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        pictures, labels = super().__getitem__(index)
        return {"pixels": pictures, "label": labels}, pictures


def require_pictures(data: TrainingData) -> None:
    """Checks that images are of a kind that generators can learn.

    Args:
        data: Training data.

    Raises:
        InputError: If images have several labels, or are not RGB of 8 bits.
    """
    statistics = data.survey.statistics
    if data.multi_label:
        raise InputError(
            "Generators learn one label an image. Received a CSV of several. Sort the images into"
            " class folders."
        )
    if (statistics.bands, statistics.dtype) != (3, "uint8"):
        raise InputError(
            f"Generators learn RGB of 8 bits. Received {statistics.bands} bands of"
            f" {statistics.dtype}. Choose three in data.bands, or convert the images."
        )


def build_datasets(
    data: TrainingData, config: GeneratorConfig
) -> tuple[ReconstructionDataset, dict[Part, ImageDataset]]:
    """Makes the datasets of a training.

    Args:
        data: Training data.
        config: Settings of the training.

    Returns:
        Augmented training pictures; and each part that has images, unchanged and in order.
    """
    settings, pixels, classes = config.training, data.pixels(config.data), len(data.class_table)
    training = ReconstructionDataset(
        data.parts["train"],
        pixels,
        classes,
        config.data.size,
        settings.batch_size,
        drawing=Drawing(
            augment=partial(augmentation, config.augment, config.data.size, data.survey.statistics),
            weighted=config.data.sampling == "weighted",
            seed=settings.seed,
        ),
        workers=settings.workers,
    )
    common = pixels, classes, config.data.size, settings.batch_size
    return training, {
        part: ImageDataset(data.parts[part], *common) for part in PARTS if data.parts[part]
    }


def mean_picture(dataset: ImageDataset) -> NDArray[np.float64]:
    """Computes the mean of all pictures of a dataset.

    Args:
        dataset: Pictures.

    Returns:
        Mean picture (size, size, 3) float64, 0 to 255.
    """
    total = sum(dataset[index][0].sum(axis=0, dtype=np.float64) for index in range(len(dataset)))
    return np.asarray(total / len(dataset.images))


def find_again(
    run: Path, data: Data | None, config: GeneratorConfig, info: ModelInfo, progress: Progress
) -> TrainingData:
    """Finds the images that a generator was trained on.

    Args:
        run: Run folder of the generator.
        data: Where the images are now. By default where they were in training.
        config: Settings of the training.
        info: Description of the generator.
        progress: Where progress is reported.

    Returns:
        The training data.

    Raises:
        InputError: If the images are not found or are not the same, or the run folder does not say
            where they were.
    """
    folders = data_folders(_known_folders(run) if data is None else data)
    for folder in folders:
        if not folder.exists():
            raise InputError(
                f"{folder}: not found. The images that the generator was trained on are needed."
                " Give their folder: --data FOLDER."
            )
    found = TrainingData.prepare(
        folders, config.data, PreprocessSettings(), config.training, progress
    )
    if found.split_digest != info.training.get("split"):
        raise InputError(
            f"{folders[0]}: needed are the images that the generator was trained on. Received"
            " others. Restore them."
        )
    return found


def _known_folders(run: Path) -> list[str]:
    """Folders of the images when the generator was trained."""
    try:
        folders = json.loads((run / REPORT_FILE).read_text(encoding="utf-8"))["data"]
        if (
            isinstance(folders, list)
            and folders
            and all(isinstance(folder, str) for folder in folders)
        ):
            return folders
        problem = "no list of folders"
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{type(error).__name__} {error}"
    raise InputError(
        f"{run / REPORT_FILE}: does not say under data where the training images were ({problem})."
        " Give their folder: --data FOLDER."
    )


def choose_real(
    data: TrainingData, count: int | None
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Chooses images the generator did not learn from, and as many of each class that it did.

    The share of each class is that of the images that were not learned from. Images of a class are
    spread evenly over all of them.

    Args:
        data: Training data of the generator.
        count: Number of images of each of the two kinds. By default as many as there are, at most
            10,000.

    Returns:
        Images that were not learned from, in the order of their classes, and images that were, in
        the same order.

    Raises:
        InputError: If there are not as many images.
    """
    held, learned = (
        _sort_by_class(images, len(data.class_table))
        for images in (data.parts["val"] + data.parts["test"], data.parts["train"])
    )
    pairs = [min(len(these), len(those)) for these, those in zip(held, learned, strict=True)]
    most = min(sum(pairs), _MOST)
    wanted = most if count is None else count
    if not 1 <= wanted <= most:
        raise InputError(
            f"count: 1 to {most}, as many real images as there are. Received {wanted}. Choose"
            " another."
        )
    labels = _spread(np.repeat(np.arange(len(pairs)), pairs).tolist(), wanted)

    def choose(by_class: list[list[LabelledImage]]) -> list[LabelledImage]:
        return [
            image
            for label, images in enumerate(by_class)
            for image in _spread(images, labels.count(label))
        ]

    return choose(held), choose(learned)


def _sort_by_class(images: Sequence[LabelledImage], classes: int) -> list[list[LabelledImage]]:
    """The images of each class, sorted by path."""
    ordered = sorted(images, key=lambda image: image.path)
    return [[image for image in ordered if image.labels[0] == label] for label in range(classes)]


def _spread(items: Sequence[T], count: int) -> list[T]:
    """A given number of items, evenly spread from the first to the last."""
    return [items[i] for i in np.linspace(0, len(items) - 1, count).astype(int)]
