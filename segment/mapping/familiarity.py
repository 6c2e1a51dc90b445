"""Familiarity of a scene: unlike all training tiles, or one whose pixels a model was trained on."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from segment.annotations.areas import Area
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED
from segment.core.model.info import ModelInfo
from segment.core.model.recognised import UNKNOWN, Familiarity
from segment.core.model.record import TrainingRecord, load_record
from segment.core.model.weight_files import load_novelty
from segment.core.pixels.near_duplicates import digest_pixels
from segment.core.pixels.novelty import NoveltyDetector
from segment.core.pixels.preprocessing import preprocess
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.data.pairs.decoded import fill_up
from segment.mapping.area_tiles import spread_tiles
from segment.mapping.journal import CLASSES, REFERENCE, Journal
from segment.tiling import tile_starts

_SAMPLED = 64  # tiles of a scene, at most
_WARNED = 0.25  # share of unfamiliar tiles beyond which there is a warning


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


def find_unfamiliar(
    model: Path | None, info: ModelInfo, source: Source, area: Area
) -> tuple[float | None, list[str]]:
    """Compares a mapped scene with the training tiles of its model.

    Args:
        model: Model folder, None for a model that was not loaded from one.
        info: Description of the model.
        source: The scene as the network sees it.
        area: Part of the scene that was mapped, on its own grid.

    Returns:
        Share of unfamiliar tiles, None where it is not known, and a warning where it is large.

    Raises:
        InputError: If the scene cannot be opened, or the model folder is damaged.
    """
    detector = None if model is None else load_novelty(model, info)
    if detector is None:
        return None, []
    unfamiliar, seen = unfamiliar_share(detector, source, info, area)
    warning = describe_share(unfamiliar, seen)
    return (round(unfamiliar / seen, 4) if seen else None), [warning] if warning else []


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
