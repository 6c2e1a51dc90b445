"""Evaluation of a scene classifier on labelled images."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.data.class_folders import folder_notes
from classify.data.images import Data, collection_name, data_folders
from classify.data.pixels import file_notes, read_pixels
from classify.labelling.doubt import Doubt
from classify.labelling.inference import answer, label_info, predict_dataset
from classify.labelling.predict import joined_notes
from classify.labelling.scene_inputs import scene_bands
from classify.labelling.seen_images import Notes, readable_images, scored_dataset, scored_sources
from classify.training.report import add_scores
from classify.training.scored_images import find_scored
from classify.training.scoring import Evaluation, recognise, score_images, with_doubt
from segment.core.errors import require_options
from segment.core.inputs.named_scenes import scale_notes
from segment.core.model.info import ModelInfo
from segment.core.model.recognised import UNKNOWN
from segment.core.model.record import known_record
from segment.core.model.runtime import Model, folder_of
from segment.core.pixels.scale_choice import ScaleOption
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
    scale: ScaleOption = "auto",
    progress: Progress | None = None,
    **options: Any,
) -> Evaluation:
    """Scores a model on data folders, whose images are read as `predict_images` reads them.

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
        scale: As in `predict_images`.
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
    left_out = [note for folder in folders for note in folder_notes(folder)]
    for note in [*left_out, *found.notes]:
        progress.say(f"note: {note}")
    sources = scored_sources(found.images, info, bands, scale, progress)
    notes: Notes = {}
    images = readable_images(found.images, info, sources, progress, notes)
    for note in [*file_notes(list(sources)), *scale_notes(list(sources.values()))]:
        progress.say(note)
    dataset = scored_dataset(images, info, asked.batch_size, sources, notes)
    _warn_of_training(folders, info, asked.part, progress)
    predict = partial(answer, model, augment=asked.augment)
    answers = predict_dataset(predict, dataset, progress, model.recommended_batches(info.tile)[1])
    for note in joined_notes({note: list(paths) for note, paths in notes.items()}):
        progress.say(note)
    evaluation = score_images(images, answers, info, found.views)
    if label_info(info).unsure is not None:
        doubt = Doubt.of(model)
        unsure = doubt.unsure(answers, doubt.unfamiliar_in(dataset))
        evaluation = with_doubt(evaluation, unsure)
    record, known = known_record(folder_of(model), progress), ""
    if record is not None:
        familiarity = recognise(
            images, record, lambda path: _read_stored(sources[path], info), progress
        )
        evaluation, known = replace(evaluation, familiar=familiarity.report), str(familiarity)
    elif folder_of(model) is not None:
        evaluation = replace(evaluation, familiar=UNKNOWN)

    def add(page: Report, heading: str) -> None:
        add_scores(page, heading, evaluation, dataset, info.class_table)

    names = ", ".join(folder.name for folder in folders)
    asked.write(output, model, names, evaluation, known, add)
    return evaluation


def _read_stored(source: Source, info: ModelInfo) -> NDArray[Any]:
    """Pixels of an image in the bands that the model reads, as its training read them."""
    bands = source.bands or scene_bands(source, label_info(info))
    return read_pixels(replace(source, bands=bands), expected=info.wanted_bands)[0]


def _warn_of_training(
    data: Sequence[Path], info: ModelInfo, part: PartChoice, progress: Progress
) -> None:
    learned_from = info.training.get("data", [])
    if part in ("all", "train") and any(collection_name(folder) in learned_from for folder in data):
        progress.say(
            f"warning: {info.name} was trained on images of such a folder: --part test scores those"
            " it never saw"
        )
