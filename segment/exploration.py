"""Looking at a tile folder before anything is trained on it: one report of what it holds and what to mend."""

from collections.abc import Sequence
from pathlib import Path

from segment.class_tables import find_class_tables
from segment.config import DataSettings
from segment.core.components import Vectors, principal_components
from segment.core.errors import InputError
from segment.core.looks import COMPONENTS, EDGE
from segment.core.output import refuse_existing
from segment.core.palette import Palette
from segment.core.progress import Progress, Silent
from segment.core.raster import open_raster
from segment.core.report import REPORT_FILES, Exploration, write_report_folder
from segment.exploration_page import exploration_page
from segment.findings import find_all
from segment.tile_looks import MaskLooks, look_at_masks, look_at_pairs, palette_of
from segment.tile_view import TileView
from segment.tiles import Pair, find_palette, scan_pairs


def explore(
    tiles: Path | str,
    output: Path | str,
    settings: DataSettings | None = None,
    *,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Exploration:
    """Looks at every image and mask of a tile folder, and writes report.html and report.json to `output`.

    settings: class table, and tile size for the windows shown. Without a class table that fits, what masks hold stands for
    classes. Memory holds some images at a time, and some kilobytes for each.

    Raises InputError when there are no images with masks, none can be read, or `output` exists.
    """
    tiles, output = Path(tiles), Path(output)
    settings, progress = settings or DataSettings(), progress or Silent()
    refuse_existing(output, overwrite, REPORT_FILES)
    pairs, problems = scan_pairs(tiles)
    if not pairs:
        raise InputError(problems[0])
    masks, unreadable = look_at_masks(pairs, progress)
    palette, declared, table_problems = _choose_palette(tiles, pairs, masks, settings)
    usable = [pair for pair in pairs if pair.mask in masks.of_mask]
    with Vectors(EDGE * EDGE * pairs[0].info.bands) as vectors:
        looks = look_at_pairs(usable, palette, settings.tile, vectors, progress, seed)
        components = principal_components(vectors, COMPONENTS) if len(vectors) > 2 else None
    view = TileView(
        tiles,
        settings.tile,
        palette,
        declared,
        find_class_tables(tiles),
        masks,
        looks,
        [*table_problems, *problems, *unreadable, *looks.unreadable],
        _distances(looks.pairs),
        components,
    )
    findings = find_all(view)
    figures = {"findings": [vars(finding) for finding in findings], **view.figures}
    write_report_folder(output, figures, exploration_page(view, findings), overwrite)
    return Exploration(findings, figures)


def _choose_palette(tiles: Path, pairs: list[Pair], masks: MaskLooks, settings: DataSettings) -> tuple[Palette, bool, list[str]]:
    """The class table, whether one is declared that names anything that the masks hold, and why some cannot be used."""
    try:
        declared = Palette(settings.classes) if settings.classes else find_palette(tiles, pairs)
    except InputError as error:
        if settings.classes:
            raise
        return palette_of(masks), False, [str(error)]
    if declared is None:
        return palette_of(masks), False, []
    known = {c.color for c in declared.classes} | {str(c.value) for c in declared.classes}
    return (declared, True, []) if known & masks.held.keys() else (palette_of(masks), False, [])


def _distances(pairs: Sequence[Pair]) -> list[float]:
    found = []
    for pair in pairs:
        with open_raster(pair.image) as raster:
            if raster.ground_sampling_distance:
                found.append(raster.ground_sampling_distance)
    return found
