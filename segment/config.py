"""Settings of a training run; `configs/segment/*.yaml` hold examples."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from segment.augment_settings import AugmentSettings
from segment.boundaries import ScoreSettings
from segment.bundled import BUNDLED
from segment.collection_settings import Collection, Split
from segment.core.common_settings import (
    ClassWeights,
    Fraction,
    PixelSettings,
    Probability,
    Seed,
    TrainingSettings,
)
from segment.core.config import Settings
from segment.core.labels.classes import Class
from segment.core.model.folder import load_model_info, with_network
from segment.core.pixels.scale_choice import check_scale
from segment.label_settings import SceneSettings

Crops = Literal["fixed", "random"]
Sampling = Literal["uniform", "balanced"]
Undeclared = Literal["ignore", "refuse"]
Architecture = Literal["unet", "fpn", "linknet", "pspnet"]
LossName = Literal["focal+dice", "cross_entropy", "focal", "dice", "jaccard"]


class DataSettings(PixelSettings, SceneSettings):
    """Which pixels a model learns from, and how they reach the network."""

    classes: list[Class] | None = Field(
        default=None, min_length=1, description="class table; else classes.yaml beside the data"
    )
    collections: list[Collection] | None = Field(
        default=None,
        min_length=1,
        description="tile folders to learn from together, in place of one on the command line",
    )
    root: str = Field(
        default="",
        description="folder that the paths of collections start from; else the current one",
    )
    epoch_tiles: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="tiles an epoch, drawn by the collections' weights; 0: as many as there are",
    )
    tile: int = Field(default=256, ge=32, le=8192, description="edge of a training tile, pixels")
    crops: Crops = Field(
        default="fixed", description="tiles on a fixed grid, or drawn at random places"
    )
    sampling: Sampling = Field(
        default="uniform",
        description=(
            "which tiles are drawn: all alike, or each class equally often, by its pixels, which"
            " random crops are drawn around"
        ),
    )
    split: Split = Field(
        default="auto",
        description=(
            "what is never divided between training and validation: groups, squares of ground"
            " (block), runs of images or patches; auto: groups, or blocks where there is one group"
        ),
    )
    val_fraction: float = Field(
        default=0.2, gt=0, lt=1, description="share of groups, patches or images for validation"
    )
    val_groups: list[str] = Field(default=[], description="groups for validation, by name")
    test_groups: list[str] = Field(
        default=[], description="groups neither trained nor validated on, scored at the end"
    )
    split_seed: Seed | None = Field(
        default=None, description="of what is drawn; training.seed by default"
    )
    undeclared: Undeclared = Field(
        default="ignore", description="mask colours that no class has: ignore, or refuse"
    )
    max_undeclared: Probability = Field(
        default=0.5,
        description="share of the labelled mask pixels that may be of no class; 1 allows all",
    )
    cache_mb: int = Field(
        default=4096, ge=0, le=2**24, description="decoded images kept in memory, megabytes"
    )

    _scale = field_validator("scale")(check_scale)

    @model_validator(mode="after")
    def _collections_have_targets(self) -> "DataSettings":
        if self.collections and not self.classes:
            raise ValueError("collections need data.classes, the classes that the model learns")
        if self.root and not (self.collections or self.labels):
            raise ValueError(
                "data.root is of data.collections or data.labels, which are missing. Leave it out"
            )
        for key in ("val_groups", "test_groups", "labels"):
            if self.collections and getattr(self, key):
                raise ValueError(
                    f"data.{key} is of a single tile folder. Set {key} of each collection"
                )
        return self

    @model_validator(mode="after")
    def _crops_stay_in_their_part(self) -> "DataSettings":
        splits = {self.split, *(one.split for one in self.collections or [])}
        if "patch" in splits and self.crops == "random":
            raise ValueError(
                "random crops would reach into the patches kept for validation. Received split:"
                " patch with crops: random. Set data.crops=fixed, or split by group."
            )
        if self.crops == "fixed" and any(one.pixel_size for one in self.collections or []):
            raise ValueError(
                "pixel_size of a collection needs random crops. Set data.crops=random, or leave"
                " it out"
            )
        return self


class ModelSettings(Settings):
    """The network: its architecture, its encoder and the weights that it starts from."""

    architecture: Architecture = "unet"
    backbone: str = Field(
        default="resnet34",
        description="an encoder of segmentation-models, or efficientnet_lite0 to 2",
    )
    encoder_weights: str = Field(
        default="none",
        description="imagenet, none, or a file (.npz, .h5, .keras, .safetensors, .pth)",
    )
    weights: str = Field(
        default="none",
        description=(
            "what the whole network starts from: bundled or a run's folder (with its backbone), a"
            " model's .keras, or none"
        ),
    )
    batch_norm_momentum: Fraction = Field(
        default=0.9,
        description="of the running means; the library's 0.99 lags hundreds of steps behind",
    )

    @model_validator(mode="before")
    @classmethod
    def _takes_the_network_of_its_weights(cls, given: Any) -> Any:
        is_bundled = isinstance(given, dict) and given.get("weights") == "bundled"
        if is_bundled and "backbone" not in given:
            return given | {"backbone": load_model_info(BUNDLED).name.split("/")[1]}
        return with_network(given, "segment", ("architecture", "backbone"))

    @model_validator(mode="after")
    def _one_start(self) -> "ModelSettings":
        if self.weights != "none" and self.encoder_weights != "none":
            received = f"weights {self.weights}, encoder_weights {self.encoder_weights}"
            raise ValueError(
                f"weights and encoder_weights exclude each other. Received {received}. Set one of"
                " them to none."
            )
        return self


class LossSettings(Settings):
    """The loss that training minimises; ignored pixels count in none of its parts."""

    name: LossName = "focal+dice"
    focal_weight: float = Field(default=1.0, gt=0, le=1000)
    dice_weight: float = Field(default=1.0, gt=0, le=1000)
    gamma: float = Field(
        default=2.0, ge=0, le=10_000, description="focusing exponent; 0 is cross-entropy"
    )
    class_weights: ClassWeights = Field(
        default="none",
        description="balanced: inverse share of pixels; or a weight per class name, 1 if not named",
    )


class Config(Settings):
    """All settings of a training run, except the data themselves.

    Attributes:
        data: Which pixels are learned from, and how they reach the network.
        augment: Random changes of training tiles.
        model: The network.
        loss: The loss to minimise.
        training: Epochs, batches, optimiser and devices of the training.
        scores: How the trained model is scored.
    """

    data: DataSettings = DataSettings()
    augment: AugmentSettings = AugmentSettings()
    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    training: TrainingSettings = TrainingSettings()
    scores: ScoreSettings = ScoreSettings()

    @model_validator(mode="after")
    def _pixel_size_is_of_crops(self) -> "Config":
        if self.augment.pixel_size and self.data.crops == "fixed":
            raise ValueError(
                "augment.pixel_size needs random crops. Set data.crops=random, or use augment.scale"
            )
        return self
