"""Unfamiliar tiles of scenes: those that differ from all training tiles."""

from contextlib import suppress
from pathlib import Path

from segment.annotations.areas import Area
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.model.weight_files import load_novelty as load_novelty
from segment.core.pixels.novelty import NoveltyDetector as NoveltyDetector
from segment.core.pixels.preprocessing import preprocess
from segment.core.raster.sources import Source
from segment.data.pairs.decoded import fill_up
from segment.mapping.area_tiles import spread_tiles

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
