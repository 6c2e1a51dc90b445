"""The images that generators learn from, and are compared with."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.augment import augmentation
from classify.dataset import ImageDataset
from classify.generator import Pictures
from classify.generator_config import GeneratorConfig
from classify.images import Data, data_folders
from classify.pixels import centre_crop
from classify.training_data import TrainingData
from segment.core.config import PreprocessSettings
from segment.core.errors import InputError
from segment.core.model_folder import ModelInfo
from segment.core.parts import PARTS, Part
from segment.core.progress import Progress
from segment.core.report import REPORT_FILE


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

    Raises InputError when they are not there, or are others.
    """
    if data is None:
        data = json.loads((run / REPORT_FILE).read_text(encoding="utf-8"))["data"]
    folders = data_folders(data)
    for folder in folders:
        if not folder.exists():
            raise InputError(f"{folder}: the images that the generator was trained on must be at hand. Received nothing. "
                             "Say where they are: --data FOLDER.")  # fmt: skip
    found = TrainingData.prepare(folders, config.data, PreprocessSettings(), config.training, progress)
    if found.split_digest != info.training.get("split"):
        raise InputError(f"{folders[0]}: needed are the images that the generator was trained on. Received others. Restore them.")
    return found


def choose_real(data: TrainingData, config: GeneratorConfig, count: int | None) -> tuple[Pictures, NDArray[np.intp], Pictures]:
    """Pictures that were not learned from, their class indices, and as many that were, each evenly spread over the classes.

    count: of each; None: as many as there are. Raises InputError when there are not so many.
    """
    parts = data.parts["val"] + data.parts["test"], data.parts["train"]
    most = min(len(part) for part in parts)
    wanted = most if count is None else count
    if not 2 <= wanted <= most:
        raise InputError(f"count: 2 to {most}, as many real images as there are. Received {wanted}. Choose another.")
    pixels, size = data.pixels(config.data), config.data.size
    ordered = (sorted(part, key=lambda image: (image.labels, image.path)) for part in parts)
    held, learned = ([part[i] for i in np.linspace(0, len(part) - 1, wanted).astype(int)] for part in ordered)
    pictures = (np.stack([centre_crop(pixels.load(image), size) for image in images]) for images in (held, learned))
    return next(pictures), np.array([image.labels[0] for image in held]), next(pictures)
