"""Training: a tile folder and settings become a run folder."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from segment.bundled import BUNDLED
from segment.config import Config
from segment.core.config import describe_settings
from segment.core.labels.classes import IGNORED
from segment.core.model.info import ModelInfo, ScaleInfo
from segment.core.model.record import inherit
from segment.core.networks.pretrained import Built
from segment.core.pixels.augment import value_range
from segment.core.progress import Progress
from segment.core.training.finished_run import Run
from segment.core.training.history import Row
from segment.core.training.loop import fit
from segment.core.training.session import Session, Training, start_session
from segment.data.augment import augmentation
from segment.data.collections import check_data
from segment.data.dataset import TileDataset
from segment.data.pixels import TilePixels
from segment.data.survey import band_order_notes, find_band_names
from segment.data.training_data import TrainingData
from segment.training.losses import Loss, build_loss, has_labels
from segment.training.models import (
    bands_of_weights,
    build_model,
    check_model,
    has_fixed_tile,
    tile_multiple,
)
from segment.training.results import MONITOR, finish_training
from segment.training.scoring import Evaluation, score_patches
from segment.training.training_tiles import fit_novelty_detector, scored_tiles, training_tiles


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
        tiles: The tile folder, or the scene whose labels `data.labels` of the settings names; None
            where `data.collections` lists several.
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
    config = config or Config()
    tiles = None if tiles is None else Path(tiles)
    check_data(tiles, config.data)
    session = start_session(
        output, config, config.training, resume=resume, overwrite=overwrite, progress=progress
    )
    check_model(config.model, config.data.tile)
    data = TrainingData.prepare(tiles, config, session.progress)
    if not resume and (learned := bands_of_weights(config.model)):
        for line in band_order_notes(data.pairs, learned):
            session.progress.say(f"warning: {line}")
    # refuses changes that do not suit these images
    augmentation(config.augment, data.survey.statistics, seed=0)
    network = session.build(lambda: _build(config, data, pretrained=not resume)).network
    weights = config.model.weights
    source = config.model.encoder_weights if weights == "none" else weights
    inherited = inherit(source, BUNDLED, session.progress)
    with session.open_folder(data.survey.record.join(*inherited), data.fingerprint):
        return _train(network, data, session)


def _build(config: Config, data: TrainingData, pretrained: bool) -> Built:
    return build_model(
        config.model,
        len(data.class_table),
        data.survey.statistics,
        config.data.normalise,
        config.data.tile,
        pretrained=pretrained,
        names=data.class_table.names,
    )


def _train(network: keras.Model, data: TrainingData, session: Session[Config]) -> Run[Evaluation]:
    config, output = session.config, session.folder
    pixels = TilePixels(
        data.class_table, config.data.undeclared, config.data.cache_mb, tables=data.tables
    )
    training, scored = training_tiles(pixels, data, config), scored_tiles(pixels, data, config)
    loss = build_loss(config.loss, data.class_weights, data.labels)
    info = _describe(data, config)
    history = fit(
        Training(
            network=network,
            dataset=training,
            fingerprint=data.fingerprint,
            loss=loss,
            validate=lambda: _score_epoch(network, scored["val"], loss, data, session.progress),
            monitor=MONITOR,
            scored=has_labels,
            save_best=session.keep_best(
                network, info, lambda: _build(config, data, pretrained=False).network
            ),
        ),
        session,
    )
    if detector := fit_novelty_detector(training, scored["val"], session.progress):
        detector.save(output)
    return finish_training(history, scored, pixels, data, info, session)


def _score_epoch(
    network: keras.Model, tiles: TileDataset, loss: Loss, data: TrainingData, progress: Progress
) -> Row:
    """Returns the loss and the scores of a network on validation."""
    losses: list[float] = []

    def add_loss(*batch: NDArray[Any]) -> None:
        if (batch[0] != IGNORED).any():  # else the loss is 0, whatever the network answers
            losses.append(float(loss(*map(keras.ops.convert_to_tensor, batch))))

    found = score_patches(
        network.predict_on_batch,
        tiles,
        data.class_table.names,
        progress,
        add_loss,
        data.labels_of_collections,
    )
    return {
        "val_loss": float(np.mean(losses or [0.0])),
        MONITOR: found.mean_jaccard,
        "val_accuracy": found.accuracy,
    }


def _describe(data: TrainingData, config: Config) -> ModelInfo:
    statistics, first = data.survey.statistics, data.pairs[0].info
    low, high = value_range(statistics)
    return ModelInfo(
        task="segment",
        name=f"{config.model.architecture}/{config.model.backbone}",
        classes=list(data.class_table.table),
        bands=first.bands,
        band_names=find_band_names([pair.source for pair in data.pairs]),
        dtype=first.dtype,
        range=(float(low.min()), float(high.max())),
        scale=ScaleInfo.of(data.scale),
        preprocess=config.data.preprocess,
        tile=config.data.tile,
        multiple=tile_multiple(config.model),
        fixed_tile=has_fixed_tile(config.model),
        ground_sampling_distance=data.ground_sampling_distance(),
        ground_sampling_range=data.ground_sampling_range(
            config.augment, config.data.tile if config.data.crops == "random" else 0
        ),
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
