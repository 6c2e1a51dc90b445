"""Evaluation of a model on a tile folder."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from segment.boundaries import check_boundary_width
from segment.bundled import BUNDLED
from segment.core.choices import BOUNDARY_WIDTH
from segment.core.errors import InputError, counted, require_options
from segment.core.inputs.scene_scales import MOST_SCENES, SceneScales
from segment.core.model.info import ModelInfo
from segment.core.model.recognised import UNKNOWN
from segment.core.model.record import known_record
from segment.core.model.runtime import Model, folder_of
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.progress import Progress, Silent
from segment.core.reports.page import Report
from segment.core.training.evaluation import EvaluationOptions
from segment.data.dataset import TileDataset
from segment.data.masks.census import take_census
from segment.data.masks.contents import MaskContents
from segment.data.masks.reading import MaskReading, choose_reading, find_class_table
from segment.data.pairs.pair import Pair
from segment.data.patches import grid_patches
from segment.data.pixels import TilePixels
from segment.data.recognition import Recognizer, choose_part
from segment.data.survey import band_order_notes, learned_bands
from segment.data.tiles import find_pairs
from segment.mapping.loop import predict_batch
from segment.scores import Confusion
from segment.training.report import add_scores
from segment.training.scoring import Evaluation, score_known

_CACHE_MB = 64  # holds the images of a batch, which are read twice


def evaluate(
    tiles: Path | str,
    model: Model | Path | str = BUNDLED,
    output: Path | str | None = None,
    *,
    scale: ScaleOption = "auto",
    boundary_width: int = BOUNDARY_WIDTH,
    progress: Progress | None = None,
    **options: Any,
) -> Evaluation:
    """Scores a model on a tile folder, each pixel once.

    It also reports how many of these pixels the model was trained on. Masks are read with the
    model's classes, unless a classes.yaml beside them says how.

    Args:
        tiles: The tile folder.
        model: Model folder, or a model that is loaded.
        output: Folder for report.json and report.html; None writes none.
        scale: How pixels are brought to the 8 bits of a model, as `predict_scene` does it: one
            scale for all tiles.
        boundary_width: Width in pixels of the boundaries that are scored, see `Boundaries`.
        progress: Where progress, notes and warnings are reported; nowhere by default.
        **options: `part`, `batch_size`, `augment`, `runtime` and `overwrite`, see
            `EvaluationOptions`. Tiles to which neither folders nor the training give a part are
            in none.

    Returns:
        The scores of all pixels and of each tile.

    Raises:
        InputError: If an option is unknown, if the tile folder does not fit the model, if no tile
            is of the part, if no pixel can be scored, or if `output` exists and `overwrite` is not
            set.
    """
    progress, tiles = progress or Silent(), Path(tiles)
    require_options(evaluate, options, EvaluationOptions.names())
    asked = EvaluationOptions(progress=progress, **options)
    check_boundary_width(boundary_width)
    if tiles.is_file():
        raise InputError(
            f"{tiles}: a file, not a tile folder. To score a map of a whole scene:"
            " segment-predict SCENE --truth MASK, or --truth POLYGONS --truth-field NAME"
        )
    model = asked.open(model, output)
    pairs = find_pairs(tiles)
    info = model.info
    info.require_task("segment")
    pairs = require_fit(pairs, info, scale, progress)
    if note := pairs[0].info.alpha_note:
        progress.say(f"note: {tiles}: {note}")
    for line in band_order_notes(pairs, learned_bands(info)):
        progress.say(f"warning: {line}")
    reading, share = read_masks_of(tiles, pairs, info, progress)
    pixels = TilePixels(
        reading.class_table, "ignore", megabytes=_CACHE_MB, names=info.class_table.names
    )
    record, recognizer = known_record(folder_of(model), progress), None
    if record is not None:
        recognizer = Recognizer(record, pixels.load, info.tile)
    patches = grid_patches(pairs, info.tile)
    if asked.part != "all":
        every = len(patches)
        patches, left_out = choose_part(patches, asked.part, recognizer, tiles)
        if left_out:
            progress.say(
                f"note: {left_out:,} of {every:,} tiles are new to the model and in no part:"
                " left out"
            )
    dataset = TileDataset(
        patches, pixels, info.tile, asked.batch_size, preprocessing=info.preprocess
    )
    predict = partial(predict_batch, model, augment=asked.augment)
    evaluation, known = score_known(
        predict,
        dataset,
        info.class_table.names,
        progress,
        recognizer,
        boundary_width=boundary_width,
    )
    if recognizer is None and folder_of(model) is not None:
        evaluation = replace(evaluation, familiar=UNKNOWN)
    for value, count in sum(pixels.unknown.values(), Counter[str]()).most_common(5):
        progress.say(f"warning: {count:,} mask pixels hold {value}, which no class has: ignored")
    if share:
        progress.say(
            f"warning: {share:.1%} of the labelled mask pixels are of no class: not scored"
        )
    require_scores(evaluation.confusion, tiles)

    def add(page: Report, heading: str) -> None:
        add_scores(page, heading, evaluation, dataset, predict, info.class_table)

    asked.write(output, model, tiles.name, evaluation, known, add)
    return evaluation


def read_masks_of(
    tiles: Path, pairs: Sequence[Pair], info: ModelInfo, progress: Progress
) -> tuple[MaskReading, float]:
    """Decides how the masks of a tile folder are read, and prints what it assumes.

    They are read by their own class table, or otherwise by that of the model.

    Args:
        tiles: The tile folder.
        pairs: Its images and masks.
        info: Description of the model.
        progress: Receives messages and the number of masks read.

    Returns:
        The reading, and the share of the labelled pixels that its class table does not name.

    Raises:
        InputError: If a mask cannot be read, or if masks cannot be read correctly because of what
            they hold.
    """
    own = find_class_table(tiles, pairs)
    census, problems = take_census(pairs, progress)
    if problems:
        raise InputError(problems[0])
    reading = choose_reading(own or info.class_table, census, of_model=own is None)
    for line in reading.lines:
        progress.say(line)
    for refusal in reading.refusals:
        raise InputError(f"{tiles}: {refusal}")
    contents = MaskContents(reading.class_table, census.read_with(reading.class_table))
    for line in contents.unscored(info.class_table.names):
        progress.say(f"warning: {line}")
    return reading, census.undeclared_share(reading.class_table)


def require_fit(
    pairs: Sequence[Pair],
    info: ModelInfo,
    option: ScaleOption = "auto",
    progress: Progress | None = None,
) -> list[Pair]:
    """Returns image and mask pairs as a model reads them.

    Args:
        pairs: Images and masks, all with the same bands and depth.
        info: Description of the model.
        option: How pixels are brought to 8 bits, see `SceneScales`.
        progress: Receives a note on the scale; without it, the one of the training is taken.

    Returns:
        The pairs, fitted to the bands of the model, and scaled as those of its training, or all
        alike.

    Raises:
        InputError: If the model does not read such images, or the scale does not suit it.
    """
    pairs = [replace(p, info=p.info.fitted(info.bands)) for p in pairs]
    scale = info.pixels.scale
    if progress is not None and (option != "auto" or pairs[0].info.dtype != info.dtype):
        some = pairs[:: -(-len(pairs) // MOST_SCENES)]
        scales = SceneScales.of(option, info.pixels)
        scale = scales.scaled([pair.source for pair in some], progress)[0].scale
    pairs = [replace(p, info=p.info.scaled(scale)) for p in pairs]
    if progress is not None and scale is not None:
        progress.say(f"note: {scale.note}")
    first = pairs[0].info
    if (first.bands, first.dtype) != (info.bands, info.dtype):
        raise InputError(
            f"{first.path}: {counted(first.bands, 'band')} of {first.dtype}, but the model reads"
            f" {counted(info.bands, 'band')} of {info.dtype}. Export the images so, or use another"
            " model."
        )
    return pairs


def require_scores(confusion: Confusion, tiles: Path) -> None:
    """Checks that some pixel of a tile folder was scored.

    Args:
        confusion: The scores.
        tiles: The tile folder, for the message.

    Raises:
        InputError: If no pixel was scored.
    """
    if not confusion.matrix.any():
        raise InputError(
            f"{tiles}: masks hold no class of the model ({', '.join(confusion.names)}). Put their"
            " own classes.yaml beside them, with the model's class names."
        )
