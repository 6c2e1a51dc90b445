"""Novelty detection: tiles that differ in texture and colours from all training tiles."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.outputs import staged
from segment.core.pixels.texture import channel_count, channels, describe_tile

NOVELTY_FILE = "novelty.npz"
"""File of a model folder that holds its detector."""

_EDGES = np.array([-1.2, -0.4, 0.4, 1.2])
"""Limits between bins of colours, in standard deviations.

Brightness is measured from its mean, differences between bands from 0.
"""
_FLAT = 0.02  # standard deviations of the brightness by which a neighbour must be higher to count
_MEASURED = 64  # tiles by which the bins are chosen
_AXES = 64
_NEAREST = 3
_FALSE_ALARMS = 0.05  # share of the validation tiles beyond the limit


@dataclass(frozen=True, eq=False)
class NoveltyDetector:
    """A detector of tiles that differ from all training tiles.

    It scores a tile by the distance of its texture and colours, see `describe_tile`, to those of
    the nearest training tiles.

    Attributes:
        edges: Limits between the bins of brightness and of differences, (channels, bins - 1), in
            the units of the pixels.
        flat: How much higher a neighbour must be to count, (), in the units of the pixels.
        mean: Mean of the features of the training tiles, (features,).
        deviation: Standard deviation of the features of the training tiles, (features,).
        axes: Principal components of the training tiles, (features, components).
        known: The training tiles along these components, (tiles, components).
        limit: Distance that one in twenty validation tiles exceeds, ().
    """

    edges: NDArray[np.float32]
    flat: np.float32
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    axes: NDArray[np.float32]
    known: NDArray[np.float16]
    limit: np.float32

    @classmethod
    def fit(
        cls, training: Iterable[NDArray[Any]], validation: Iterable[NDArray[Any]]
    ) -> "NoveltyDetector":
        """Fits a detector to the training tiles of a model.

        Args:
            training: Tiles (rows, columns, bands) of one size in random order, hundreds or more.
            validation: Tiles of the same size from other places, by which the limit is chosen.

        Returns:
            The detector.
        """
        tiles = iter(training)
        first = list(islice(tiles, _MEASURED))
        values = np.concatenate(
            [channels(tile)[::8, ::8].reshape(-1, channel_count(tile.shape[2])) for tile in first]
        )
        spread, middle = values.std(axis=0), np.zeros(values.shape[1])
        middle[0] = values[:, 0].mean()
        edges = (middle[:, None] + spread[:, None] * _EDGES).astype(np.float32)
        flat = np.float32(_FLAT * spread[0])
        described = np.stack(
            [describe_tile(tile, edges, flat) for some in (first, tiles) for tile in some]
        )
        mean, deviation = described.mean(axis=0), described.std(axis=0) + 1e-3
        _, _, axes = np.linalg.svd((described - mean) / deviation, full_matrices=False)
        axes = axes[:_AXES].T
        known = ((described - mean) / deviation @ axes).astype(np.float16)
        detector = cls(edges, flat, mean, deviation, axes, known, np.float32(1))
        distances = np.array([detector.score(tile) for tile in validation])
        limit = max(float(np.quantile(distances, 1 - _FALSE_ALARMS)), 1e-6)
        return cls(edges, flat, mean, deviation, axes, known, np.float32(limit))

    def score(self, tile: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> float:
        """Computes how much a tile differs from the training tiles.

        Args:
            tile: Pixels (rows, columns, bands).
            valid: Whether each pixel is valid, (rows, columns); nodata is left out. By default all
                are valid.

        Returns:
            The score; above 1 the tile is unfamiliar.
        """
        features = describe_tile(tile, self.edges, self.flat, valid)
        place = (features - self.mean) / self.deviation @ self.axes
        squared = np.square(self.known.astype(np.float32) - place).sum(axis=1)
        nearest = np.partition(squared, min(_NEAREST, len(squared)) - 1)[:_NEAREST]
        return float(np.sqrt(nearest).mean() / self.limit)

    def save(self, folder: Path) -> None:
        """Writes the detector into a model folder, completely or not at all.

        Args:
            folder: Model folder.

        Raises:
            InputError: As in `staged`.
        """
        with staged(folder / NOVELTY_FILE, overwrite=True) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **vars(self))

    def require_whole(self, bands: int) -> None:
        """Checks arrays that were read from a file.

        Args:
            bands: Bands of the model.

        Raises:
            ValueError: If they do not fit together or the bands, or are out of range.
        """
        features = len(self.mean)
        components = self.axes.shape[-1]
        shapes = [array.shape for array in vars(self).values()]
        wanted = [
            (channel_count(bands), len(_EDGES)),
            (),
            (features,),
            (features,),
            (features, components),
        ]
        if shapes != [*wanted, (len(self.known), components), ()] or not len(self.known):
            raise ValueError("arrays that do not fit together, or not the bands of the model")
        if (
            not all(np.isfinite(array).all() for array in vars(self).values())
            or not (self.deviation > 0).all()
            or self.limit <= 0
        ):
            raise ValueError("values that are out of range")
