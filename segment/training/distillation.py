"""Distillation: an encoder learns the features of another one, from images without masks.

After Romero et al. (2015), "FitNets: Hints for Thin Deep Nets", arXiv:1412.6550: a student learns
to give the features of a teacher, here at three depths, or at four with EfficientNet-Lite as the
teacher. This gives encoders without pretrained weights a start from one that has them.
"""

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from pydantic import Field

from segment.config import ModelSettings
from segment.core.choices import Normalisation
from segment.core.common_settings import TrainingSettings
from segment.core.config import Settings
from segment.core.errors import InputError
from segment.core.model.folder import MODEL_FILE
from segment.core.model.weight_files import save_keras_model
from segment.core.networks.backbones import (
    build_backbone,
    check_imagenet,
    imagenet_affine,
    imagenet_weights,
)
from segment.core.networks.efficientnet_lite import SCALES
from segment.core.networks.layers import layers_by_name, set_momentum
from segment.core.networks.pretrained import load_weights
from segment.core.networks.weight_sources import check_source
from segment.core.pixels.normalise import normalisation
from segment.core.progress import Progress
from segment.core.training.history import Row
from segment.core.training.loop import fit
from segment.core.training.optimizers import dtype_policy, keep_float32
from segment.core.training.session import Training, start_session
from segment.training.crops import RGB_STATISTICS, Crops, read_image
from segment.training.feature_comparison import compare

Encoder = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
]


class ImitationConfig(Settings):
    """Settings of distillation; the defaults are those of the bundled model's start.

    Attributes:
        teacher: Encoder whose features are learned.
        teacher_weights: "imagenet", or a weights file; that of a ResNet may lack the last stage.
        student: Encoder that learns.
        size: Edge of the random crops, pixels, a multiple of 32.
        crops: Crops in an epoch, rounded up to whole batches.
        training: Epochs, batches, optimiser and devices of the training.
    """

    teacher: Encoder = "resnet50"
    teacher_weights: str = Field(
        default="imagenet",
        description="imagenet, or a file; of a ResNet it may lack the last stage",
    )
    student: Encoder = "resnet34"
    size: int = Field(
        default=192, ge=32, le=8192, multiple_of=32, description="edge of the random crops, pixels"
    )
    crops: int = Field(
        default=2400, ge=1, le=10**9, description="of an epoch, rounded up to whole batches"
    )
    training: TrainingSettings = TrainingSettings(
        epochs=12,
        batch_size=16,
        learning_rate=0.001,
        warmup_epochs=0.2,
        clip_norm=1.0,
        precision="mixed",
    )


def imitate(
    images: Sequence[Path | str],
    output: Path | str,
    config: ImitationConfig | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Row]:
    """Trains an encoder to give the features of another one.

    The encoder is written as `model.keras` into the folder `output`.

    What is minimised, and decides which epoch is the best, is the share of the teacher's variance
    that is missed, a mean over the depths. With a ResNet as the teacher there are three depths, and
    the layers of the student beyond them keep their initial weights. The student sees pixels
    normalised by ImageNet's mean and standard deviation: where it is used, set `data.normalise` to
    imagenet_statistics. The teacher sees pixels as its "imagenet" weights expect; with weights of a
    file, it also sees them normalised by ImageNet's mean and standard deviation.

    Args:
        images: Two or more, RGB of 8 bits; a twentieth of them, drawn by seed, is for validation.
        output: Run folder to write.
        config: Settings; None for the defaults.
        resume: Whether to continue the run in `output`.
        overwrite: Whether an earlier output may be replaced.
        progress: Receives messages and the state of the training.

    Returns:
        The history, a row per epoch: "val_explained" is 1 minus the share that is missed.

    Raises:
        InputError: If images cannot be read or have other bands, if weights do not fit, or if a run
            may not be written to `output` or continued there.
        Interrupted: On Ctrl-C, with a message on how to continue.
    """
    paths, config = [Path(image) for image in images], config or ImitationConfig()
    settings = config.training
    session = start_session(
        output, config, settings, resume=resume, overwrite=overwrite, progress=progress
    )
    _check_teacher(config)
    _check_images(paths, session.progress)
    shuffled = [paths[i] for i in np.random.default_rng(settings.seed).permutation(len(paths))]
    held_out, batch = max(len(paths) // 20, 1), settings.batch_size
    training = Crops(
        shuffled[held_out:],
        config.size,
        batch,
        config.crops,
        seed=settings.seed,
        workers=settings.workers,
    )
    scored = Crops(
        shuffled[:held_out], config.size, batch, max(config.crops // 10, 1), seed=settings.seed
    )
    with dtype_policy(session.precision.policy):
        teacher, student = _load_teacher(config, session.progress), _build_student(config)
        names = config.teacher, config.student
        network = compare(teacher, student, _teacher_normalisation(config), names, config.size)
    kept = keep_float32(student, session.precision.policy, lambda: _build_student(config))

    def validate() -> Row:
        missed = [network.predict_on_batch(scored[i][0]) for i in range(len(scored))]
        share = float(np.mean(missed))
        return {"val_loss": share, "val_explained": 1 - share}

    def save_best(_: Row) -> None:
        save_keras_model(session.folder / MODEL_FILE, kept())

    with session.open_folder():
        return fit(
            Training(
                network=network,
                dataset=training,
                fingerprint=sha256(repr(sorted(path.name for path in paths)).encode()).hexdigest(),
                loss=lambda _, missed: keras.ops.mean(missed),
                validate=validate,
                monitor="val_explained",
                save_best=save_best,
            ),
            session,
        )


def _check_teacher(config: ImitationConfig) -> None:
    if config.teacher_weights == "imagenet":
        check_imagenet(config.teacher, "teacher_weights")
    if config.teacher_weights == "none":
        raise InputError("teacher_weights: none, but a teacher needs some. Set imagenet or a file.")
    check_source(config.teacher_weights, "teacher_weights")


def _check_images(images: Sequence[Path], progress: Progress) -> None:
    """Reads all images once, because a broken one would end the training halfway."""
    if len(images) < 2:
        raise InputError(
            "Distillation needs two images, one to validate, better thousands:"
            f" {len(images)} given. Add images."
        )
    for done, path in enumerate(images, 1):
        read_image(path)
        progress.advance("reading", done, len(images))


def _load_teacher(config: ImitationConfig, progress: Progress) -> keras.Model:
    teacher = build_backbone(config.teacher, size=config.size)
    names, download = layers_by_name(teacher), partial(imagenet_weights, config.teacher)
    found = load_weights(
        teacher,
        names,
        config.teacher_weights,
        download,
        network=config.teacher,
        setting="teacher_weights",
    )
    progress.say(f"teacher {config.teacher} from {found}")
    spared = () if config.teacher in SCALES else ("bn1", "stage4_")
    needed = [name for name in found.missing if not name.startswith(spared)]
    if needed:
        raise InputError(
            f"{config.teacher_weights}: no weights for {', '.join(needed[:4])} ({len(needed)} in"
            f" all) of the teacher. Give weights of a {config.teacher}, or set teacher."
        )
    return teacher


def _teacher_normalisation(config: ImitationConfig) -> Callable[[Any], Any]:
    mode: Normalisation = (
        "imagenet" if config.teacher_weights == "imagenet" else "imagenet_statistics"
    )
    return normalisation(RGB_STATISTICS, mode, partial(imagenet_affine, config.teacher))


def _build_student(config: ImitationConfig) -> keras.Model:
    student = build_backbone(config.student, size=None)
    set_momentum(student, ModelSettings().batch_norm_momentum)
    return student
