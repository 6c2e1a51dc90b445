"""Familiarity of a scored scene: which of its pixels a model was trained on."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED
from segment.core.model.recognised import UNKNOWN, Familiarity
from segment.core.model.record import TrainingRecord, load_record
from segment.core.pixels.near_duplicates import digest_pixels
from segment.core.raster.reader import Raster
from segment.mapping.journal import CLASSES, Journal
from segment.mapping.reference import Reference
from segment.tiling import tile_starts


def recognise_scene(
    record: TrainingRecord, scene: Raster, tile: int, reference: Reference, journal: Journal
) -> Familiarity:
    """Counts the scored pixels of a mapped scene that a model was trained on.

    They are recognised by their location on the ground, and by the pixels of tiles that were cut
    from the scene side by side. Memory grows with the width of the scene, not with its height.

    Args:
        record: Record of the model's training data.
        scene: The open scene.
        tile: Edge of the tiles in pixels, that of the model.
        reference: The reference; pixels that have a class in it and in the map are scored.
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
        familiarity.add(codes[done - top :], reference.scored(done, bottom) & (mapped != IGNORED))
        done = bottom
    return familiarity


def describe_familiarity(
    model: Path, scene: Raster, tile: int, reference: Reference, journal: Journal, notes: list[str]
) -> dict[str, Any]:
    """Counts, for the report, the scored pixels that a model was trained on; see `recognise_scene`.

    Args:
        model: Model folder.
        scene: The open scene.
        tile: Edge of the tiles in pixels, that of the model.
        reference: The reference.
        journal: Journal that holds the finished map.
        notes: Notes of the report, to which what was found is added.

    Returns:
        Keys of the report.

    Raises:
        InputError: If the reference cannot be decoded.
    """
    record = load_record(model)
    if record is None:
        notes.append(
            "The model does not record what it was trained on: it may have been trained on this"
            " scene."
        )
        return dict(UNKNOWN)
    familiarity = recognise_scene(record, scene, tile, reference, journal)
    if known := str(familiarity):
        notes.append(f"{known[0].upper()}{known[1:]}.")
    return familiarity.report
