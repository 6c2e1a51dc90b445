"""Bands of finished rows: what the network says of a window of a scene, from its top to its bottom."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segment.core.model.runtime import Model
from segment.core.raster.classes import IGNORED
from segment.mapping.inference import Progress, predict_tiles
from segment.mapping.scene_tiles import SceneTiles
from segment.tiling import stitch

_PIECE = 64  # rows dealt with at a time, so that what lies in between stays small


@dataclass(frozen=True)
class Band:
    """Rows from `start` on. probabilities: (rows, width, classes) float32, valid until the next band is asked for.
    valid: (rows, width), False where the scene holds no data.
    """

    start: int
    probabilities: NDArray[np.float32]
    valid: NDArray[np.bool_]

    def labels(self) -> NDArray[np.uint8]:
        """Index of the most probable class (rows, width), 255 where not valid."""
        labels = np.empty(self.valid.shape, np.uint8)
        for first in range(0, len(labels), _PIECE):
            labels[first : first + _PIECE] = self.probabilities[first : first + _PIECE].argmax(axis=2)
        labels[~self.valid] = IGNORED
        return labels

    def confidence(self, steps: int) -> NDArray[np.uint8]:
        """Probability of the most probable class (rows, width), 0 to `steps` for 0 to 1, 255 where not valid."""
        found = np.empty(self.valid.shape, np.uint8)
        for first in range(0, len(found), _PIECE):
            highest = self.probabilities[first : first + _PIECE].max(axis=2)
            found[first : first + _PIECE] = np.rint(highest * steps).clip(0, steps)
        found[~self.valid] = IGNORED
        return found


def predict_bands(
    tiles: SceneTiles, model: Model, batch_size: int | None = None, augment: bool = False, progress: Progress | None = None
) -> Generator[Band, None, None]:
    """The bands of the tiles' window, in order; see `predict_tiles`."""
    window = tiles.window
    with closing(predict_tiles(tiles, model, batch_size, augment, progress)) as answers:
        stitched = stitch(window, len(model.info.palette), answers)
        for (start, stop), probabilities in zip(window.finished, stitched, strict=True):
            valid = tiles.valid.popleft()
            if start < stop:
                yield Band(start, probabilities, valid)
