"""Exploration of a tile folder before training: a report of what it holds and what to fix."""

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
from segment.core.model.folder import load_model_info
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import load_model
from segment.core.outputs import refuse_existing
from segment.core.pixels.components import Vectors
from segment.core.pixels.preprocessing import preprocess
from segment.core.progress import Progress, Silent
from segment.core.raster.classes import ClassTable
from segment.core.raster.info import RasterInfo
from segment.core.raster.opening import open_raster
from segment.core.raster.sources import Source
from segment.core.reports.page import REPORT_FILES, Exploration, write_report_folder
from segment.data.collections import open_collections
from segment.data.mask_census import MaskCensus, take_census
from segment.data.mask_reading import MaskReading, choose_reading, find_class_table
from segment.data.patches import fill_up
from segment.data.tiles import Pair, part_folders, scan_pairs
from segment.exploration.checks import find_all
from segment.exploration.class_tables import as_class_table, find_class_tables
from segment.exploration.image_statistics import class_table_of, gather_statistics
from segment.exploration.page import exploration_page
from segment.exploration.summary import TileSummary
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
    """Reads every image and mask of a tile folder, and reports what they hold.

    It writes report.html and report.json to `output`. A few images are in memory at a time, plus
    some kilobytes for every image.

    Args:
        tiles: The tile folder.
        output: Folder to write.
        settings: Class table, and tile size for the windows shown. Without a class table that fits,
            the values that masks hold are taken for classes.
        model: Segmentation model whose features of the middle of each image are compared too, if
            images have its bands and dtype; None for none.
        overwrite: Whether an earlier output may be replaced.
        seed: Seed of the pixels that are drawn.
        progress: Receives messages and the state of the exploration.

    Returns:
        The findings, and the figures of report.json.

    Raises:
        InputError: If there are no images with masks, none can be read, `model` does not make maps,
            or `output` exists and `overwrite` is not set.
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
    class_table, reading, table_problems = _choose_palette(tiles, pairs, masks, settings)
    masks = masks.read_with(class_table)
    for note in [*part_folders(tiles, pairs), *(reading.notes if reading else [])]:
        progress.say(f"note: {note}")
    usable = [pair for pair in pairs if pair.mask in masks.of_mask]
    with Vectors(EDGE * EDGE * pairs[0].info.bands) as vectors:
        looks = gather_statistics(usable, class_table, settings.tile, vectors, progress, seed)
        components = leading_components(vectors)
    features = None
    if network is not None:
        sources = [Source(pair.image, alpha=pair.info.alpha) for pair in looks.pairs]
        tile = choose_tile(
            network.info,
            longest=max(max(pair.info.width, pair.info.height) for pair in looks.pairs),
        )
        read = partial(_read_middle, info=network.info, tile=tile)
        features = feature_components(network, sources, read, progress)
    colors = {c.color for c in class_table.table}
    view = TileSummary(
        tiles,
        settings.tile,
        class_table,
        reading is not None and reading.class_table is class_table,
        [
            as_class_table(class_table, t.file) if t.values and t.colors.keys() == colors else t
            for t in find_class_tables(tiles)
        ],
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
    """Explores each of the collections that the settings list.

    The report of each is written to `output`/NAME.

    Args:
        output: Folder for a folder of each collection.
        settings: Settings with `collections`; the classes of each are sets of the model's.
        model: See `explore`.
        overwrite: See `explore`.
        progress: See `explore`.

    Returns:
        What was found, by name of the collection.

    Raises:
        InputError: If collections do not fit together (see `open_collections`), and as `explore`
            does for each of them.
    """
    progress = progress or Silent()
    found = {}
    collections = open_collections(settings, seed=0)
    for one in collections:
        refuse_existing(Path(output, one.name), overwrite, REPORT_FILES)
    for one in collections:
        own = settings.model_copy(
            update={"collections": None, "classes": list(one.class_table.table)}
        )
        progress.say(f"{one.name}: {one.folder}")
        found[one.name] = explore(
            one.folder,
            Path(output, one.name),
            own,
            model=model,
            overwrite=overwrite,
            progress=progress,
        )
    return found


def _choose_palette(
    tiles: Path, pairs: list[Pair], masks: MaskCensus, settings: DataSettings
) -> tuple[ClassTable, MaskReading | None, list[str]]:
    """Returns the class table, how a declared one is read, and why some cannot be used.

    The declared table is used if it names anything that the masks hold.
    """
    try:
        declared = (
            ClassTable(settings.classes) if settings.classes else find_class_table(tiles, pairs)
        )
    except InputError as error:
        if settings.classes:
            raise
        return class_table_of(masks), None, [str(error)]
    if declared is None:
        return class_table_of(masks), None, []
    reading = choose_reading(declared, masks)
    known = {k for k, c in reading.class_table.mask_colors().items() if not c.ignore}
    known |= {str(c.value) for c in reading.class_table.classes}
    return (
        (
            reading.class_table
            if known & masks.read_with(reading.class_table).held.keys()
            else class_table_of(masks)
        ),
        reading,
        [],
    )


def _unlike_the_model(images: RasterInfo, info: ModelInfo) -> str | None:
    """Returns why a model cannot see the images; None where it can."""
    if (images.bands, images.dtype) == (info.bands, info.dtype):
        return None
    return (
        f"the model reads {info.bands} bands of {info.dtype}, and the images have {images.bands} of"
        f" {images.dtype}."
    )


def _read_middle(source: Source, info: ModelInfo, tile: int) -> NDArray[Any]:
    """Returns the middle (tile, tile, bands) of an image as the model takes it.

    An image smaller than a tile is padded by reflection.
    """
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
