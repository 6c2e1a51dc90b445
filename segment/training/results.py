"""Results of a training: the calibrated best model, its scores and its report."""

from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from segment.config import Config
from segment.core.labels.classes import IGNORED
from segment.core.model.calibration import Reliability, fit_temperature
from segment.core.model.folder import load_keras_model, load_model_info
from segment.core.model.info import ModelInfo
from segment.core.model.record import TrainingRecord, load_record
from segment.core.progress import Progress
from segment.core.reports.page import Report
from segment.core.splits import Part
from segment.core.training.finished_run import Results, Run
from segment.core.training.history import Row
from segment.core.training.session import Session
from segment.data.dataset import TileDataset
from segment.data.pixels import TilePixels
from segment.data.recognition import Recognizer
from segment.data.training_data import TrainingData
from segment.training.models import divide_logits
from segment.training.part_figure import add_division
from segment.training.report import PANELS, add_scores
from segment.training.scoring import Evaluation, score_known

MONITOR = "val_jaccard"
_SAMPLED = 300_000  # most pixels that calibrate, unless there are more batches than that


def finish_training(
    history: list[Row],
    scored: Mapping[Part, TileDataset],
    pixels: TilePixels,
    data: TrainingData,
    info: ModelInfo,
    session: Session[Config],
) -> Run[Evaluation]:
    """Calibrates the best model on validation, scores it and writes the reports.

    Args:
        history: One row per epoch.
        scored: Tiles of validation and test.
        pixels: Reader of their images and masks.
        data: Training data.
        info: Description of the model.
        session: Run folder and settings.

    Returns:
        The finished run.
    """
    best = load_keras_model(session.folder)
    # undoes that of a finished run
    divide_logits(best, 1 / load_model_info(session.folder).training.get("temperature", 1.0))
    temperature, error = _calibrate(best, scored["val"], data, session.progress)
    info = info.model_copy(update={"training": info.training | {"temperature": temperature}})
    results = _score_parts(best, scored, pixels, data, session)

    def add(page: Report, heading: str, part: Part) -> None:
        if part == "val":
            for one in data.collections:
                add_division(page, one.name, one.division, session.config.data.tile)
        tiles, predict = scored[part], best.predict_on_batch
        add_scores(page, heading, results[part], tiles, predict, data.class_table)

    return Results(
        scores=results,
        monitor=MONITOR,
        panels=PANELS,
        facts=[
            ("Training tiles", info.training["tiles"]["train"]),
            ("Temperature", temperature),
            ("Calibration error without it", error),
            *data.facts,
        ],
        add_scores=add,
        figures={
            "temperature": temperature,
            "calibration_error_before_temperature": error,
            "masks": data.masks,
        },
    ).write(session.folder, best, info, history)


def _calibrate(
    network: keras.Model, tiles: TileDataset, data: TrainingData, progress: Progress
) -> tuple[float, float]:
    """Divides the logits of a network by the temperature that suits validation.

    The temperature becomes part of the weights, so that maps from every form of the model, and
    models trained on from it, have it. Returns it, and the calibration error before.
    """
    reference, answers = _sample_answers(network, tiles, progress)
    admitted = data.labels.admitted()[reference]
    temperature = fit_temperature(admitted, answers, multi_label=False)
    right = np.take_along_axis(admitted, answers.argmax(axis=1)[:, None], axis=1)[:, 0] > 0
    divide_logits(network, temperature)
    return temperature, Reliability().add(answers.max(axis=1), right).error


def _score_parts(
    network: keras.Model,
    scored: Mapping[Part, TileDataset],
    pixels: TilePixels,
    data: TrainingData,
    session: Session[Config],
) -> dict[Part, Evaluation]:
    record = load_record(session.folder) or TrainingRecord.of([])
    results = {}
    for part, tiles in scored.items():
        results[part], known = score_known(
            network.predict_on_batch,
            tiles,
            data.class_table.names,
            session.progress,
            Recognizer(record, pixels.load, tiles.tile),
            data.labels_of_collections,
            session.config.scores.boundary_width,
        )
        if results[part].familiar["trained_on"]["pixels"]:
            session.progress.say(f"warning: {part}: {known}")
    return results


def _sample_answers(
    network: keras.Model, tiles: TileDataset, progress: Progress
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draws pixels that are not ignored, the same number from each batch of tiles.

    Returns their reference (n,), and the class probabilities that a network gives them (n,
    classes).
    """
    random = np.random.default_rng(0)
    references, answers = [], []
    for index in range(len(tiles)):
        images, reference = tiles[index]
        places = np.flatnonzero(reference != IGNORED)
        chosen = random.choice(
            places, min(len(places), max(_SAMPLED // len(tiles), 1)), replace=False
        )
        probabilities = network.predict_on_batch(images)
        references.append(reference.ravel()[chosen])
        answers.append(probabilities.reshape(-1, probabilities.shape[-1])[chosen])
        progress.advance("calibrating", index + 1, len(tiles))
    return np.concatenate(references), np.concatenate(answers)
