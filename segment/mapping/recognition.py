"""Parts of a mapped scene that the model was trained on."""

from contextlib import suppress

import numpy as np

from segment.core.errors import InputError
from segment.core.model.record import Familiarity, TrainingRecord
from segment.core.pixels.digest import digest_pixels
from segment.core.raster.classes import IGNORED
from segment.core.raster.reader import Raster
from segment.mapping.journal import CLASSES, Journal
from segment.mapping.reference import Truth
from segment.tiling import tile_starts


def recognise_scene(record: TrainingRecord, scene: Raster, tile: int, truth: Truth, journal: Journal) -> Familiarity:
    """How many of the pixels of a mapped scene that are scored a model was trained on.

    By the ground, and by the pixels of tiles that were cut from the scene side by side. tile: their edge, that of the model.
    journal: holds the finished map. Memory grows with the width of the scene, not with its height.
    """
    familiarity, file, done = Familiarity(None), journal.file(CLASSES), 0
    for top in tile_starts(max(scene.height, tile), tile, tile):
        bottom = min(top + tile, scene.height)
        codes = record.cover(scene, top, 0, bottom - top, scene.width)
        with suppress(InputError):  # a part of the scene that cannot be read is not mapped, either
            pixels, _ = scene.read(top, height=bottom - top)
            for left in tile_starts(max(scene.width, tile), tile, tile):
                window = slice(None), slice(left, left + tile)
                codes[window] = np.minimum(codes[window], np.uint8(record.find(digest_pixels(pixels[window]))))
        mapped = np.fromfile(file, np.uint8, (bottom - done) * scene.width, offset=done * scene.width).reshape(-1, scene.width)
        familiarity.add(codes[done - top :], truth.scored(done, bottom) & (mapped != IGNORED))
        done = bottom
    return familiarity
