"""A region of a scene's map, computed from its own pixels and a margin: it equals the same window of the whole map."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from segment.core.model.folder import ModelInfo
from segment.core.model.runtime import Model
from segment.core.raster.classes import Palette
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.mapping.inference import Progress
from segment.mapping.journal import CLASSES, CONFIDENCE, CONFIDENCE_STEPS
from segment.mapping.regrid import regrid, seen_window
from segment.mapping.row_strips import Band, predict_bands
from segment.mapping.scene_tiles import SceneTiles, plan_tiles
from segment.tiling import TilePlan, Window

Region = tuple[int, int, int, int]
"""Top, bottom, left, right: first and past the last of the rows and columns, pixels of the scene."""


@dataclass(frozen=True)
class View:
    """How a network sees a scene. source: with the factor that it is resampled by. augment: see `predict_batch`."""

    source: Source
    plan: TilePlan
    augment: bool

    @classmethod
    def of(
        cls, source: Source, raster: Raster, info: ModelInfo, overlap: float, tile: int | None, augment: bool, factor: float
    ) -> "View":
        """How a model sees a scene that is open. factor: see `Scale`. Raises InputError when it cannot be seen so."""
        return cls(replace(source, factor=factor), plan_tiles(raster, info, tile, overlap, factor), augment)

    def bands(
        self,
        raster: Raster,
        region: Region,
        network: Model,
        rows: int = 256,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> Generator[Band, None, None]:
        """Bands of finished rows of a region, on the scene's own grid. raster: the scene, open. rows: read at a time."""
        if region[0] == region[1]:
            return
        resampled = self.source.factor != 1
        window = seen_window(self.plan, raster, *region) if resampled else Window(self.plan, *region)
        tiles = SceneTiles(self.source, window, rows)
        with closing(predict_bands(tiles, network, batch_size, self.augment, progress)) as bands:
            yield from regrid(bands, window, raster, *region) if resampled else bands


def map_band(band: Band, palette: Palette, confidence: bool) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.uint8]]]:
    """Class indices (rows, width) of a band, 255 where not valid, and what is kept of it: rows of each raster by its name."""
    labels = band.labels()
    rows = {CLASSES: palette.values()[labels]}
    if confidence:
        rows[CONFIDENCE] = band.confidence(CONFIDENCE_STEPS)
    return labels, rows
