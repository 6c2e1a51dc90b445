"""Novelty detection: tiles that differ in texture and colours from all training tiles."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from segment.annotations.areas import Area
from segment.core.errors import InputError
from segment.core.model.folder import NOVELTY_FILE
from segment.core.model.info import ModelInfo
from segment.core.model.weight_files import require_small_zip
from segment.core.outputs import staged
from segment.core.pixels.preprocessing import preprocess
from segment.core.pixels.texture import channel_count, channels, describe_tile
from segment.core.raster.sources import Source
from segment.data.pairs.decoded import fill_up
from segment.mapping.area_tiles import spread_tiles

_EDGES = np.array([-1.2, -0.4, 0.4, 1.2])
"""Limits between bins of colours, in standard deviations.

Brightness is measured from its mean, differences between bands from 0.
"""
_FLAT = 0.02  # standard deviations of the brightness by which a neighbour must be higher to count
_MEASURED = 64  # tiles by which the bins are chosen
_AXES = 64
_NEAREST = 3
_FALSE_ALARMS = 0.05  # share of the validation tiles beyond the limit
_SAMPLED = 64  # tiles of a scene, at most
_DAMAGE = (OSError, ValueError, TypeError, LookupError, EOFError, BadZipFile, MemoryError)
_WARNED = 0.25  # share of unfamiliar tiles beyond which there is a warning


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

    def _require_whole(self, bands: int) -> None:
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


def load_novelty(folder: Path, info: ModelInfo) -> NoveltyDetector | None:
    """Reads the detector of a model folder.

    Args:
        folder: Model folder.
        info: Description of the model.

    Returns:
        The detector; None where the folder has none.

    Raises:
        InputError: If the file of the detector is damaged.
    """
    file = folder / NOVELTY_FILE
    if not file.is_file():
        return None
    try:
        require_small_zip(file)
        with np.load(file) as arrays:
            detector = NoveltyDetector(**{f.name: arrays[f.name] for f in fields(NoveltyDetector)})
        detector._require_whole(info.bands)
        detector.score(np.zeros((info.tile, info.tile, info.bands), info.dtype))
        return detector
    except _DAMAGE as error:
        problem = " ".join(str(error).split())[:200]
        raise InputError(f"{file}: damaged: {problem}. Restore it, or delete it.") from error


def unfamiliar_share(
    detector: NoveltyDetector, source: Source, info: ModelInfo, area: Area | None = None
) -> tuple[int, int]:
    """Counts the unfamiliar tiles of a scene, or of an area of it.

    At most 64 tiles are scored, spread evenly. Tiles of which half or more is
    nodata, or that cannot be read, are not scored.

    Args:
        detector: Detector of the model.
        source: The scene as the network sees it.
        info: Description of the model.
        area: Part of the scene that counts, on its own grid; None for the whole.

    Returns:
        The number of unfamiliar tiles, and of scored tiles.

    Raises:
        InputError: If the scene cannot be opened.
    """
    tile, unfamiliar, seen = info.tile, 0, 0
    with source.open() as raster:
        for top, left in spread_tiles(raster, tile, _SAMPLED, area, source.factor):
            with suppress(InputError):
                pixels, valid = raster.read(
                    top, left, min(tile, raster.height - top), min(tile, raster.width - left)
                )
                if valid.mean() > 0.5:
                    pixels = fill_up(
                        preprocess(pixels, info.preprocess, valid).astype(info.dtype, copy=False),
                        tile,
                    )
                    unfamiliar += detector.score(pixels, fill_up(valid, tile)) > 1
                    seen += 1
    return unfamiliar, seen


def describe_share(unfamiliar: int, seen: int) -> str | None:
    """Formats the warning about unfamiliar tiles for the report.

    Args:
        unfamiliar: Number of unfamiliar tiles, see `unfamiliar_share`.
        seen: Number of scored tiles.

    Returns:
        The warning; None where no more than a quarter of the tiles are unfamiliar.
    """
    if not seen or unfamiliar <= _WARNED * seen:
        return None
    return (
        f"Warning: {unfamiliar} of {seen} tiles ({unfamiliar / seen:.0%}) look unlike everything"
        " that the model was trained on (other ground, season, sensor, resolution or order of"
        " bands). Check the map before you use it, or train on such scenes."
    )
