"""Distillation: an encoder learns the features of another one, from images without masks.

After Romero et al. (2015), "FitNets: Hints for Thin Deep Nets", arXiv:1412.6550: a student learns
to give the features of a teacher, here at three depths, or at four with EfficientNet-Lite as the
teacher. This gives encoders without pretrained weights a start from one that has them.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from segment.config import AugmentSettings, ModelSettings
from segment.core.cache import Cache
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
from segment.core.networks.efficientnet_lite import SCALES, feature_layers
from segment.core.networks.pretrained import check_source, layers_by_name, load_weights
from segment.core.pixels.geometry import resize
from segment.core.pixels.normalise import BandStatistics, imagenet_statistics, normalisation
from segment.core.progress import Progress, Silent
from segment.core.raster.opening import open_raster
from segment.core.training.history import Row
from segment.core.training.loop import fit
from segment.core.training.optimizers import dtype_policy, keep_float32, wanted_precision
from segment.core.training.placement import take_devices
from segment.core.training.run_folder import check_run, run_folder
from segment.data.augment import augmentation

STAGES = (2, 3, 4)
"""Stages of a ResNet before which features are compared.

These are at a quarter, an eighth and a sixteenth of the resolution.
"""

_ZOOM = -0.5, 1.0
"""Octaves by which crops may be smaller and larger than the size they are resized to."""

_MOMENTUM = ModelSettings().batch_norm_momentum
_CHANGES = AugmentSettings(brightness=0.2, contrast=0.2)
_STATISTICS = BandStatistics(
    "uint8", 1, np.zeros(3), np.full(3, 255.0), np.full(3, 128.0), np.full(3, 64.0)
)

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
    paths, output = [Path(image) for image in images], Path(output)
    config, progress = config or ImitationConfig(), progress or Silent()
    settings = config.training
    check_run(output, config, resume=resume, overwrite=overwrite)
    if config.teacher_weights == "imagenet":
        check_imagenet(config.teacher, "teacher_weights")
    if config.teacher_weights == "none":
        raise InputError(
            "teacher_weights: a teacher has learned something. Received none. Set imagenet or a"
            " file."
        )
    check_source(config.teacher_weights, "teacher_weights")
    _check_images(paths, progress)
    devices = take_devices(settings)
    keras.utils.set_random_seed(settings.seed)
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
    with dtype_policy(wanted_precision(settings)):
        student = _build_student(config)
        network = compare(
            _load_teacher(config, progress), student, _teacher_normalisation(config), config
        )
    kept = keep_float32(student, settings, lambda: _build_student(config))

    def validate() -> Row:
        missed = float(
            np.mean([network.predict_on_batch(scored[i][0]) for i in range(len(scored))])
        )
        return {"val_loss": missed, "val_explained": 1 - missed}

    def save_best(row: Row) -> None:
        save_keras_model(output / MODEL_FILE, kept())

    with run_folder(output, config, resume, overwrite):
        return fit(
            network,
            training,
            loss=lambda truth, missed: keras.ops.mean(missed),
            validate=validate,
            monitor="val_explained",
            save_best=save_best,
            settings=settings,
            folder=output,
            progress=progress,
            data=sha256(repr(sorted(path.name for path in paths)).encode()).hexdigest(),
            devices=devices,
            resume=resume,
        )


def _check_images(images: Sequence[Path], progress: Progress) -> None:
    """Reads all images once, because a broken one would end the training halfway."""
    if len(images) < 2:
        raise InputError(
            "Imitation needs two images, one to validate, better thousands. Received"
            f" {len(images)}. Add images."
        )
    for done, path in enumerate(images, 1):
        _read(path)
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
            f"{config.teacher_weights}: a teacher has all layers up to its last stage. Received"
            f" none for {', '.join(needed[:4])} ({len(needed)} in all). Give weights of a"
            f" {config.teacher}, or set teacher."
        )
    return teacher


def _teacher_normalisation(config: ImitationConfig) -> Callable[[Any], Any]:
    mode: Normalisation = (
        "imagenet" if config.teacher_weights == "imagenet" else "imagenet_statistics"
    )
    return normalisation(_STATISTICS, mode, partial(imagenet_affine, config.teacher))


def _build_student(config: ImitationConfig) -> keras.Model:
    student = build_backbone(config.student, size=None)
    for layer in layers_by_name(student).values():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    return student


def compare(
    teacher: keras.Model,
    student: keras.Model,
    normalise: Callable[[Any], Any],
    config: ImitationConfig,
) -> keras.Model:
    """Builds a network that measures how far a student is from its teacher.

    Args:
        teacher: Encoder to learn from. It is frozen, and its channels are standardised.
        student: Encoder that learns. At each depth, a linear layer leads from its channels to those
            of the teacher.
        normalise: Brings pixels to what the teacher expects.
        config: Names both encoders, and the edge of the crops.

    Returns:
        A model from RGB of 8 bits (batch, size, size, 3) to the share of the teacher's variance
        that the student misses, (batch, depths), 0 or more.
    """
    teacher.trainable = False
    size, last = config.size, config.teacher in SCALES
    pixels = keras.Input((size, size, 3), dtype="uint8")
    hints = keras.Model(teacher.inputs, _features(teacher, config.teacher, "bn1", last))
    wanted = keras.Model(pixels, hints(normalise(pixels)), name="hints")(pixels, training=False)
    normal = normalisation(_STATISTICS, "imagenet_statistics", imagenet_statistics)(pixels)
    given = keras.Model(student.inputs, _features(student, config.student, "relu1", last))(normal)
    missed = []
    for theirs, own in zip(wanted, given, strict=True):
        standard = keras.layers.BatchNormalization(
            center=False, scale=False, momentum=_MOMENTUM, dtype="float32"
        )(theirs)
        difference = keras.layers.Conv2D(theirs.shape[-1], 1, dtype="float32")(own) - standard
        missed.append(keras.ops.mean(keras.ops.square(difference), axis=(1, 2, 3)))
    return keras.Model(pixels, keras.ops.stack(missed, axis=-1))


def _features(
    encoder: keras.Model, name: str, resnet: Literal["bn1", "relu1"], last: bool
) -> list[Any]:
    """Returns features at 1/4, 1/8 and 1/16 of the resolution, and at 1/32 if `last`.

    `resnet` is the layer of a ResNet's stages before (bn1) or after (relu1) which features are
    taken.
    """
    if name in SCALES:
        tensors = [encoder.get_layer(layer).output for layer in feature_layers(name)[2::-1]]
    else:
        layers = [encoder.get_layer(f"stage{n}_unit1_{resnet}") for n in STAGES]
        tensors = [layer.input if resnet == "bn1" else layer.output for layer in layers]
    return [*tensors, encoder.output] if last else tensors


class Crops(keras.utils.PyDataset):
    """Batches of random crops of images, for distillation.

    Crops are random squares at random scales, turned, and in other light. The second array of a
    batch holds zeros, because there is nothing to compare with. What batch i of an epoch holds
    depends on `seed`, `epoch` and i alone.

    Args:
        images: Images to crop, RGB of 8 bits.
        size: Edge of a crop, pixels.
        batch_size: Crops in a batch.
        crops: Crops in an epoch, rounded up to whole batches.
        seed: Seed of all that is random.
        workers: Threads that prepare batches.

    Attributes:
        epoch: Number of the current epoch.
    """

    def __init__(
        self,
        images: Sequence[Path],
        size: int,
        batch_size: int,
        crops: int,
        *,
        seed: int = 0,
        workers: int = 1,
    ):
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=4)
        self._images, self._size, self._batch_size, self._crops = images, size, batch_size, crops
        self._seed, self.epoch, self._cache = (
            seed,
            0,
            Cache[NDArray[np.uint8]](4096, lambda pixels: pixels.nbytes),
        )

    def __len__(self) -> int:
        """Returns the number of batches in an epoch."""
        return math.ceil(self._crops / self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Returns the crops (batch, size, size, 3) of a batch, and zeros."""
        random = np.random.default_rng([self._seed, self.epoch, index])
        change = augmentation(_CHANGES, _STATISTICS, int(random.integers(2**31)))
        mask = np.zeros((self._size, self._size), np.uint8)
        crops = np.stack([change(self._crop(random), mask)[0] for _ in range(self._batch_size)])
        return crops, np.zeros((len(crops), len(STAGES)), np.float32)

    def on_epoch_end(self) -> None:
        """Moves on to the next epoch; Keras calls it."""
        self.epoch += 1

    def _crop(self, random: np.random.Generator) -> NDArray[np.uint8]:
        path = self._images[random.integers(len(self._images))]
        image = self._cache.get(path, lambda: _read(path))
        edge = min(round(self._size * 2 ** random.uniform(*_ZOOM)), *image.shape[:2])
        row, column = (int(random.integers(length - edge + 1)) for length in image.shape[:2])
        square = image[row : row + edge, column : column + edge]
        return resize(square, self._size, self._size)


def _read(path: Path) -> NDArray[np.uint8]:
    with open_raster(path) as raster:
        if len(raster.bands) != 3 or raster.dtype != np.uint8:
            received = f"{len(raster.bands)} of {raster.dtype}"
            raise InputError(
                f"{path}: images to imitate on have three bands of 8 bits. Received {received}."
                " Export them so."
            )
        pixels: NDArray[np.uint8] = raster.read()[0]
        return pixels
