"""Training: folders of labelled images and settings become a run folder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np

from classify.bundled import BUNDLED
from classify.config import Config, PhaseSettings
from classify.data.augment import augmentation
from classify.data.dataset import ImageDataset, one_hot
from classify.data.headers import ground_sampling_distance
from classify.data.images import Data, collection_name, data_folders
from classify.data.training_data import TrainingData
from classify.labelling.inference import predict_dataset
from classify.training.baseline import fit_classical
from classify.training.losses import Loss, build_loss
from classify.training.models import Built, build_model, check_model, check_unfreeze, set_trainable
from classify.training.results import finish_training, monitored_score
from classify.training.scoring import Evaluation, score_labels
from classify.training.training_images import plain_images, training_images
from segment.core.config import describe_settings
from segment.core.model.folder import save_model_folder
from segment.core.model.info import ModelInfo, ScaleInfo
from segment.core.model.record import inherit
from segment.core.pixels.augment import value_range
from segment.core.progress import Progress
from segment.core.splits import PARTS
from segment.core.training.finished_run import Run
from segment.core.training.history import HISTORY, Row, write_history
from segment.core.training.loop import fit
from segment.core.training.optimizers import Phase
from segment.core.training.session import Session, Training, start_session


def train(
    data: Data | None,
    output: Path | str,
    config: Config | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run[Evaluation]:
    """Trains a model on labelled images and writes a run folder.

    Args:
        data: One or several data folders or CSVs, see `find_images`; None where
            `data.collections` of the settings lists them.
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
    folders, config = data_folders(data), config or Config()
    settings = config.training
    if config.model.kind == "pca":  # has no steps whose precision could be faster
        settings = settings.model_copy(update={"precision": "float32"})
    session = start_session(
        output, config, settings, resume=resume, overwrite=overwrite, progress=progress
    )
    if config.model.kind == "network":
        check_model(config.model, config.data)
        check_unfreeze(config.model, config.training)
    found = TrainingData.prepare(
        folders,
        config.data,
        config.data.preprocess,
        config.training,
        session.progress,
        config.data.scale,
    )
    found.class_weights(config.loss.class_weights)  # refuses those of unknown classes
    info = _describe(found, config, folders)
    if config.model.kind == "pca":
        with session.open_folder(found.record):
            return _train_baseline(found, info, session)
    # refuses what these bands cannot have
    augmentation(config.augment, config.data.size, found.survey.statistics, seed=0)
    built = session.build(lambda: _build(config, found))
    inherited = inherit(config.model.weights, BUNDLED, session.progress)
    with session.open_folder(found.record.join(*inherited), found.fingerprint):
        return _train(built, found, info, session)


def _train_baseline(
    data: TrainingData, info: ModelInfo, session: Session[Config]
) -> Run[Evaluation]:
    """Trains principal components like `_train`, but in one step, which counts as an epoch."""
    loss = _loss(data, session.config)
    plain = plain_images(data.pixels(session.config.data), data, session.config)
    network = _fit_baseline(plain["train"], data, session)
    learned, new = (_score_epoch(network, plain[part], loss, data, session) for part in PARTS[:2])
    row = {"epoch": 1.0, "loss": learned["val_loss"], "learning_rate": 0.0, **new}
    save_model_folder(session.folder, network, info)
    write_history(session.folder / HISTORY, [row])
    return finish_training([row], plain, data, info, None, session)


def _fit_baseline(
    dataset: ImageDataset, data: TrainingData, session: Session[Config]
) -> keras.Model:
    return fit_classical(
        session.config.model,
        dataset,
        session.config.data.size,
        data.survey.statistics,
        len(data.class_table),
        multi_label=data.multi_label,
        seed=session.settings.seed,
        progress=session.progress,
    )


def _loss(data: TrainingData, config: Config) -> Loss:
    weights = data.class_weights(config.loss.class_weights)
    return build_loss(config.loss, weights, data.multi_label, data.unions)


def _build(config: Config, data: TrainingData) -> Built:
    return build_model(
        config.model,
        len(data.class_table),
        data.survey.statistics,
        config.data.normalise,
        multi_label=data.multi_label,
        rgb=data.survey.bands.rgb,
        names=data.class_table.names,
    )


def _train(
    built: Built, data: TrainingData, info: ModelInfo, session: Session[Config]
) -> Run[Evaluation]:
    config, network = session.config, built.network
    for note in _phase_notes(built, config.training):
        session.progress.say(f"note: {note}")
    pixels = data.pixels(config.data)
    plain, loss = plain_images(pixels, data, config), _loss(data, config)
    history = fit(
        Training(
            network=network,
            dataset=training_images(pixels, data, config),
            fingerprint=data.fingerprint,
            loss=loss,
            validate=lambda: _score_epoch(network, plain["val"], loss, data, session),
            monitor=f"val_{monitored_score(data)}",
            save_best=session.keep_best(network, info, lambda: _build(config, data).network),
            phases=_phases(built, config),
        ),
        session,
    )
    enough = len(plain["train"].images) > 1
    baseline = _fit_baseline(plain["train"], data, session) if enough else None
    return finish_training(history, plain, data, info, baseline, session)


def _score_epoch(
    network: keras.Model,
    dataset: ImageDataset,
    loss: Loss,
    data: TrainingData,
    session: Session[Config],
) -> Row:
    """Returns the loss and the scores of a network on validation."""
    key, names = monitored_score(data), data.class_table.names
    answers = predict_dataset(network.predict_on_batch, dataset, session.progress)
    if not np.isfinite(answers).all():  # reported with its fix when the epoch ends
        return {"val_loss": float("nan"), f"val_{key}": float("nan"), "val_f1": float("nan")}
    figures = score_labels(dataset.images, answers, names, data.multi_label).report
    reference = one_hot(dataset.images, len(names), data.unions)
    lost = float(loss(keras.ops.convert_to_tensor(reference), keras.ops.convert_to_tensor(answers)))
    return {"val_loss": lost, f"val_{key}": figures[key], "val_f1": figures["f1_macro"]}


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


def _phase_notes(built: Built, settings: PhaseSettings) -> list[str]:
    """Reports settings of the two phases that do not apply."""
    if built.loaded is None:
        fields = PhaseSettings.model_fields
        changed = [
            f"training.{name}"
            for name in ("frozen_epochs", "unfreeze", "fine_tuning_rate", "batch_norm")
            if getattr(settings, name) != fields[name].default
        ]
        unused = f"{', '.join(changed)}: not used, as no weights are pretrained (model.weights)"
        return [unused] if changed else []
    if settings.frozen_epochs >= settings.epochs and settings.unfreeze != 0:
        return [
            f"training.frozen_epochs is {settings.frozen_epochs}, training.epochs"
            f" {settings.epochs}: pretrained layers are not tuned"
        ]
    return []


def _describe(data: TrainingData, config: Config, folders: Sequence[Path]) -> ModelInfo:
    statistics, model = data.survey.statistics, config.model
    low, high = value_range(statistics)
    return ModelInfo(
        task="classify",
        name=(
            f"pca/{model.classifier}" if model.kind == "pca" else f"{model.backbone}/{model.head}"
        ),
        classes=list(data.class_table.table),
        bands=statistics.bands,
        dtype=statistics.dtype,
        range=(float(low.min()), float(high.max())),
        scale=ScaleInfo.of(data.survey.bands.scale),
        preprocess=config.data.preprocess,
        tile=config.data.size,
        multiple=1,
        ground_sampling_distance=ground_sampling_distance(data.parts["train"], config.data.resize),
        labels=data.label_info(config.data),
        training={
            "data": list(data.label_maps) or [collection_name(folder) for folder in folders],
            "images": {part: len(images) for part, images in data.parts.items()},
            "split": data.split_digest,
            "backend": keras.backend.backend(),
            "settings": describe_settings(config),
        },
    )
