"""Looking at a tile folder before anything is trained on it: one report of what it holds and what to mend."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segment.bundled import BUNDLED
from segment.config import DataSettings
from segment.core.errors import InputError
from segment.core.exploration.features import feature_components
from segment.core.exploration.image_statistics import EDGE, leading_components, settled
from segment.core.model.folder import ModelInfo, load_model_info
from segment.core.model.runtime import load_model
from segment.core.outputs import refuse_existing
from segment.core.pixels.components import Vectors
from segment.core.pixels.preprocessing import preprocess
from segment.core.progress import Progress, Silent
from segment.core.raster.classes import Palette
from segment.core.raster.reader import RasterInfo, open_raster
from segment.core.raster.sources import Source
from segment.core.reports.page import REPORT_FILES, Exploration, write_report_folder
from segment.data.collections import open_collections
from segment.data.mask_census import MaskCensus, take_census
from segment.data.mask_reading import MaskReading, choose_reading
from segment.data.tiles import Pair, fill_up, find_palette, part_folders, scan_pairs
from segment.exploration.checks import find_all
from segment.exploration.class_tables import as_class_table, find_class_tables
from segment.exploration.image_statistics import look_at_pairs, palette_of
from segment.exploration.page import exploration_page
from segment.exploration.summary import TileView
from segment.mapping.model_view import choose_tile


def explore(
    tiles: Path | str,
    output: Path | str,
    settings: DataSettings | None = None,
    *,
    model: Path | str | None = BUNDLED,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Exploration:
    """Looks at every image and mask of a tile folder, and writes report.html and report.json to `output`.

    settings: class table, and tile size for the windows shown. Without a class table that fits, what masks hold stands for
    classes. model: a segmentation model whose features of the images' middles place these, too, where they have its bands
    and pixels; None for none. Memory holds some images at a time, and some kilobytes for each.

    Raises InputError when there are no images with masks, none can be read, `model` maps nothing, or `output` exists.
    """
    tiles, output = Path(tiles), Path(output)
    settings, progress = settings or DataSettings(), progress or Silent()
    refuse_existing(output, overwrite, REPORT_FILES)
    info = None if model is None else load_model_info(Path(model))
    if info is not None:
        info.require_task("segment")
    pairs, problems = scan_pairs(tiles)
    if not pairs:
        raise InputError(problems[0])
    odd = None if info is None else _unlike_the_model(pairs[0].info, info)
    network = None if model is None or odd else load_model(model, features=True, progress=progress)
    masks, unreadable = take_census(pairs, progress, shares=True)
    if not masks.of_mask:
        raise InputError(unreadable[0])
    palette, reading, table_problems = _choose_palette(tiles, pairs, masks, settings)
    masks = masks.read_with(palette)
    for note in [*part_folders(tiles, pairs), *(reading.notes if reading else [])]:
        progress.say(f"note: {note}")
    usable = [pair for pair in pairs if pair.mask in masks.of_mask]
    with Vectors(EDGE * EDGE * pairs[0].info.bands) as vectors:
        looks = look_at_pairs(usable, palette, settings.tile, vectors, progress, seed)
        components = leading_components(vectors)
    features = None
    if network is not None:
        sources = [Source(pair.image, alpha=pair.info.alpha) for pair in looks.pairs]
        tile = choose_tile(network.info, longest=max(max(pair.info.width, pair.info.height) for pair in looks.pairs))
        read = partial(_read_middle, info=network.info, tile=tile)
        features = feature_components(network, sources, read, progress)
    colors = {c.color for c in palette.table}
    view = TileView(
        tiles,
        settings.tile,
        palette,
        reading is not None and reading.palette is palette,
        [as_class_table(palette, t.file) if t.values and t.colors.keys() == colors else t for t in find_class_tables(tiles)],
        masks,
        looks,
        [*table_problems, *problems, *unreadable, *looks.unreadable],
        _distances(looks.pairs),
        components,
        features,
        odd,
        reading,
        settings.max_undeclared,
    )
    findings = find_all(view)
    figures = {"findings": [vars(finding) for finding in findings], **view.figures}
    write_report_folder(output, figures, exploration_page(view, findings), overwrite)
    return Exploration(findings, figures)


def explore_collections(
    output: Path | str,
    settings: DataSettings,
    *,
    model: Path | str | None = BUNDLED,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Exploration]:
    """Looks at each of the collections that the settings list, and writes its report to `output`/NAME.

    Args:
        output: folder for a folder of each collection.
        settings: with `collections`; the classes of each are sets of the model's.
        model, overwrite, progress: see `explore`.

    Returns:
        What was found, by the names of the collections.

    Raises:
        InputError: when collections do not fit together (see `open_collections`), and as `explore`
            does for each of them.
    """
    progress = progress or Silent()
    found = {}
    collections = open_collections(settings, seed=0)
    for one in collections:
        refuse_existing(Path(output, one.name), overwrite, REPORT_FILES)
    for one in collections:
        own = settings.model_copy(update={"collections": None, "classes": list(one.palette.table)})
        progress.say(f"{one.name}: {one.folder}")
        found[one.name] = explore(one.folder, Path(output, one.name), own, model=model, overwrite=overwrite, progress=progress)
    return found


def _choose_palette(
    tiles: Path, pairs: list[Pair], masks: MaskCensus, settings: DataSettings
) -> tuple[Palette, MaskReading | None, list[str]]:
    """The class table, how a declared one is read (it is the former if it names anything that the masks hold), and why some
    cannot be used.
    """
    try:
        declared = Palette(settings.classes) if settings.classes else find_palette(tiles, pairs)
    except InputError as error:
        if settings.classes:
            raise
        return palette_of(masks), None, [str(error)]
    if declared is None:
        return palette_of(masks), None, []
    reading = choose_reading(declared, masks)
    known = {k for k, c in reading.palette.mask_colors().items() if not c.ignore}
    known |= {str(c.value) for c in reading.palette.classes}
    return (reading.palette if known & masks.read_with(reading.palette).held.keys() else palette_of(masks)), reading, []


def _unlike_the_model(images: RasterInfo, info: ModelInfo) -> str | None:
    """Why a model cannot see the images; None where it can."""
    if (images.bands, images.dtype) == (info.bands, info.dtype):
        return None
    return f"the model reads {info.bands} bands of {info.dtype}, and the images have {images.bands} of {images.dtype}."


def _read_middle(source: Source, info: ModelInfo, tile: int) -> NDArray[Any]:
    """The middle (tile, tile, bands) of an image, as the model takes it; a smaller one is continued by reflection."""
    with source.open() as raster:
        top, left = (max(edge - tile, 0) // 2 for edge in (raster.height, raster.width))
        pixels, valid = raster.read(top, left, min(tile, raster.height), min(tile, raster.width))
    return preprocess(fill_up(settled(pixels), tile), info.preprocess, fill_up(valid, tile))


def _distances(pairs: Sequence[Pair]) -> list[float]:
    found = []
    for pair in pairs:
        with open_raster(pair.image, alpha=pair.info.alpha) as raster:
            if raster.ground_sampling_distance:
                found.append(raster.ground_sampling_distance)
    return found
