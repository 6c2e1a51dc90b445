"""What a training run can be told. `configs/segment/*.yaml` hold examples."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, model_validator

from segment.core.choices import Normalisation
from segment.core.config import PreprocessSettings, Settings, TrainingSettings
from segment.core.palette import Class

Split = Literal["group", "patch"]
Crops = Literal["fixed", "random"]
Undeclared = Literal["ignore", "refuse"]
Architecture = Literal["unet", "fpn", "linknet", "pspnet"]
LossName = Literal["focal+dice", "cross_entropy", "focal", "dice", "jaccard"]


class DataSettings(Settings):
    """Which pixels are learned, and how they reach the network."""

    classes: list[Class] | None = Field(default=None, min_length=1, description="class table; else classes.yaml beside the data")
    tile: int = Field(default=256, ge=32, description="edge of a training tile, pixels")
    crops: Crops = Field(default="fixed", description="tiles on a fixed grid, or drawn at random places")
    split: Split = Field(default="group", description="what is never divided between training and validation")
    val_fraction: float = Field(default=0.2, gt=0, lt=1, description="share of groups or patches for validation")
    val_groups: list[str] = Field(default=[], description="groups for validation, by name")
    test_groups: list[str] = Field(default=[], description="groups neither trained nor validated on, scored at the end")
    split_seed: int | None = Field(default=None, ge=0, lt=2**32, description="of what is drawn; training.seed by default")
    undeclared: Undeclared = Field(default="ignore", description="mask colours that no class has: ignore, or refuse")
    preprocess: PreprocessSettings = PreprocessSettings()
    normalise: Normalisation = Field(
        default="auto", description="auto: as downloaded or bundled weights expect, else standardise"
    )
    cache_mb: int = Field(default=4096, ge=0, description="decoded images kept in memory, megabytes")

    @model_validator(mode="after")
    def _crops_stay_in_their_part(self) -> "DataSettings":
        if self.split == "patch" and self.crops == "random":
            raise ValueError(
                "random crops would reach into the patches kept for validation. Received split: patch with crops: random. "
                "Set data.crops=fixed, or split by group."
            )
        return self


class AugmentSettings(Settings):
    """Random changes of training tiles; 0 switches one off. Images and masks move together."""

    flip: float = Field(default=0.5, ge=0, le=1, description="probability of a flip, each axis")
    quarter_turns: bool = Field(default=True, description="turns by 0, 90, 180 or 270 degrees")
    scale: float = Field(
        default=0.0, ge=0, lt=1, description="zoom by up to this fraction either way; random crops not beyond their image"
    )
    shift: float = Field(default=0.0, ge=0, lt=1, description="shift by up to this fraction of the tile")
    brightness: float = Field(default=0.1, ge=0, lt=1, description="up to this fraction of the full range")
    contrast: float = Field(default=0.1, ge=0, lt=1, description="up to this fraction either way")
    hue: int = Field(default=0, ge=0, le=180, description="turn of the hue by up to this many steps of 180 (RGB, 8 bits)")
    blur: float = Field(default=0.0, ge=0, le=1, description="probability of a Gaussian blur of 3 to 5 pixels")
    noise: float = Field(default=0.0, ge=0, lt=1, description="standard deviation up to this fraction of the full range")


class ModelSettings(Settings):
    """The network."""

    architecture: Architecture = "unet"
    backbone: str = Field(default="resnet34", description="an encoder of segmentation-models")
    encoder_weights: str = Field(default="none", description="imagenet, none, or a file (.npz, .h5, .keras, .safetensors)")
    weights: str = Field(default="none", description="what the whole network starts from: bundled, none, or a model's .keras")
    batch_norm_momentum: float = Field(
        default=0.9, ge=0, lt=1, description="of the running means; the library's 0.99 lags hundreds of steps behind"
    )

    @model_validator(mode="after")
    def _one_start(self) -> "ModelSettings":
        if self.weights != "none" and self.encoder_weights != "none":
            received = f"weights {self.weights}, encoder_weights {self.encoder_weights}"
            raise ValueError(f"a network starts from one thing. Received {received}. Set one of them to none.")
        return self


class LossSettings(Settings):
    """What is minimised. Ignored pixels count in none of the losses."""

    name: LossName = "focal+dice"
    focal_weight: float = Field(default=1.0, gt=0)
    dice_weight: float = Field(default=1.0, gt=0)
    gamma: float = Field(default=2.0, ge=0, description="focusing exponent; 0 is cross-entropy")
    class_weights: Literal["none", "balanced"] | dict[str, NonNegativeFloat] = Field(
        default="none", description="balanced: inverse share of pixels; or a weight per class name, 1 if not named"
    )


class Config(Settings):
    """Everything that makes a training run, but the data themselves."""

    data: DataSettings = DataSettings()
    augment: AugmentSettings = AugmentSettings()
    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    training: TrainingSettings = TrainingSettings()
