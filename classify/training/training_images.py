"""Batches of images to train on, and to score epochs and models on."""

from functools import partial

from classify.config import Config
from classify.data.augment import augmentation
from classify.data.dataset import Drawing, ImageDataset
from classify.data.mixing import mix
from classify.data.pixels import ImagePixels
from classify.data.training_data import TrainingData
from segment.core.splits import PARTS, Part


def training_images(pixels: ImagePixels, data: TrainingData, config: Config) -> ImageDataset:
    """Makes the batches of training images, drawn, augmented and mixed as the settings say.

    Args:
        pixels: Reader of the images.
        data: Training data.
        config: Settings of the training.

    Returns:
        The batches.
    """
    wanted, augment = config.data, config.augment
    return ImageDataset(
        data.parts["train"],
        pixels,
        len(data.class_table),
        wanted.size,
        config.training.batch_size,
        drawing=Drawing(
            augment=partial(augmentation, augment, wanted.size, data.survey.statistics),
            mix=partial(mix, mixup=augment.mixup, cutmix=augment.cutmix),
            weighted=wanted.sampling == "weighted",
            seed=config.training.seed,
            unions=data.unions,
        ),
        workers=config.training.workers,
    )


def plain_images(
    pixels: ImagePixels, data: TrainingData, config: Config
) -> dict[Part, ImageDataset]:
    """Makes the batches of all parts that have images, not augmented and in order.

    Args:
        pixels: Reader of the images.
        data: Training data.
        config: Settings of the training.

    Returns:
        The batches by part.
    """
    return {
        part: ImageDataset(
            data.parts[part],
            pixels,
            len(data.class_table),
            config.data.size,
            config.training.batch_size,
        )
        for part in PARTS
        if data.parts[part]
    }
