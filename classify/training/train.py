"""Training: folders of labelled images and settings become a run folder."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.config import Config, ModelSettings
from classify.data.augment import augmentation
from classify.data.dataset import Drawing, ImageDataset, ImagePixels, one_hot
from classify.data.headers import ground_sampling_distance
from classify.data.images import Data, collection_name, data_folders
from classify.data.mixing import mix
from classify.data.pixels import read_pixels
from classify.data.training_data import TrainingData
from classify.labelling.inference import predict_dataset, tempered
from classify.scores import score
from classify.thresholds import choose_thresholds
from classify.training.baseline import fit_classical
from classify.training.losses import Loss, build_loss
from classify.training.models import Built, build_model, check_model, check_unfreeze, set_trainable
from classify.training.report import add_scores, panels
from classify.training.scoring import Evaluation, recognise, score_images
from segment.core.config import describe_settings
from segment.core.model.calibration import apply_temperature, fit_temperature
from segment.core.model.folder import load_keras_model, save_model_folder
from segment.core.model.info import ModelInfo
from segment.core.model.record import TrainingRecord, inherit, keep_record, load_record
from segment.core.pixels.augment import value_range
from segment.core.progress import Progress, Silent
from segment.core.reports.page import Report
from segment.core.splits import PARTS, Part
from segment.core.training.devices import OneDevice
from segment.core.training.history import HISTORY, Row, write_history
from segment.core.training.loop import describe_network, fit
from segment.core.training.optimizers import Phase, dtype_policy, keep_float32, wanted_precision
from segment.core.training.placement import take_devices
from segment.core.training.run_folder import Run, check_run, finish_run, keep_best, run_folder


def train(
    data: Data,
    output: Path | str,
    config: Config | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run[Evaluation]:
    """Trains a model on labelled images and writes a run folder.

    Args:
        data: One or several data folders or CSVs, see `find_images`.
        output: Run folder to write.
        config: Settings; None for the defaults.
        resume: Whether to continue the run in `output` from its last finished epoch.
        overwrite: Whether an earlier output may be replaced.
        progress: Where progress is reported; nowhere by default.

    Returns:
        The finished run: its history, and the scores on validation and test.

    Raises:
        InputError: For a fault of the data or the settings, before anything is written.
        Interrupted: On Ctrl-C, with a message on how to continue.
    """
    folders = data_folders(data)
    output, progress, config = Path(output), progress or Silent(), config or Config()
    check_run(output, config, resume=resume, overwrite=overwrite)
    if config.model.kind == "network":
        check_model(config.model, config.data)
        check_unfreeze(config.model, config.training)
    devices = take_devices(config.training)
    keras.utils.set_random_seed(config.training.seed)
    found = TrainingData.prepare(
        folders, config.data, config.data.preprocess, config.training, progress
    )
    found.class_weights(config.loss.class_weights)  # refuses those of unknown classes
    if config.model.kind == "pca":
        with run_folder(output, config, resume, overwrite):
            keep_record(output, found.record, resume)
            return _train_baseline(found, config, folders, output, progress)
    # refuses what these bands cannot have
    augmentation(config.augment, config.data.size, found.survey.statistics, seed=0)
    with dtype_policy(wanted_precision(config.training)):
        built = _build(config, found)
    progress.say(describe_network(built.network))
    if built.loaded:
        progress.say(f"backbone starts from {built.loaded}")
    inherited = inherit(config.model.weights, BUNDLED, progress)
    with run_folder(output, config, resume, overwrite):
        keep_record(output, found.record.join(*inherited), resume)
        return _train(built, found, config, folders, output, devices, resume, progress)


def _train_baseline(
    data: TrainingData, config: Config, folders: Sequence[Path], output: Path, progress: Progress
) -> Run[Evaluation]:
    """Trains principal components like `_train`, but in one step, which counts as an epoch."""
    loss = build_loss(config.loss, data.class_weights(config.loss.class_weights), data.multi_label)
    plain = _plain_datasets(data.pixels(config.data), data, config)
    network, info = (
        _fit_baseline(plain["train"], data, config, progress),
        _describe(data, config, folders),
    )
    learned, new = (_score_epoch(network, plain[part], loss, data, progress) for part in PARTS[:2])
    row = {"epoch": 1.0, "loss": learned["val_loss"], "learning_rate": 0.0, **new}
    save_model_folder(output, network, info)
    write_history(output / HISTORY, [row])
    return _finish(output, [row], plain, info, data, None, progress)


def _fit_baseline(
    dataset: ImageDataset, data: TrainingData, config: Config, progress: Progress
) -> keras.Model:
    return fit_classical(
        config.model,
        dataset,
        config.data.size,
        data.survey.statistics,
        len(data.class_table),
        multi_label=data.multi_label,
        seed=config.training.seed,
        progress=progress,
    )


def _build(config: Config, data: TrainingData) -> Built:
    return build_model(
        config.model,
        len(data.class_table),
        data.survey.statistics,
        config.data.normalise,
        multi_label=data.multi_label,
        rgb=data.survey.bands.rgb,
    )


def _train(
    built: Built,
    data: TrainingData,
    config: Config,
    folders: Sequence[Path],
    output: Path,
    devices: OneDevice,
    resume: bool,
    progress: Progress,
) -> Run[Evaluation]:
    network, settings = built.network, config.training
    pixels = data.pixels(config.data)
    training, plain = _training_dataset(pixels, data, config), _plain_datasets(pixels, data, config)
    loss = build_loss(config.loss, data.class_weights(config.loss.class_weights), data.multi_label)
    info = _describe(data, config, folders)
    kept = keep_float32(network, settings, lambda: _build(config, data).network)
    history = fit(
        network,
        training,
        loss=loss,
        validate=lambda: _score_epoch(network, plain["val"], loss, data, progress),
        monitor=f"val_{_monitored(data)}",
        save_best=keep_best(output, info, kept),
        settings=settings,
        folder=output,
        progress=progress,
        data=data.fingerprint,
        phases=_phases(built, config),
        devices=devices,
        resume=resume,
    )
    baseline = (
        _fit_baseline(plain["train"], data, config, progress)
        if len(plain["train"].images) > 1
        else None
    )
    return _finish(output, history, plain, info, data, baseline, progress)


def _score_epoch(
    network: keras.Model, dataset: ImageDataset, loss: Loss, data: TrainingData, progress: Progress
) -> Row:
    """Returns the loss and the scores of a network on validation."""
    key, truth = _monitored(data), one_hot(dataset.images, len(data.class_table))
    answers = predict_dataset(network.predict_on_batch, dataset, progress)
    if not np.isfinite(answers).all():  # reported with its fix when the epoch ends
        return {"val_loss": float("nan"), f"val_{key}": float("nan"), "val_f1": float("nan")}
    figures = score(truth, answers, data.class_table.names, multi_label=data.multi_label).report
    lost = float(loss(keras.ops.convert_to_tensor(truth), keras.ops.convert_to_tensor(answers)))
    return {"val_loss": lost, f"val_{key}": figures[key], "val_f1": figures["f1_macro"]}


def _monitored(data: TrainingData) -> str:
    """Returns the name of the score by which the best epoch is chosen."""
    return "mean_average_precision" if data.multi_label else "accuracy"


def _phases(built: Built, config: Config) -> list[Phase]:
    """Freezes pretrained layers, then tunes them; one phase only if nothing is pretrained."""
    settings = config.training
    freeze = partial(set_trainable, built, config.model, settings)
    if built.loaded is None:
        return [Phase(settings.epochs, settings.learning_rate, partial(freeze, tuned=False))]
    frozen = min(settings.frozen_epochs, settings.epochs)
    return [
        Phase(frozen, settings.learning_rate, partial(freeze, tuned=False)),
        Phase(settings.epochs - frozen, settings.fine_tuning_rate, partial(freeze, tuned=True)),
    ]


def _training_dataset(pixels: ImagePixels, data: TrainingData, config: Config) -> ImageDataset:
    wanted, augment = config.data, config.augment
    return ImageDataset(
        data.parts["train"],
        pixels,
        len(data.class_table),
        wanted.size,
        config.training.batch_size,
        drawing=Drawing(
            augment=partial(augmentation, augment, wanted.size, data.survey.statistics),
            mix=partial(mix, mixup=augment.mixup, cutmix=augment.cutmix),
            weighted=wanted.sampling == "weighted",
            seed=config.training.seed,
        ),
        workers=config.training.workers,
    )


def _plain_datasets(
    pixels: ImagePixels, data: TrainingData, config: Config
) -> dict[Part, ImageDataset]:
    """Returns all parts that have images, not augmented and in order."""
    common = pixels, len(data.class_table), config.data.size, config.training.batch_size
    return {part: ImageDataset(data.parts[part], *common) for part in PARTS if data.parts[part]}


def _name(settings: ModelSettings) -> str:
    return (
        f"pca/{settings.classifier}"
        if settings.kind == "pca"
        else f"{settings.backbone}/{settings.head}"
    )


def _describe(data: TrainingData, config: Config, folders: Sequence[Path]) -> ModelInfo:
    statistics = data.survey.statistics
    low, high = value_range(statistics)
    return ModelInfo(
        task="classify",
        name=_name(config.model),
        classes=list(data.class_table.table),
        bands=statistics.bands,
        dtype=statistics.dtype,
        range=(float(low.min()), float(high.max())),
        preprocess=config.data.preprocess,
        tile=config.data.size,
        multiple=1,
        ground_sampling_distance=ground_sampling_distance(data.parts["train"], config.data.resize),
        labels=data.label_info(config.data),
        training={
            "data": [collection_name(folder) for folder in folders],
            "images": {part: len(images) for part, images in data.parts.items()},
            "split": data.split_digest,
            "backend": keras.backend.backend(),
            "settings": describe_settings(config),
        },
    )


def _finish(
    output: Path,
    history: list[Row],
    plain: Mapping[Part, ImageDataset],
    info: ModelInfo,
    data: TrainingData,
    baseline: keras.Model | None,
    progress: Progress,
) -> Run[Evaluation]:
    """Calibrates the best model on validation, scores it and writes the reports.

    `baseline` is scored for comparison.
    """
    best, scored = (
        load_keras_model(output),
        {part: plain[part] for part in PARTS[1:] if part in plain},
    )
    answers = {
        part: predict_dataset(best.predict_on_batch, dataset, progress)
        for part, dataset in scored.items()
    }
    calibrated, before = _calibrate(
        answers["val"], one_hot(scored["val"].images, len(data.class_table)), info
    )
    results = {
        part: score_images(scored[part].images, tempered(p, calibrated), calibrated)
        for part, p in answers.items()
    }
    record = load_record(output) or TrainingRecord.of([])
    for part, result in results.items():
        familiarity = recognise(
            result.images,
            record,
            lambda path: read_pixels(path, data.survey.bands.of(path))[0],
            progress,
        )
        results[part] = replace(result, familiar=familiarity.report)
        if familiarity.of("train")["pixels"]:
            progress.say(f"warning: {part}: {familiarity}")
    assert calibrated.labels is not None
    compared = (
        {}
        if baseline is None
        else {part: _compare(baseline, dataset, data, progress) for part, dataset in scored.items()}
    )

    def add(page: Report, heading: str, part: Part) -> None:
        add_scores(page, heading, results[part], scored[part], data.class_table)

    found = data.survey
    return finish_run(
        output,
        best,
        calibrated,
        history,
        results,
        monitor=f"val_{_monitored(data)}",
        facts=[
            ("Training images", info.training["images"]["train"]),
            ("Left out as unreadable", len(found.unreadable)),
            ("Images that a later part holds too", len(found.leaks)),
            ("Temperature", calibrated.labels.temperature),
            ("Calibration error before", before),
            *(
                (f"Principal components and a linear classifier, {part}", figure)
                for part, figure in compared.items()
            ),
        ],
        panels=panels(data.multi_label),
        add_scores=add,
        further={
            "temperature": calibrated.labels.temperature,
            "calibration_error_before_temperature": before,
            "baseline": compared,
            "unreadable": {str(path): problem for path, problem in found.unreadable.items()},
            "duplicates": [str(leak) for leak in found.leaks],
        },
    )


def _compare(
    baseline: keras.Model, dataset: ImageDataset, data: TrainingData, progress: Progress
) -> float | None:
    """Returns the monitored score of the baseline; None if no image has a label."""
    answers = predict_dataset(baseline.predict_on_batch, dataset, progress)
    truth = one_hot(dataset.images, len(data.class_table))
    found: float | None = score(
        truth, answers, data.class_table.names, multi_label=data.multi_label
    ).report[_monitored(data)]
    return found


def _calibrate(
    answers: NDArray[np.float32], truth: NDArray[np.float32], info: ModelInfo
) -> tuple[ModelInfo, float]:
    """Finds the temperature and the thresholds that suit validation.

    Returns the model with both, and its calibration error before.
    """
    labels = info.labels
    assert labels is not None
    before = score(truth, answers, info.class_table.names, multi_label=labels.multi_label)
    temperature = fit_temperature(truth, answers, labels.multi_label)
    thresholds = (
        choose_thresholds(truth, apply_temperature(answers, temperature, labels.multi_label))
        if labels.multi_label
        else []
    )
    found = labels.model_copy(update={"temperature": temperature, "thresholds": thresholds})
    return info.model_copy(update={"labels": found}), before.reliability.error
