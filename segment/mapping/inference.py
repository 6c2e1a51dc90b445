"""Tiles through the network."""

from collections.abc import Callable, Generator
from contextlib import closing
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model.runtime import Model, require_finite_answers
from segment.core.pixels.symmetries import eight_views
from segment.core.prefetch import compute_ahead
from segment.mapping.scene_tiles import Batch, SceneTiles
from segment.tiling import Tile

Progress = Callable[[int, int], None]
"""Told of tiles dealt with and tiles in all."""


def predict_tiles(
    tiles: SceneTiles, model: Model, batch_size: int | None = None, augment: bool = False, progress: Progress | None = None
) -> Generator[Tile, None, None]:
    """All tiles with a valid pixel, in reading order, and one without probabilities for each row of tiles that has none.

    batch_size: tiles in a batch, by default what suits the model. augment: see `predict_batch`.
    Raises what reading and predicting raise.
    """
    size, workers = model.pace(tiles.window.plan.tile)
    size, name = batch_size or size, str(tiles.source.path)

    def compute(batch: Batch) -> NDArray[np.float32] | None:
        return None if batch.pixels is None else predict_batch(model, batch.pixels, augment, name)

    with closing(compute_ahead(tiles.batches(size, model.info), compute, workers)) as answers:
        for batch, probabilities in answers:
            for (row, column), part in zip(batch.places, repeat(None) if probabilities is None else probabilities, strict=False):
                yield row, column, part
            if progress:
                progress(batch.done, tiles.count)
    if progress:
        progress(tiles.count, tiles.count)


def predict_batch(model: Model, pixels: NDArray[Any], augment: bool, name: str = "a tile") -> NDArray[np.float32]:
    """Probabilities (batch, rows, columns, classes) of square tiles, with `augment` the mean over their eight symmetries.

    name: of what they were cut from, for errors.
    Raises InputError when the network answers other classes than its model.yaml names, or NaN.
    """
    if not augment:
        answer = model.predict(pixels)
        expected = (*pixels.shape[:3], len(model.info.palette))
        if answer.shape != expected:
            raise InputError(f"{model.info.name}: must answer {expected}. Received {answer.shape}. Mend its model.yaml.")
        require_finite_answers(answer, model.info, name)
        return answer
    total = np.zeros((*pixels.shape[:3], len(model.info.palette)), np.float32)
    for view, turn_back in eight_views(pixels):
        total += turn_back(predict_batch(model, view, False, name))
    return total / 8
