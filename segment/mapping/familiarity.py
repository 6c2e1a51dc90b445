"""Familiarity of a scored scene: which of its pixels a model was trained on."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from segment.annotations.areas import Area
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED
from segment.core.model.recognised import UNKNOWN, Familiarity
from segment.core.model.record import TrainingRecord, load_record
from segment.core.pixels.near_duplicates import digest_pixels
from segment.core.raster.reader import Raster
from segment.mapping.journal import CLASSES, REFERENCE, Journal
from segment.tiling import tile_starts


def recognise_scene(
    record: TrainingRecord, scene: Raster, tile: int, journal: Journal, area: Area
) -> Familiarity:
    """Counts the scored pixels of a mapped scene that a model was trained on.

    They are recognised by their location on the ground, and by the pixels of tiles that were cut
    from the scene side by side. Memory grows with the width of the scene, not with its height.

    Args:
        record: Record of the model's training data.
        scene: The open scene.
        tile: Edge of the tiles in pixels, that of the model.
        journal: Journal that holds the finished map and its reference; pixels that have a class in
            both are scored.
        area: Part of the scene that was mapped.

    Returns:
        The counts.
    """
    familiarity, done = Familiarity(None), area.top
    starts = tile_starts(max(scene.width, tile), tile, tile)
    lefts = [left for left in starts if left < area.right and left + tile > area.left]
    first, last = lefts[0], min(lefts[-1] + tile, scene.width)
    for top in tile_starts(max(scene.height, tile), tile, tile):
        bottom = min(top + tile, scene.height)
        stop = min(bottom, area.bottom)
        if stop <= done:
            continue
        codes = record.cover(scene, top, first, bottom - top, last - first)
        with suppress(InputError):  # a part that cannot be read is not mapped either
            pixels, _ = scene.read(top, first, bottom - top, last - first)
            for left in lefts:
                window = slice(None), slice(left - first, left - first + tile)
                codes[window] = np.minimum(
                    codes[window], np.uint8(record.find(digest_pixels(pixels[window])))
                )
        both = [journal.read(n, done - area.top, stop - area.top) for n in (REFERENCE, CLASSES)]
        scored = (np.stack(both) != IGNORED).all(axis=0)
        columns = slice(area.left - first, area.right - first)
        familiarity.add(codes[done - top : stop - top, columns], scored)
        done = stop
    return familiarity


def describe_familiarity(
    model: Path, scene: Raster, tile: int, journal: Journal, area: Area, notes: list[str]
) -> dict[str, Any]:
    """Counts, for the report, the scored pixels that a model was trained on; see `recognise_scene`.

    Args:
        model: Model folder.
        scene: The open scene.
        tile: Edge of the tiles in pixels, that of the model.
        journal: Journal that holds the finished map and its reference.
        area: Part of the scene that was mapped.
        notes: Notes of the report, to which what was found is added.

    Returns:
        Keys of the report.
    """
    record = load_record(model)
    if record is None:
        notes.append(
            "The model does not record what it was trained on: it may have been trained on this"
            " scene."
        )
        return dict(UNKNOWN)
    familiarity = recognise_scene(record, scene, tile, journal, area)
    if known := str(familiarity):
        notes.append(f"{known[0].upper()}{known[1:]}.")
    return familiarity.report
