"""Training of generators: from folders of labelled images to a run folder."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np

from classify.bundled import BUNDLED
from classify.data.augment import augmentation
from classify.data.headers import ground_sampling_distance
from classify.data.images import Data, collection_name, data_folders
from classify.data.training_data import TrainingData
from classify.generator.autoencoder import build_autoencoder
from classify.generator.config import GeneratorConfig, ReconstructionLossSettings
from classify.generator.data import build_datasets, mean_picture, require_pictures
from classify.generator.generator import Generator
from classify.generator.latents import LATENTS_FILE, ClassDensities, fit_densities, save_densities
from classify.generator.perceptual_loss import perceptual_distance
from classify.generator.reconstruction import (
    Loss,
    Reconstruction,
    reconstruction_loss,
    score_reconstructions,
)
from classify.generator.sample_grids import GRIDS, Album, draw_classes
from classify.training.backbones import load_stage_maps
from segment.core.common_settings import PreprocessSettings
from segment.core.config import describe_settings
from segment.core.model.folder import load_keras_model
from segment.core.model.info import ModelInfo
from segment.core.networks.pretrained import Built
from segment.core.progress import Progress
from segment.core.reports.page import Report
from segment.core.splits import PARTS, Part
from segment.core.training.checkpoints import CHECKPOINT, load_history
from segment.core.training.finished_run import Results, Run, finish_run
from segment.core.training.history import Row
from segment.core.training.loop import Training, fit
from segment.core.training.session import Session, start_session

_MONITOR = "val_loss"
_PANELS = {
    "Loss": ("loss", "val_loss"),
    "Share of the variance explained": ("val_explained",),
    "Kullback-Leibler, nats a picture": ("val_kullback_leibler",),
    "Learning rate": ("learning_rate",),
}
_CURVES = (
    "loss is of training pictures, changed at random, while the weights move: a variational latent"
    " is drawn from its posterior, and the divergence counts with the weight that it has risen to."
    " val_loss is of validation pictures at the end of the epoch: the latent is the mean of its"
    " posterior, and the divergence counts in full from the first epoch on. The best epoch is the"
    " one of the least val_loss, which means the same in all of them. With loss it can be compared"
    " once the weight has risen, and may then lie below, as nothing is drawn and nothing changed at"
    " random."
)
_GRIDS = (
    f"{GRIDS} holds two pictures for each epoch: drawn ones, from the same noise throughout and"
    " around the latents that the network of that epoch gives validation pictures (not from N(0,"
    " I)), and reconstructions below their originals. The pictures drawn below, and all that the"
    " finished generator draws, lie around the latents of training pictures."
)


def train_generator(
    data: Data,
    output: Path | str,
    config: GeneratorConfig | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run[Reconstruction]:
    """Trains an autoencoder on labelled images and writes a run folder.

    `load_generator` reads the run folder.

    After each epoch, `output/grids` gets two pictures: samples of each class, drawn from the same
    noise around the latents of validation images, and reconstructions below their originals. In the
    history, `val_loss` includes the divergence with its full weight, and `loss` with the weight
    that it has reached.

    Args:
        data: One or several data folders, see `find_images`, with images of RGB of 8 bits and one
            label each.
        output: Run folder to write.
        config: Settings of the training. By default the default settings.
        resume: Continues the run in `output` after its last finished epoch.
        overwrite: Whether an existing run folder is replaced.
        progress: Where progress is reported.

    Returns:
        The run, with the scores of its reconstructions.

    Raises:
        InputError: If the data or the settings are faulty, before anything is written.
        Interrupted: On Ctrl-C; the message says how to continue.
    """
    folders = data_folders(data)
    config = config or GeneratorConfig()
    loss = _build_loss(config.loss)
    session = start_session(
        output, config, config.training, resume=resume, overwrite=overwrite, progress=progress
    )
    found = TrainingData.prepare(
        folders, config.data, PreprocessSettings(), config.training, session.progress
    )
    require_pictures(found)
    # raises for changes that the bands do not allow
    augmentation(config.augment, config.data.size, found.survey.statistics, seed=0)
    network = session.build(lambda: Built(build_network(config, found), None)).network
    with session.open_folder():
        return _train(network, loss, found, folders, session)


def _build_loss(settings: ReconstructionLossSettings) -> Loss:
    if settings.perceptual == 0:
        return reconstruction_loss()
    maps = load_stage_maps(settings.perceptual_model or BUNDLED)
    return reconstruction_loss(settings.perceptual, perceptual_distance(maps))


def build_network(config: GeneratorConfig, data: TrainingData) -> keras.Model:
    """Builds the untrained network.

    Args:
        config: Settings of the training.
        data: Training data.

    Returns:
        The network.
    """
    model, steps = config.model, -(-len(data.parts["train"]) // config.training.batch_size)
    return build_autoencoder(
        size=config.data.size,
        classes=len(data.class_table),
        filters=model.filters,
        latent=model.latent,
        conditional=model.conditional,
        variational=model.kind == "variational",
        kl_weight=_weight(config),
        warmup_steps=round(config.loss.kl_warmup_epochs * steps),
        seed=config.training.seed,
    )


def _weight(config: GeneratorConfig) -> float:
    """Weight of the divergence in nats per picture."""
    return config.loss.kl_weight / (3 * config.data.size**2)


def _train(
    network: keras.Model,
    loss: Loss,
    data: TrainingData,
    folders: Sequence[Path],
    session: Session[GeneratorConfig],
) -> Run[Reconstruction]:
    config, output, progress = session.config, session.folder, session.progress
    info, names = _describe(network, data, config, folders), data.class_table.names
    training, plain = build_datasets(data, config)
    score = partial(
        score_reconstructions, loss=loss, mean_image=mean_picture(plain["train"]), progress=progress
    )
    album = Album(
        output / GRIDS,
        plain["val"],
        len(load_history(output / CHECKPOINT, data.fingerprint)) if session.resume else 0,
    )
    keep = session.keep_best(network, info, lambda: build_network(config, data))
    unplaced = ClassDensities.standard(len(names), config.model.latent)

    def validate() -> Row:
        found, posteriors = score(Generator(info, network, unplaced), plain["val"])
        if np.isfinite(posteriors.means).all():  # otherwise reported at the end of the epoch
            album.add(Generator(info, network, fit_densities(posteriors, len(names))))
        whole = found.loss + _weight(config) * found.divergence
        return {
            "val_loss": whole,
            "val_explained": found.explained,
            "val_kullback_leibler": found.divergence,
        }

    def save(row: Row) -> None:
        (output / LATENTS_FILE).unlink(missing_ok=True)  # from an earlier epoch
        keep(row)

    history = fit(
        Training(
            network=network,
            dataset=training,
            fingerprint=data.fingerprint,
            loss=loss,
            validate=validate,
            monitor=_MONITOR,
            save_best=save,
        ),
        session,
    )
    best = Generator(info, load_keras_model(output), unplaced)
    best = replace(best, densities=fit_densities(score(best, plain["train"])[1], len(names)))
    save_densities(output, best.densities)
    results = {part: score(best, plain[part])[0] for part in PARTS[1:] if part in plain}

    def add(page: Report, heading: str, part: Part) -> None:
        if part == "val":
            page.text(_CURVES)
        page.heading(heading)
        page.text(f"{results[part]}, over {results[part].images:,} images.")
        if part == "val":
            page.picture(album.compare(best), "Images (above) and their reconstructions (below).")
            page.text(_GRIDS)
            page.picture(*draw_classes(best))

    return finish_run(
        output,
        best.network,
        info,
        history,
        Results(
            scores=results,
            monitor=_MONITOR,
            panels=_PANELS,
            facts=[
                ("Training images", info.training["images"]["train"]),
                ("Numbers of a latent", best.latent),
            ],
            add_scores=add,
            figures={"data": [str(folder.resolve()) for folder in folders]},
        ),
    )


def _describe(
    network: keras.Model, data: TrainingData, config: GeneratorConfig, folders: Sequence[Path]
) -> ModelInfo:
    return ModelInfo(
        task="generate",
        name=network.name,
        classes=list(data.class_table.table),
        bands=3,
        dtype="uint8",
        range=(0.0, 255.0),
        tile=config.data.size,
        fixed_tile=True,
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
