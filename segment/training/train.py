"""Training: a tile folder and settings become a run folder."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from segment.bundled import BUNDLED
from segment.config import Config
from segment.core.config import describe_settings
from segment.core.model.calibration import Reliability, fit_temperature
from segment.core.model.folder import load_keras_model, load_model_info
from segment.core.model.info import ModelInfo
from segment.core.model.record import TrainingRecord, inherit, keep_record, load_record
from segment.core.pixels.augment import value_range
from segment.core.progress import Progress, Silent
from segment.core.reports.page import Report
from segment.core.splits import PARTS, Part
from segment.core.training.devices import OneDevice
from segment.core.training.history import Row
from segment.core.training.loop import describe_network, fit
from segment.core.training.optimizers import dtype_policy, keep_float32, wanted_precision
from segment.core.training.placement import take_devices
from segment.core.training.run_folder import Run, check_run, finish_run, keep_best, run_folder
from segment.data.augment import augmentation
from segment.data.collections import check_data
from segment.data.dataset import Drawing, TileDataset
from segment.data.pixels import TilePixels
from segment.data.recognition import Recognizer
from segment.data.training_data import TrainingData
from segment.mapping.novelty import NoveltyDetector
from segment.training.losses import build_loss
from segment.training.models import (
    Built,
    build_model,
    check_model,
    divide_logits,
    has_fixed_tile,
    tile_multiple,
)
from segment.training.report import PANELS, add_scores
from segment.training.scoring import Evaluation, sample_answers, score_known, score_patches

MONITOR = "val_jaccard"
_FEWEST_TRAINING, _FEWEST_VALIDATION = 50, 20  # tiles from which unfamiliar scenes are recognised
_COMPARED = 2048  # training tiles, and validation tiles, by which unfamiliar scenes are recognised


def train(
    tiles: Path | str | None,
    output: Path | str,
    config: Config | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run[Evaluation]:
    """Trains a model on a tile folder and writes a run folder.

    Args:
        tiles: The tile folder; None where `data.collections` of the settings lists several.
        output: Run folder to write.
        config: Settings; None for the defaults.
        resume: Whether to continue the run in `output` from its last finished epoch.
        overwrite: Whether an earlier output may be replaced.
        progress: Receives messages and the state of the training.

    Returns:
        The finished run: its history, and the scores on validation and test.

    Raises:
        InputError: For a fault of the data or the settings, before anything is written.
        Interrupted: On Ctrl-C, with a message on how to continue.
    """
    output, progress, config = Path(output), progress or Silent(), config or Config()
    tiles = None if tiles is None else Path(tiles)
    check_data(tiles, config.data)
    check_run(output, config, resume=resume, overwrite=overwrite)
    check_model(config.model, config.data.tile)
    devices = take_devices(config.training)
    keras.utils.set_random_seed(config.training.seed)
    data = TrainingData.prepare(tiles, config, progress)
    # refuses changes that do not suit these images
    augmentation(config.augment, data.survey.statistics, seed=0)
    with dtype_policy(wanted_precision(config.training)):
        built = _build(config, data, pretrained=not resume)
    progress.say(describe_network(built.network))
    if built.loaded:
        progress.say(f"starts from {built.loaded}")
    weights = (
        config.model.encoder_weights if config.model.weights == "none" else config.model.weights
    )
    inherited = inherit(weights, BUNDLED, progress)
    with run_folder(output, config, resume, overwrite):
        keep_record(output, data.survey.record.join(*inherited), resume)
        return _train(built.network, data, config, output, devices, resume, progress)


def _build(config: Config, data: TrainingData, pretrained: bool) -> Built:
    statistics, classes = data.survey.statistics, len(data.class_table)
    return build_model(
        config.model,
        classes,
        statistics,
        config.data.normalise,
        config.data.tile,
        pretrained=pretrained,
    )


def _train(
    network: keras.Model,
    data: TrainingData,
    config: Config,
    output: Path,
    devices: OneDevice,
    resume: bool,
    progress: Progress,
) -> Run[Evaluation]:
    pixels = TilePixels(
        data.class_table, config.data.undeclared, config.data.cache_mb, tables=data.tables
    )
    size, batch, preprocessing = (
        config.data.tile,
        config.training.batch_size,
        config.data.preprocess,
    )
    random_crops = config.data.crops == "random"
    # crops drawn at their scale need no reflected borders
    zoom = config.augment.scale if random_crops else 0.0
    changes = config.augment.model_copy(update={"scale": config.augment.scale - zoom})
    augment = partial(augmentation, changes, data.survey.statistics)
    training = TileDataset(
        data.parts["train"],
        pixels,
        size,
        batch,
        preprocessing=preprocessing,
        drawing=Drawing(
            augment=augment,
            random_crops=random_crops,
            zoom=zoom,
            pixel_sizes=data.pixel_sizes(config.augment.pixel_size) if random_crops else {},
            weights=(
                {one.name: one.weight for one in data.collections}
                if config.data.collections
                else {}
            ),
            tiles=config.data.epoch_tiles,
            seed=config.training.seed,
        ),
        workers=config.training.workers,
    )
    scored = {
        part: TileDataset(data.parts[part], pixels, size, batch, preprocessing=preprocessing)
        for part in PARTS[1:]
        if data.parts[part]
    }
    loss = build_loss(config.loss, data.class_weights, data.labels)
    info = _describe(data, config)

    def validate() -> Row:
        losses: list[float] = []

        def add_loss(truth: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> None:
            losses.append(
                float(
                    loss(
                        keras.ops.convert_to_tensor(truth),
                        keras.ops.convert_to_tensor(probabilities),
                    )
                )
            )

        found = score_patches(
            network.predict_on_batch,
            scored["val"],
            data.class_table.names,
            progress,
            add_loss,
            data.labels_of_collections,
        )
        return {
            "val_loss": float(np.mean(losses)),
            MONITOR: found.mean_jaccard,
            "val_accuracy": found.accuracy,
        }

    kept = keep_float32(
        network, config.training, lambda: _build(config, data, pretrained=False).network
    )
    history = fit(
        network,
        training,
        loss=loss,
        validate=validate,
        monitor=MONITOR,
        save_best=keep_best(output, info, kept),
        settings=config.training,
        folder=output,
        progress=progress,
        data=data.fingerprint,
        devices=devices,
        resume=resume,
    )
    if detector := fit_novelty_detector(training, scored["val"], progress):
        detector.save(output)
    return _finish(output, history, scored, pixels, info, data, progress)


def fit_novelty_detector(
    training: TileDataset, validation: TileDataset, progress: Progress
) -> NoveltyDetector | None:
    """Fits what recognises scenes that are unlike the training data.

    Args:
        training: Training tiles, which are drawn as for training but not augmented.
        validation: Validation tiles, which choose the limit.
        progress: Where progress is reported.

    Returns:
        The detector; None if there are too few tiles to tell.
    """
    drawn = min(training.epoch_tiles, _COMPARED)
    spread = np.unique(
        np.linspace(0, len(validation.patches) - 1, _COMPARED).round().astype(int)
    ).tolist()
    if drawn < _FEWEST_TRAINING or len(spread) < _FEWEST_VALIDATION:
        return None

    def counted(tiles: Iterable[NDArray[Any]], before: int) -> Iterator[NDArray[Any]]:
        for done, tile in enumerate(tiles, before + 1):
            yield tile
            progress.advance("describing tiles", done, drawn + len(spread))

    return NoveltyDetector.fit(
        counted(training.draw(drawn), 0), counted((validation.tile_at(i)[0] for i in spread), drawn)
    )


def _describe(data: TrainingData, config: Config) -> ModelInfo:
    statistics, first = data.survey.statistics, data.pairs[0].info
    low, high = value_range(statistics)
    return ModelInfo(
        task="segment",
        name=f"{config.model.architecture}/{config.model.backbone}",
        classes=list(data.class_table.table),
        bands=first.bands,
        dtype=first.dtype,
        range=(float(low.min()), float(high.max())),
        preprocess=config.data.preprocess,
        tile=config.data.tile,
        multiple=tile_multiple(config.model),
        fixed_tile=has_fixed_tile(config.model),
        ground_sampling_distance=data.ground_sampling_distance(),
        ground_sampling_range=data.ground_sampling_range(config.augment),
        training={
            "data": ", ".join(one.name or one.folder.resolve().name for one in data.collections),
            "tiles": {part: len(patches) for part, patches in data.parts.items()},
            "groups": {
                part: sorted({p.pair.group for p in patches})
                for part, patches in data.parts.items()
            },
            "backend": keras.backend.backend(),
            "settings": describe_settings(config),
        },
    )


def _finish(
    output: Path,
    history: list[Row],
    scored: Mapping[Part, TileDataset],
    pixels: TilePixels,
    info: ModelInfo,
    data: TrainingData,
    progress: Progress,
) -> Run[Evaluation]:
    """Calibrates the best model on validation, scores it and writes the reports.

    The temperature becomes part of the weights, so that maps from every form of the model, and
    models trained on from it, have it.
    """
    best, class_table, admitted = load_keras_model(output), data.class_table, data.labels.admitted()
    # undoes that of a finished run
    divide_logits(best, 1 / load_model_info(output).training.get("temperature", 1.0))
    truth, answers = sample_answers(best.predict_on_batch, scored["val"], progress)
    temperature = fit_temperature(admitted[truth], answers, multi_label=False)
    right = np.take_along_axis(admitted[truth], answers.argmax(axis=1)[:, None], axis=1)[:, 0] > 0
    before = Reliability().add(answers.max(axis=1), right).error
    divide_logits(best, temperature)
    info = info.model_copy(update={"training": info.training | {"temperature": temperature}})
    record = load_record(output) or TrainingRecord.of([])
    results = {}
    for part, dataset in scored.items():
        recognizer = Recognizer(record, lambda pair: pixels.load(pair).image, dataset.tile)
        results[part], known = score_known(
            best.predict_on_batch,
            dataset,
            class_table.names,
            progress,
            recognizer,
            data.labels_of_collections,
        )
        if results[part].familiar["trained_on"]["pixels"]:
            progress.say(f"warning: {part}: {known}")

    def add(page: Report, heading: str, part: Part) -> None:
        add_scores(page, heading, results[part], scored[part], best.predict_on_batch, class_table)

    return finish_run(
        output,
        best,
        info,
        history,
        results,
        monitor=MONITOR,
        facts=[
            ("Training tiles", info.training["tiles"]["train"]),
            ("Temperature", temperature),
            ("Calibration error before", before),
            *data.facts,
        ],
        panels=PANELS,
        add_scores=add,
        further={
            "temperature": temperature,
            "calibration_error_before_temperature": before,
            "masks": data.masks,
        },
    )
