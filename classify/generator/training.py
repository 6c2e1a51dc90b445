"""Training of generators: from folders of labelled images to a run folder."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np

from classify.bundled import BUNDLED
from classify.data.augment import augmentation
from classify.data.dataset import Drawing, ImageDataset
from classify.data.headers import ground_sampling_distance
from classify.data.images import Data, collection_name, data_folders
from classify.data.training_data import TrainingData
from classify.generator.autoencoder import build_autoencoder
from classify.generator.config import GeneratorConfig, ReconstructionLossSettings
from classify.generator.generator import Generator
from classify.generator.latents import LATENTS_FILE, Posteriors, fit_densities, save_densities
from classify.generator.reconstruction import (
    Loss,
    Reconstruction,
    ReconstructionDataset,
    mean_picture,
    perceptual_distance,
    reconstruction_loss,
    require_pictures,
    score_reconstructions,
)
from classify.generator.sample_grids import GRIDS, SampleGrids
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
from segment.core.training.finished_run import Results, Run
from segment.core.training.history import Row
from segment.core.training.loop import fit
from segment.core.training.session import Training, start_session

_MONITOR = "val_loss"
_PANELS = {
    "Loss": ("loss", "val_loss"),
    "Share of the variance explained": ("val_explained",),
    "Kullback-Leibler, nats a picture": ("val_kullback_leibler",),
    "Learning rate": ("learning_rate",),
}
_CURVES = (
    "loss is of training pictures, changed at random, during the epoch: latents are drawn from the"
    " posterior, and the divergence counts with the weight that it has risen to. val_loss is of"
    " validation pictures after the epoch: the latent is the mean of the posterior, and the"
    " divergence counts in full. It may lie below loss, as nothing is drawn and nothing changed at"
    " random. The best epoch is the one of the least val_loss."
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

    After each epoch, `output/grids` gets samples of each class, and reconstructions below their
    originals. In the history, `val_loss` includes the divergence with its full weight, and `loss`
    with the weight that it has reached.

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
    require_pictures(found, folders)
    augment = partial(augmentation, config.augment, config.data.size, found.survey.statistics)
    augment(seed=0)  # raises for changes that the bands do not allow
    network = session.build(lambda: Built(_build_network(config, found), None)).network
    info = _describe(network, found, config, folders)
    classes, settings = len(found.class_table), config.training
    common = found.pixels(config.data), classes, config.data.size, settings.batch_size
    drawing = Drawing(
        augment=augment, weighted=config.data.sampling == "weighted", seed=settings.seed
    )
    training = ReconstructionDataset(
        found.parts["train"], *common, drawing=drawing, workers=settings.workers
    )
    plain = {part: ImageDataset(found.parts[part], *common) for part in PARTS if found.parts[part]}
    keep = session.keep_best(network, info, lambda: _build_network(config, found))
    with session.open_folder():
        score = partial(
            score_reconstructions,
            loss=loss,
            mean_image=mean_picture(plain["train"]),
            progress=session.progress,
        )
        checkpoint = session.folder / CHECKPOINT
        epochs = len(load_history(checkpoint, found.fingerprint)) if resume else 0
        grids = SampleGrids(session.folder / GRIDS, plain["val"], epochs)

        def validate() -> Row:
            scores, posteriors = score(network, plain["val"])
            if np.isfinite(posteriors.means).all():  # otherwise reported at the end of the epoch
                grids.add(Generator(info, network, fit_densities(posteriors)))
            return {
                "val_loss": scores.loss + _kl_weight(config) * scores.divergence,
                "val_explained": scores.explained,
                "val_kullback_leibler": scores.divergence,
            }

        def save(row: Row) -> None:
            (session.folder / LATENTS_FILE).unlink(missing_ok=True)  # from an earlier epoch
            keep(row)

        history = fit(
            Training(
                network=network,
                dataset=training,
                fingerprint=found.fingerprint,
                loss=loss,
                validate=validate,
                monitor=_MONITOR,
                save_best=save,
            ),
            session,
        )
        return _finish(session.folder, info, history, score, plain, grids, folders)


def _build_loss(settings: ReconstructionLossSettings) -> Loss:
    if settings.perceptual == 0:
        return reconstruction_loss()
    maps = load_stage_maps(settings.perceptual_model or BUNDLED)
    return reconstruction_loss(settings.perceptual, perceptual_distance(maps))


def _build_network(config: GeneratorConfig, data: TrainingData) -> keras.Model:
    settings = config.training
    steps = settings.steps_per_epoch or -(-len(data.parts["train"]) // settings.batch_size)
    return build_autoencoder(
        config.model,
        size=config.data.size,
        classes=len(data.class_table),
        kl_weight=_kl_weight(config),
        warmup_steps=round(config.loss.kl_warmup_epochs * steps),
        seed=config.training.seed,
    )


def _kl_weight(config: GeneratorConfig) -> float:
    """Weight of the divergence in nats per picture."""
    return config.loss.kl_weight / (3 * config.data.size**2)


def _finish(
    output: Path,
    info: ModelInfo,
    history: list[Row],
    score: Callable[[keras.Model, ImageDataset], tuple[Reconstruction, Posteriors]],
    plain: Mapping[Part, ImageDataset],
    grids: SampleGrids,
    folders: Sequence[Path],
) -> Run[Reconstruction]:
    """Fits the densities of the best network, scores it and writes the reports."""
    network = load_keras_model(output)
    best = Generator(info, network, fit_densities(score(network, plain["train"])[1]))
    save_densities(output, best.densities)
    results = {part: score(network, plain[part])[0] for part in PARTS[1:] if part in plain}

    def add_scores(page: Report, heading: str, part: Part) -> None:
        if part == "val":
            page.text(_CURVES)
        page.heading(heading)
        page.text(f"{results[part]}, over {results[part].images:,} images.")
        if part == "val":
            grids.report(page, best)

    return Results(
        scores=results,
        monitor=_MONITOR,
        panels=_PANELS,
        facts=[
            ("Training images", info.training["images"]["train"]),
            ("Values of a latent", best.latent),
        ],
        add_scores=add_scores,
        figures={"data": [str(folder.resolve()) for folder in folders]},
    ).write(output, network, info, history)


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
