"""Evaluation of a scene classifier on labelled images."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.data.images import Data, collection_name, data_folders
from classify.data.pixels import orientation_notes, read_pixels
from classify.labelling.doubt import Doubt
from classify.labelling.inference import answer, label_info, predict_dataset
from classify.labelling.scene_inputs import scene_bands
from classify.training.report import add_scores
from classify.training.scored_images import find_scored, readable_images, scored_dataset
from classify.training.scoring import Evaluation, recognise, score_images, with_doubt
from segment.core.errors import require_options
from segment.core.model.info import ModelInfo
from segment.core.model.recognised import UNKNOWN
from segment.core.model.record import known_record
from segment.core.model.runtime import Model, folder_of
from segment.core.progress import Progress, Silent
from segment.core.raster.sources import Source
from segment.core.reports.page import Report
from segment.core.splits import PartChoice
from segment.core.training.evaluation import EvaluationOptions


def evaluate(
    data: Data,
    model: Model | Path | str = BUNDLED,
    output: Path | str | None = None,
    *,
    bands: Sequence[int] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Evaluation:
    """Scores a model on data folders.

    The temperature and the thresholds found in training are applied. The evaluation also reports
    how many pixels of the images the model was trained on. Images that cannot be read are reported
    and left out if the settings of the training allow it.

    Args:
        data: Data folders or CSVs, as for training. Labels are read with the classes of the model
            and its label map. Folders with the names of a collection of the training are scored by
            the labels of that collection.
        model: Model folder, or a loaded model.
        output: Folder for report.json and report.html. By default nothing is written.
        bands: Band numbers from 1 in the order of the model. By default the bands that the model
            reads.
        progress: Where progress, notes and warnings are reported; nowhere by default.
        **options: `part`, `batch_size` (16 by default), `augment`, `runtime` and `overwrite`, see
            `EvaluationOptions`.

    Returns:
        The scores.

    Raises:
        InputError: If the data do not fit the model, an option or `part` is unknown, or `output`
            exists.
    """
    progress, folders = progress or Silent(), data_folders(data)
    require_options(evaluate, options, EvaluationOptions.names())
    asked = EvaluationOptions(progress=progress, **({"batch_size": 16} | options))
    model = asked.open(model, output)
    info = model.info
    found = find_scored(folders, info, asked.part)
    for view in found.views:
        progress.say(f"note: {view.collection}: {view.how}")
    images = readable_images(found.images, info, bands, progress)
    for note in orientation_notes([image.path for image in images]):
        progress.say(note)
    dataset = scored_dataset(images, info, asked.batch_size, bands)
    _warn_of_training(folders, info, asked.part, progress)
    predict = partial(answer, model, augment=asked.augment)
    answers = predict_dataset(predict, dataset, progress, model.recommended_batches(info.tile)[1])
    evaluation = score_images(images, answers, info, found.views)
    if label_info(info).unsure is not None:
        doubt = Doubt.of(model)
        unsure = doubt.unsure(answers, doubt.unfamiliar_in(dataset))
        evaluation = with_doubt(evaluation, unsure)
    record, known = known_record(folder_of(model), progress), ""
    if record is not None:
        familiarity = recognise(
            images, record, lambda path: _read_stored(path, info, bands), progress
        )
        evaluation, known = replace(evaluation, familiar=familiarity.report), str(familiarity)
    elif folder_of(model) is not None:
        evaluation = replace(evaluation, familiar=UNKNOWN)

    def add(page: Report, heading: str) -> None:
        add_scores(page, heading, evaluation, dataset, info.class_table)

    names = ", ".join(folder.name for folder in folders)
    asked.write(output, model, names, evaluation, known, add)
    return evaluation


def _read_stored(path: Path, info: ModelInfo, bands: Sequence[int] | None) -> NDArray[Any]:
    """Pixels of an image in the bands that the model reads, as its training read them."""
    source = Source(path, None if bands is None else tuple(bands))
    bands = source.bands or scene_bands(source, label_info(info))
    return read_pixels(path, bands, scale=info.pixels.scale)[0]


def _warn_of_training(
    data: Sequence[Path], info: ModelInfo, part: PartChoice, progress: Progress
) -> None:
    learned_from = info.training.get("data", [])
    if part in ("all", "train") and any(collection_name(folder) in learned_from for folder in data):
        progress.say(
            f"warning: {info.name} was trained on images of such a folder: --part test scores those"
            " it never saw"
        )
