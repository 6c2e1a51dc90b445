"""Batches of tiles to train on, and to score epochs and models on."""

from functools import partial

from segment.config import Config
from segment.core.splits import PARTS, Part
from segment.data.augment import augmentation
from segment.data.dataset import TileDataset, TilePixels
from segment.data.training_data import TrainingData


def training_tiles(pixels: TilePixels, data: TrainingData, config: Config) -> TileDataset:
    """Makes the batches of training tiles, drawn and augmented as the settings say.

    Args:
        pixels: Reader of images and masks.
        data: Training data.
        config: Settings of the training.

    Returns:
        The batches.
    """
    random_crops = config.data.crops == "random"
    # crops drawn at their scale need no reflected borders
    zoom = config.augment.scale if random_crops else 0.0
    changes = config.augment.model_copy(update={"scale": config.augment.scale - zoom})
    return TileDataset(
        data.parts["train"],
        pixels,
        config.data.tile,
        config.training.batch_size,
        preprocessing=config.data.preprocess,
        augment=partial(augmentation, changes, data.survey.statistics),
        random_crops=random_crops,
        zoom=zoom,
        pixel_sizes=data.pixel_sizes(config.augment.pixel_size) if random_crops else {},
        weights=(
            {one.name: one.weight for one in data.collections} if config.data.collections else {}
        ),
        tiles=config.data.epoch_tiles,
        seed=config.training.seed,
        workers=config.training.workers,
    )


def scored_tiles(pixels: TilePixels, data: TrainingData, config: Config) -> dict[Part, TileDataset]:
    """Makes the batches of validation and test tiles, not augmented and in order.

    Args:
        pixels: Reader of images and masks.
        data: Training data.
        config: Settings of the training.

    Returns:
        The batches by part, without parts that have no tiles.
    """
    return {
        part: TileDataset(
            data.parts[part],
            pixels,
            config.data.tile,
            config.training.batch_size,
            preprocessing=config.data.preprocess,
        )
        for part in PARTS[1:]
        if data.parts[part]
    }
