"""Fits what recognises scenes that are unlike the training data."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.progress import Progress
from segment.data.dataset import TileDataset
from segment.mapping.novelty import NoveltyDetector

_FEWEST_TRAINING, _FEWEST_VALIDATION = 50, 20  # tiles from which unfamiliar scenes are recognised
_COMPARED = 2048  # training tiles, and validation tiles, by which unfamiliar scenes are recognised


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
