"""Settings that both packages have: training, pixels, and bounds of numbers."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from segment.core.choices import Normalisation
from segment.core.config import Settings

MOST_EPOCHS, MOST_BATCH = 100_000, 16_384
"""Largest accepted values. A larger number is assumed to be a typing error."""

BandNumber = Annotated[int, Field(ge=1, le=65_535)]
"""Number of a spectral band, counted from 1 as in GDAL.

A TIFF has at most 65,535 bands.
"""

Probability = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]

ClassWeights = Literal["none", "balanced"] | dict[str, Annotated[float, Field(ge=0, le=1e6)]]

Optimizer = Literal["adam", "adamw"]
Schedule = Literal["constant", "cosine", "one_cycle"]


class TrainingSettings(Settings):
    """Settings of a training: duration, optimisation and hardware.

    Attributes:
        epochs: Number of epochs.
        steps_per_epoch: Batches in an epoch; 0: as many as the data have.
        minutes: Minutes that the epochs take together, see `Duration`. 0: as long as they take.
        batch_size: Number of samples in a batch.
        optimizer: Name of the optimizer.
        learning_rate: Learning rate at the peak of the schedule.
        weight_decay: Weight decay of adamw; not used with adam.
        schedule: Course of the learning rate over the training.
        warmup_epochs: Length of the linear rise of the learning rate from zero at the start, in
            epochs. It must be less than `epochs`.
        clip_norm: Largest norm of the gradient. 0: no clipping.
        average: Decay of the moving average of the weights over steps, e.g. 0.999. 0: no average.
        precision: Floating-point precision. auto: mixed (bfloat16) on a GPU, and where the
            processor is measured to compute bfloat16 clearly faster, see `choose_precision`.
        early_stopping: Epochs without a better validation score after which training ends.
            0: never.
        tensorboard: Whether logs for TensorBoard are written.
        devices: GPUs of each machine that share a batch. `batch_size` must be a multiple of it.
        workers: Threads that prepare batches.
        seed: Seed of the training.
    """

    epochs: int = Field(default=100, ge=1, le=MOST_EPOCHS)
    steps_per_epoch: int = Field(
        default=0, ge=0, le=10_000_000, description="batches in an epoch; 0: each sample once"
    )
    minutes: float = Field(
        default=0.0,
        ge=0,
        le=100_000,
        description=(
            "about how long to train: chooses steps_per_epoch, and fewer epochs where they would be"
            " very short; 0: as long as the epochs take"
        ),
    )
    batch_size: int = Field(default=8, ge=1, le=MOST_BATCH)
    optimizer: Optimizer = "adam"
    learning_rate: float = Field(default=1e-3, gt=0, le=10)
    weight_decay: float = Field(default=1e-4, ge=0, le=10, description="adamw only")
    schedule: Schedule = "cosine"
    warmup_epochs: float = Field(
        default=0.0, ge=0, le=MOST_EPOCHS, description="linear rise from nothing at the start"
    )
    clip_norm: float = Field(
        default=0.0, ge=0, le=1e6, description="largest norm of the gradient; 0: not clipped"
    )
    average: Fraction = Field(
        default=0.0,
        description="of the weights over steps, decay of their moving average, e.g. 0.999; 0: none",
    )
    precision: Literal["auto", "float32", "mixed"] = Field(
        default="auto", description="auto: mixed where bfloat16 is faster: on a GPU, or measured"
    )
    early_stopping: int = Field(
        default=0,
        ge=0,
        le=MOST_EPOCHS,
        description="epochs without a better validation score before the end; 0: never",
    )
    tensorboard: bool = False
    devices: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="GPUs of each machine that share batches; batch_size: a multiple",
    )
    workers: int = Field(default=2, ge=1, le=256, description="threads that prepare batches")
    seed: Seed = 0

    @model_validator(mode="after")
    def _one_length(self) -> "TrainingSettings":
        if self.steps_per_epoch and self.minutes:
            raise ValueError(
                "minutes choose steps_per_epoch, so only one can be set. Received minutes"
                f" {self.minutes:g}, steps_per_epoch {self.steps_per_epoch}. Leave one at 0."
            )
        return self

    @model_validator(mode="after")
    def _warmup_ends(self) -> "TrainingSettings":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs must end before epochs. Received {self.warmup_epochs} of"
                f" {self.epochs}. Lower it."
            )
        return self


class PreprocessSettings(Settings):
    """Settings of the steps applied to pixels before a network sees them.

    The steps are applied in the order of the attributes, see `preprocess`. All are off by default.

    Attributes:
        denoise: Edge of a median filter in pixels. 0: off.
        clahe: Limit of the contrast enhancement: no value may take more than this many times its
            even share. 0: off; 2 to 4 is usual for 8 bits, and many times that for 16-bit pixels
            that use a small part of their range.
        clahe_cell: Edge of the squares in which contrast is enhanced, in pixels. Tiles of maps are
            aligned to a grid of 32 pixels.
        sharpen: Factor by which the difference from a blurred image is added. 0: off, 1 is strong.
        sharpen_radius: Standard deviation of that blur in pixels.
    """

    denoise: Literal[0, 3, 5] = Field(
        default=0, description="edge of a median filter, pixels; 0: off"
    )
    clahe: float = Field(
        default=0.0,
        ge=0,
        le=65_536,
        description=(
            "contrast is enhanced so far that no value takes more than so many times its even"
            " share; 0: off, 2 to 4 is usual for 8 bits, many times that for 16 bits that fill a"
            " small part of their range"
        ),
    )
    clahe_cell: int = Field(
        default=32,
        ge=8,
        le=8192,
        description=(
            "edge of the squares in which contrast is enhanced, pixels; tiles of maps lie on a grid"
            " of 32"
        ),
    )
    sharpen: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="times that the difference from a blur is added; 0: off, 1 is strong",
    )
    sharpen_radius: float = Field(
        default=1.0, ge=0.3, le=50, description="standard deviation of that blur, pixels"
    )

    @property
    def is_off(self) -> bool:
        """Whether no step is applied."""
        return not (self.denoise or self.clahe or self.sharpen)

    def __str__(self) -> str:
        steps = {
            f"denoise {self.denoise}": self.denoise,
            f"clahe {self.clahe:g} (clahe_cell {self.clahe_cell})": self.clahe,
            f"sharpen {self.sharpen:g} (sharpen_radius {self.sharpen_radius:g})": self.sharpen,
        }
        return ", ".join(step for step, wanted in steps.items() if wanted) or "nothing"


class PixelSettings(Settings):
    """Settings of how pixels reach a network."""

    scale: str = Field(
        default="never",
        description=(
            "brings pixels to 8 bits: auto (those of another type), LOW,HIGH, percentages such as"
            " 2%,98%, or a map's report.json; never: as they are"
        ),
    )
    preprocess: PreprocessSettings = PreprocessSettings()
    normalise: Normalisation = Field(
        default="auto",
        description="auto: as the weights expect, if that is known, else standardise",
    )


class PixelChangeSettings(Settings):
    """Random changes of the values of training pixels."""

    brightness: Fraction = Field(default=0.1, description="up to this fraction of the full range")
    contrast: Fraction = Field(default=0.1, description="up to this fraction either way")
    blur: Probability = Field(
        default=0.0, description="probability of a Gaussian blur of 3 to 5 pixels"
    )


def split_seed(own: int | None, training: TrainingSettings) -> int:
    """Returns the seed that a split is drawn with.

    Args:
        own: Seed of the split, or None if it has none.
        training: Settings that hold the seed of the training.

    Returns:
        The seed of the split, or that of the training if the split has none.
    """
    return training.seed if own is None else own
