"""Recognition of the parts of a mapped scene that the model was trained on."""

from contextlib import suppress

import numpy as np

from segment.core.errors import InputError
from segment.core.model.recognised import Familiarity
from segment.core.model.record import TrainingRecord
from segment.core.pixels.near_duplicates import digest_pixels
from segment.core.raster.classes import IGNORED
from segment.core.raster.reader import Raster
from segment.mapping.journal import CLASSES, Journal
from segment.mapping.reference import Reference
from segment.tiling import tile_starts


def recognise_scene(
    record: TrainingRecord, scene: Raster, tile: int, truth: Reference, journal: Journal
) -> Familiarity:
    """Counts the scored pixels of a mapped scene that a model was trained on.

    They are recognised by their location on the ground, and by the pixels of tiles that were cut
    from the scene side by side. Memory grows with the width of the scene, not with its height.

    Args:
        record: Record of the model's training data.
        scene: The open scene.
        tile: Edge of the tiles in pixels, that of the model.
        truth: The reference; pixels that have a class in it and in the map are scored.
        journal: Journal that holds the finished map.

    Returns:
        The counts.

    Raises:
        InputError: If the reference cannot be decoded.
    """
    familiarity, file, done = Familiarity(None), journal.file(CLASSES), 0
    for top in tile_starts(max(scene.height, tile), tile, tile):
        bottom = min(top + tile, scene.height)
        codes = record.cover(scene, top, 0, bottom - top, scene.width)
        with suppress(InputError):  # a part that cannot be read is not mapped either
            pixels, _ = scene.read(top, height=bottom - top)
            for left in tile_starts(max(scene.width, tile), tile, tile):
                window = slice(None), slice(left, left + tile)
                codes[window] = np.minimum(
                    codes[window], np.uint8(record.find(digest_pixels(pixels[window])))
                )
        mapped = np.fromfile(
            file, np.uint8, (bottom - done) * scene.width, offset=done * scene.width
        ).reshape(-1, scene.width)
        familiarity.add(codes[done - top :], truth.scored(done, bottom) & (mapped != IGNORED))
        done = bottom
    return familiarity
