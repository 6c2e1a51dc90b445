"""Tiles to train on, to score epochs and models on, and to recognise unfamiliar scenes by."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.config import Config
from segment.core.pixels.novelty import NoveltyDetector
from segment.core.progress import Progress
from segment.core.splits import PARTS, Part
from segment.data.augment import augmentation
from segment.data.dataset import Drawing, TileDataset
from segment.data.pixels import TilePixels
from segment.data.training_data import TrainingData

_FEWEST_TRAINING, _FEWEST_VALIDATION = 50, 20  # tiles from which unfamiliar scenes are recognised
_COMPARED = 2048  # training tiles, and validation tiles, by which unfamiliar scenes are recognised


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
        drawing=Drawing(
            augment=partial(augmentation, changes, data.survey.statistics),
            random_crops=random_crops,
            within=any(one.division.split == "block" or one.of_scenes for one in data.collections),
            zoom=zoom,
            pixel_sizes=data.pixel_sizes(config.augment.pixel_size) if random_crops else {},
            weights=(
                {one.name: one.weight for one in data.collections}
                if config.data.collections
                else {}
            ),
            pixels=data.survey.patch_pixels if config.data.sampling == "balanced" else None,
            tiles=config.data.epoch_tiles,
            seed=config.training.seed,
        ),
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


def fit_novelty_detector(
    training: TileDataset, validation: TileDataset, progress: Progress
) -> NoveltyDetector | None:
    """Fits what recognises scenes that are unlike the training data.

    Args:
        training: Training tiles, which are drawn as for training but not augmented.
        validation: Validation tiles, which choose the limit.
        progress: Where progress is reported.

    Returns:
        The detector; None if there are too few tiles.
    """
    drawn = min(training.epoch_tiles, _COMPARED)
    spread = np.unique(
        np.linspace(0, len(validation.patches) - 1, _COMPARED).round().astype(int)
    ).tolist()
    if drawn < _FEWEST_TRAINING or len(spread) < _FEWEST_VALIDATION:
        return None

    def counted(tiles: Iterable[NDArray[Any]], before: int) -> Iterator[NDArray[Any]]:
        for done, tile in enumerate(tiles, before + 1):
            yield tile
            progress.advance("describing tiles", done, drawn + len(spread))

    return NoveltyDetector.fit(
        counted(training.draw(drawn), 0), counted((validation.tile_at(i)[0] for i in spread), drawn)
    )
