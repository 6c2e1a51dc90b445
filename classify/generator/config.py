"""Settings of a training of a generator; `configs/classify/landscapes-vae.yaml` is an example."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from classify.augment_settings import ChangeSettings
from classify.config import ImageSettings
from segment.core.common_settings import MOST_BATCH, MOST_EPOCHS, TrainingSettings
from segment.core.config import Settings

Kind = Literal["variational", "plain"]


class PictureSettings(ImageSettings):
    """Which images are learned, and at what size."""

    resize: int = Field(
        default=64,
        ge=0,
        le=8192,
        description="shorter side that images are brought to, pixels; 0: not resized",
    )
    size: Literal[64, 128, 256] = Field(default=64, description="edge of what is generated, pixels")


class AutoencoderSettings(Settings):
    """The network: a variational autoencoder, or the plain one as its baseline."""

    kind: Kind = Field(
        default="variational",
        description="variational, or plain: no posterior, no Kullback-Leibler term",
    )
    conditional: bool = Field(
        default=False, description="whether encoder and decoder get the class"
    )
    filters: int = Field(
        default=32,
        ge=1,
        le=1024,
        description="of the finest stage; coarser ones have up to eight times as many",
    )
    latent: int = Field(
        default=512,
        ge=64,
        le=65_536,
        multiple_of=64,
        description="values that describe a picture, on a grid of 8 x 8",
    )


class ReconstructionLossSettings(Settings):
    """The loss: mean squared error of pixels scaled to 0 to 1, plus further terms."""

    kl_weight: float = Field(
        default=0.003,
        ge=0,
        le=1000,
        description=(
            "of the Kullback-Leibler divergence in nats per value of a pixel, twice the variance"
            " granted to such a value (kind: variational)"
        ),
    )
    kl_warmup_epochs: float = Field(
        default=5.0,
        ge=0,
        le=MOST_EPOCHS,
        description="in which kl_weight rises from 0 (kind: variational)",
    )
    perceptual: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="weight of the distance of a classifier's features of the reconstruction",
    )
    perceptual_model: Path | None = Field(
        default=None, description="that classifier, a model folder; the bundled one by default"
    )

    @model_validator(mode="after")
    def _perceptual_model_is_used(self) -> "ReconstructionLossSettings":
        if self.perceptual_model is not None and not self.perceptual:
            raise ValueError(
                f"perceptual_model is {self.perceptual_model}, but perceptual is 0. Raise"
                " loss.perceptual, or leave the model out."
            )
        return self


class GeneratorTrainingSettings(TrainingSettings):
    """Settings as for any training, with larger batches by default."""

    epochs: int = Field(default=60, ge=1, le=MOST_EPOCHS)
    batch_size: int = Field(default=32, ge=1, le=MOST_BATCH)


class GeneratorConfig(Settings):
    """All settings of a training of a generator except the data themselves."""

    data: PictureSettings = PictureSettings()
    augment: ChangeSettings = ChangeSettings()
    model: AutoencoderSettings = AutoencoderSettings()
    loss: ReconstructionLossSettings = ReconstructionLossSettings()
    training: GeneratorTrainingSettings = GeneratorTrainingSettings()
