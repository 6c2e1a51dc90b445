"""Exploration of a tile folder before training: a report of what it holds and what to fix."""

from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segment.collection_settings import Collection
from segment.config import DataSettings
from segment.core.exploration.features import differing_pixels, feature_components
from segment.core.exploration.image_statistics import without_extremes
from segment.core.exploration.report import Exploration, report_exploration
from segment.core.exploration.summary import ExploredImage, name_bands
from segment.core.model.folder import load_model_info
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import load_model
from segment.core.outputs import refuse_existing
from segment.core.pixels.preprocessing import preprocess
from segment.core.progress import Progress, Silent
from segment.core.reports.page import REPORT_FILES
from segment.data.collections import Labelled, open_collections
from segment.data.pairs.decoded import fill_up
from segment.exploration.checks import CHECKS
from segment.exploration.class_tables import DeclaredTable, choose_class_table, find_class_tables
from segment.exploration.image_statistics import gather_statistics
from segment.exploration.material import find_material
from segment.exploration.page import page_content
from segment.exploration.summary import TileSummary
from segment.label_settings import SceneSettings
from segment.mapping.model_view import choose_tile


def explore(
    tiles: Path | str,
    output: Path | str,
    settings: DataSettings | None = None,
    *,
    model: Path | str | None = None,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Exploration:
    """Reads every image and mask of a tile folder or scene, and reports what they hold.

    It writes report.html and report.json to `output`. A few images are in memory at a time, plus
    some kilobytes for every image.

    Args:
        tiles: The tile folder; a scene, or several, where the settings name their labels.
        output: Folder to write.
        settings: Class table, tile size, split, and labels of scenes, of which each labelled window
            is an image. Without a class table that fits, the values that masks of tiles hold are
            taken for classes.
        model: Segmentation model whose features of the middle of each image are compared in place
            of its pixels, if images have its bands and dtype.
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
    seed_of_split = settings.split_seed or 0
    material = find_material(tiles, settings, seed_of_split, progress)
    for note in material.notes:
        progress.say(note)
    bands, dtype = material.pairs[0].info.bands, material.pairs[0].info.dtype
    reason = None if info is None else differing_pixels(bands, dtype, info)
    network = None
    if model is not None and not reason:
        network = load_model(model, features=True, progress=progress)
    found = gather_statistics(material, progress, seed)
    class_table, reading, table_problems = choose_class_table(material, found, settings)
    masks = found.masks.read_with(class_table)
    for note in reading.notes if reading else []:
        progress.say(f"note: {note}")
    features = None
    if network is not None:
        longest = max(max(image.width, image.height) for image in found.images)
        tile = choose_tile(network.info, longest=longest)
        read = partial(_read_middle, info=network.info, tile=tile)
        features = feature_components(network, found.images, read, progress)
    colors = {c.color for c in class_table.table}
    indices, of_masks = found.of_classes(class_table)
    summary = TileSummary(
        images=found.images,
        bands=bands,
        dtype=dtype,
        band_names=name_bands(bands, dtype),
        class_table=class_table,
        class_counts=indices[:, : len(class_table)].sum(axis=0),
        problems=[*table_problems, *material.problems, *found.problems],
        pixels=found.pixels,
        features=features,
        without_features=reason,
        root=tiles,
        settings=settings,
        masks=masks,
        reading=reading,
        tables=[
            DeclaredTable.of(class_table, t.file) if t.values and t.colors.keys() == colors else t
            for t in find_class_tables(tiles)
        ],
        material=material,
        statistics=found,
        indices=indices,
        of_masks=of_masks,
    )
    return report_exploration(output, summary, CHECKS, page_content(summary), overwrite)


def explore_collections(
    output: Path | str,
    settings: DataSettings,
    *,
    model: Path | str | None = None,
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
    opened = open_collections(settings, settings.split_seed or 0, progress)
    for one in opened:
        refuse_existing(Path(output, one.name), overwrite, REPORT_FILES)
    for one, given in zip(opened, settings.collections or [], strict=True):
        progress.say(f"{one.name}: {one.folder}")
        found[one.name] = explore(
            one.folder,
            Path(output, one.name),
            _settings_of(given, settings, one),
            model=model,
            overwrite=overwrite,
            progress=progress,
        )
    return found


def _settings_of(given: Collection, common: DataSettings, opened: Labelled) -> DataSettings:
    """Settings with which a collection is explored by itself, and divided as in training."""
    shared = {key: getattr(given, key) for key in SceneSettings.model_fields}
    fraction = common.val_fraction if given.val_fraction is None else given.val_fraction
    own = {
        "collections": None,
        "classes": list(opened.class_table.table),
        "split": given.split or common.split,
        "val_fraction": fraction if given.weight else 0.0,  # all of weight 0 is test
        "val_groups": given.val_groups,
        "test_groups": given.test_groups,
    }
    return common.model_copy(update=shared | own)


def _read_middle(image: ExploredImage, info: ModelInfo, tile: int) -> NDArray[Any]:
    """Returns the middle (tile, tile, bands) of an image as the model takes it.

    An image smaller than a tile is padded by reflection.
    """
    top, left = image.window[:2] if image.window else (0, 0)
    row, column = (max(edge - tile, 0) // 2 for edge in (image.height, image.width))
    size = min(tile, image.height), min(tile, image.width)
    with image.source.open() as raster:
        pixels, valid = raster.read(top + row, left + column, *size)
    pixels = fill_up(without_extremes(pixels), tile)
    return preprocess(pixels, info.preprocess, fill_up(valid, tile))
