"""Evaluation of a model on a tile folder."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

from segment.bundled import BUNDLED
from segment.core.choices import Runtime
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.model.recognised import UNKNOWN
from segment.core.model.record import known_record
from segment.core.model.runtime import Model, describe_use, folder_of, load_model
from segment.core.outputs import refuse_existing
from segment.core.progress import Progress, Silent
from segment.core.reports.page import REPORT_FILES, write_report_folder
from segment.core.splits import PartChoice
from segment.data.dataset import TileDataset
from segment.data.mask_census import take_census
from segment.data.mask_reading import MaskReading, choose_reading, find_class_table
from segment.data.patches import grid_patches
from segment.data.pixels import TilePixels
from segment.data.recognition import Recognizer, choose_part
from segment.data.tiles import Pair, find_pairs
from segment.mapping.loop import predict_batch
from segment.scores import Confusion
from segment.training.report import scores_page
from segment.training.scoring import Evaluation, score_known, score_patches

_CACHE_MB = 64  # holds the images of a batch, which are read twice


def evaluate(
    tiles: Path | str,
    model: Model | Path | str = BUNDLED,
    output: Path | str | None = None,
    *,
    part: PartChoice = "all",
    batch_size: int = 8,
    augment: bool = False,
    runtime: Runtime = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Scores a model on a tile folder, each pixel once.

    It also reports how many of these pixels the model was trained on. Masks are read with the
    model's classes, unless a classes.yaml beside them says how.

    Args:
        tiles: The tile folder.
        model: Model folder, or a model that is loaded.
        output: Folder for report.json and report.html; None writes none.
        part: Part of the tiles to score, as folders name it, or as the model's training had it. Of
            these, only "test" is new to the model. Tiles to which neither applies are in no part.
        batch_size: Tiles to predict at a time.
        augment: Whether to average over the eight flips and quarter turns, at eight times the work.
        runtime: What computes, if `model` is a folder.
        overwrite: Whether an earlier output may be replaced.
        progress: Receives messages and the state of the evaluation.

    Returns:
        The scores of all pixels and of each tile.

    Raises:
        InputError: If the tile folder does not fit the model, if no tile is of the part, if no
            pixel can be scored, or if `output` exists and `overwrite` is not set.
    """
    tiles, progress = Path(tiles), progress or Silent()
    if part not in get_args(PartChoice):
        raise InputError(
            f"Parts are {', '.join(get_args(PartChoice))}. Received {part!r}. Choose one of them."
        )
    if output is not None:
        refuse_existing(Path(output), overwrite, REPORT_FILES)
    pairs = find_pairs(tiles)
    model = (
        load_model(model, runtime, progress=progress) if isinstance(model, (str, Path)) else model
    )
    info = model.info
    info.require_task("segment")
    pairs = require_fit(pairs, info)
    if note := pairs[0].info.alpha_note:
        progress.say(f"note: {tiles}: {note}")
    reading, share = read_masks_of(tiles, pairs, info, progress)
    pixels = TilePixels(
        reading.class_table, "ignore", megabytes=_CACHE_MB, names=info.class_table.names
    )
    record = known_record(folder_of(model), progress)
    recognizer = (
        None
        if record is None
        else Recognizer(record, lambda pair: pixels.load(pair).image, info.tile)
    )
    patches = grid_patches(pairs, info.tile)
    if part != "all":
        every = len(patches)
        patches, left_out = choose_part(patches, part, recognizer, tiles)
        if left_out:
            progress.say(
                f"note: {left_out:,} of {every:,} tiles are new to the model and in no part:"
                " left out"
            )
    dataset = TileDataset(patches, pixels, info.tile, batch_size, preprocessing=info.preprocess)
    predict = partial(predict_batch, model, augment=augment)
    known = ""
    if recognizer is None:
        evaluation = score_patches(predict, dataset, info.class_table.names, progress)
        if folder_of(model) is not None:
            evaluation = replace(evaluation, familiar=UNKNOWN)
    else:
        evaluation, known = score_known(
            predict, dataset, info.class_table.names, progress, recognizer
        )
    if known:
        progress.say(f"warning: {known}")
    for value, count in sum(pixels.unknown.values(), Counter[str]()).most_common(5):
        progress.say(f"warning: {count:,} mask pixels hold {value}, which no class has: ignored")
    if share:
        progress.say(
            f"warning: {share:.1%} of the labelled mask pixels are of no class: not scored"
        )
    require_scores(evaluation.confusion, tiles)
    if output is not None:
        page = scores_page(
            f"{describe_use(model, augment)} on {tiles.name}",
            evaluation,
            dataset,
            predict,
            info.class_table,
            known,
        )
        figures = evaluation.report | {"runtime": model.runtime, "augment": augment}
        write_report_folder(Path(output), figures, page, overwrite)
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
    return reading, census.undeclared_share(reading.class_table)


def require_fit(pairs: Sequence[Pair], info: ModelInfo) -> list[Pair]:
    """Returns image and mask pairs as a model reads them.

    Args:
        pairs: Images and masks, all with the same bands and depth.
        info: Description of the model.

    Returns:
        The pairs, fitted to the bands of the model.

    Raises:
        InputError: If the model does not read such images.
    """
    pairs = [replace(pair, info=pair.info.fitted(info.bands)) for pair in pairs]
    first = pairs[0].info
    if (first.bands, first.dtype) != (info.bands, info.dtype):
        raise InputError(
            f"{first.path}: the model reads {info.bands} bands of {info.dtype}. Received"
            f" {first.bands} of {first.dtype}. Export the images so, or use another model."
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
            f"{tiles}: masks must hold classes of the model ({', '.join(confusion.names)})."
            " Received none. Lay the masks' own classes.yaml beside them, with the model's class"
            " names."
        )
