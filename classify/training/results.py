"""Results of a training: the calibrated best model, its scores and its report."""

from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np
from numpy.typing import NDArray

from classify.config import Config
from classify.data.dataset import ImageDataset, one_hot
from classify.data.training_data import TrainingData
from classify.labelling.doubt import Doubt
from classify.labelling.inference import label_info, predict_dataset, tempered
from classify.thresholds import choose_thresholds
from classify.training.report import add_scores, panels
from classify.training.scoring import (
    Evaluation,
    recognise,
    score_images,
    score_labels,
    views_of,
    with_doubt,
)
from classify.training.unsure import choose_doubt
from segment.core.model.calibration import apply_temperature, fit_temperature
from segment.core.model.folder import NOVELTY_FILE, load_keras_model
from segment.core.model.info import ModelInfo
from segment.core.model.record import TrainingRecord, load_record
from segment.core.progress import Progress
from segment.core.reports.page import Report
from segment.core.splits import PARTS, Part
from segment.core.training.finished_run import Results, Run
from segment.core.training.history import Row
from segment.core.training.session import Session

_MOST_CLASSES = 255  # of which maps need a value for nodata and one for unsure


def monitored_score(data: TrainingData) -> str:
    """Returns the name of the score by which the best epoch is chosen.

    Args:
        data: Training data.

    Returns:
        A key of report.json.
    """
    return "mean_average_precision" if data.multi_label else "accuracy"


def finish_training(
    history: list[Row],
    plain: Mapping[Part, ImageDataset],
    data: TrainingData,
    info: ModelInfo,
    baseline: keras.Model | None,
    session: Session[Config],
) -> Run[Evaluation]:
    """Calibrates the best model on validation, scores it and writes the reports.

    Args:
        history: One row per epoch.
        plain: Images by part, not augmented and in order.
        data: Training data.
        info: Description of the model.
        baseline: Classical model that is scored for comparison; None for none.
        session: Run folder and settings.

    Returns:
        The finished run.
    """
    best, found = load_keras_model(session.folder), data.survey
    scored = {part: plain[part] for part in PARTS[1:] if part in plain}
    answers = {
        part: predict_dataset(best.predict_on_batch, dataset, session.progress)
        for part, dataset in scored.items()
    }
    info, error = _calibrate(answers["val"], scored["val"], info)
    info, doubt = _doubt(answers["val"], plain, info, session)
    results = {
        part: score_images(scored[part].images, tempered(p, info), info, views_of(info))
        for part, p in answers.items()
    }
    if doubt is not None:
        results = {
            part: with_doubt(
                results[part], doubt.unsure(tempered(p, info), doubt.unfamiliar_in(scored[part]))
            )
            for part, p in answers.items()
        }
    record = load_record(session.folder) or TrainingRecord.of([])
    for part, result in results.items():
        familiarity = recognise(
            result.images,
            record,
            lambda path: found.bands.read(path)[0],
            session.progress,
        )
        results[part] = replace(result, familiar=familiarity.report)
        if familiarity.of("train")["pixels"]:
            session.progress.say(f"warning: {part}: {familiarity}")
    compared = {
        part: _score_baseline(baseline, dataset, data, session.progress)
        for part, dataset in scored.items()
        if baseline is not None
    }

    def add(page: Report, heading: str, part: Part) -> None:
        add_scores(page, heading, results[part], scored[part], data.class_table)

    temperature = label_info(info).temperature
    return Results(
        scores=results,
        monitor=f"val_{monitored_score(data)}",
        panels=panels(data.multi_label),
        facts=[
            ("Training images", info.training["images"]["train"]),
            ("Left out as unreadable", len(found.unreadable)),
            ("Images that a later part holds too", len(found.leaks)),
            ("Temperature", temperature),
            ("Calibration error without it", error),
            ("Answers are unsure below", "never" if doubt is None else doubt.threshold),
            *(
                (f"Principal components and a linear classifier, {part}", figure)
                for part, figure in compared.items()
            ),
        ],
        add_scores=add,
        figures={
            "temperature": temperature,
            "calibration_error_before_temperature": error,
            "baseline": compared,
            "unreadable": {str(path): problem for path, problem in found.unreadable.items()},
            "duplicates": [str(leak) for leak in found.leaks],
        },
    ).write(session.folder, best, info, history)


def _doubt(
    answers: NDArray[np.float32],
    plain: Mapping[Part, ImageDataset],
    info: ModelInfo,
    session: Session[Config],
) -> tuple[ModelInfo, Doubt | None]:
    """Chooses when answers are unsure, and keeps it in the run folder."""
    (session.folder / NOVELTY_FILE).unlink(missing_ok=True)
    if label_info(info).multi_label or len(info.classes) >= _MOST_CLASSES:
        return info, None
    val, sure = plain["val"], tempered(answers, info)
    right = score_images(val.images, sure, info).scores.right
    doubt = choose_doubt(plain["train"], val, sure, right, session.progress)
    if doubt is None or doubt.detector is None:
        return info, None
    doubt.detector.save(session.folder)
    labels = label_info(info).model_copy(update={"unsure": doubt.threshold})
    return info.model_copy(update={"labels": labels}), doubt


def _score_baseline(
    baseline: keras.Model, dataset: ImageDataset, data: TrainingData, progress: Progress
) -> float | None:
    """Returns the monitored score of the baseline; None if no image has a label."""
    answers = predict_dataset(baseline.predict_on_batch, dataset, progress)
    found: float | None = score_labels(
        dataset.images, answers, data.class_table.names, data.multi_label
    ).report[monitored_score(data)]
    return found


def _calibrate(
    answers: NDArray[np.float32], dataset: ImageDataset, info: ModelInfo
) -> tuple[ModelInfo, float]:
    """Finds the temperature and the thresholds that suit validation.

    Returns the model with both, and its calibration error before.
    """
    labels, names = label_info(info), info.class_table.names
    before = score_labels(dataset.images, answers, names, labels.multi_label)
    reference = one_hot(dataset.images, len(names))
    temperature = fit_temperature(reference, answers, labels.multi_label)
    thresholds = (
        choose_thresholds(reference, apply_temperature(answers, temperature, labels.multi_label))
        if labels.multi_label
        else []
    )
    found = labels.model_copy(update={"temperature": temperature, "thresholds": thresholds})
    return info.model_copy(update={"labels": found}), before.reliability.error
