"""Settings of a training run of scene labels; `configs/classify/*.yaml` are examples."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from classify.augment_settings import AugmentSettings
from classify.collection_settings import CollectionSettings
from segment.core.common_settings import (
    MOST_BATCH,
    MOST_EPOCHS,
    ClassWeights,
    Fraction,
    PixelSettings,
    Seed,
    TrainingSettings,
)
from segment.core.config import Settings
from segment.core.labels.classes import Class, ComposedText
from segment.core.model.folder import with_network
from segment.core.pixels.scale_choice import check_scale

# 0 is refused later, where the message can list the bands of the files.
_Band = Annotated[int, Field(ge=0, le=65_535)]

Backbone = Literal[
    "resnet50",
    "wide_resnet50_2",
    "efficientnetv2-b0",
    "efficientnetv2-s",
    "efficientnetv2-l",
    "mobilenetv2",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "baseline",
]
Head = Literal["linear", "mlp"]
Kind = Literal["network", "pca"]
Classifier = Literal["logistic", "svm"]
Sampling = Literal["uniform", "weighted"]
Unreadable = Literal["refuse", "skip"]
Duplicates = Literal["warn", "drop"]
BatchNorm = Literal["training", "frozen"]


class ImageSettings(Settings):
    """Which images are used, and how they are read."""

    classes: list[Class] | None = Field(
        default=None,
        min_length=1,
        description=(
            "class table, for order and colours; else the names found, in alphabetical order"
        ),
    )
    label_map: dict[ComposedText, ComposedText | None] = Field(
        default={},
        description="class that a folder's or CSV's label stands for; null leaves its images out",
    )
    resize: int = Field(
        default=256,
        ge=0,
        le=8192,
        description="shorter side that images are brought to, pixels; 0: not resized",
    )
    size: int = Field(
        default=224, ge=32, le=8192, description="edge of the crop that the network sees, pixels"
    )
    bands: list[_Band | str] | None = Field(
        default=None,
        min_length=1,
        description="bands to read, by number from 1 or by name (B04); all but alpha by default",
    )
    leave_out: list[_Band | str] = Field(
        default=[], description="bands not to read, by number or name, e.g. [B10]"
    )
    val_fraction: float = Field(
        default=0.15, gt=0, lt=1, description="share for validation, where no folders fix the split"
    )
    test_fraction: Fraction = Field(
        default=0.15, description="share for the test, where no folders fix the split"
    )
    split_seed: Seed | None = Field(
        default=None, description="of that split; training.seed by default"
    )
    val_seed: Seed | None = Field(
        default=None, description="draws another validation set, and leaves the test"
    )
    unreadable: Unreadable = Field(
        default="refuse", description="images that cannot be read: an error, or named and left out"
    )
    duplicates: Duplicates = Field(
        default="warn",
        description=(
            "training images that validation or test hold too: named, or named and not trained on"
        ),
    )
    sampling: Sampling = Field(
        default="uniform", description="each image once an epoch, or each class equally often"
    )
    cache_mb: int = Field(
        default=4096, ge=0, le=2**24, description="decoded images kept in memory, megabytes"
    )

    @model_validator(mode="after")
    def _parts_and_crops_fit(self) -> "ImageSettings":
        if self.resize and self.size > self.resize:
            raise ValueError(
                f"size must fit into resize. Received size {self.size}, resize {self.resize}. Raise"
                " resize."
            )
        if self.val_fraction + self.test_fraction >= 1:
            received = f"val_fraction {self.val_fraction}, test_fraction {self.test_fraction}"
            raise ValueError(
                f"val_fraction and test_fraction must be less than 1 together. Received {received}."
                " Lower one of them."
            )
        return self


class DataSettings(ImageSettings, PixelSettings, CollectionSettings):
    """Which images a classifier learns from, and how they are preprocessed and normalised."""

    _scale = field_validator("scale")(check_scale)


class ModelSettings(Settings):
    """The model: a network, or the classical baseline.

    A network is a backbone with a head. The baseline is principal components with a linear
    classifier.
    """

    kind: Kind = Field(
        default="network",
        description="network; pca: principal components, then a classifier of scikit-learn",
    )
    components: int = Field(
        default=64,
        ge=1,
        le=65_536,
        description="principal components (kind: pca, and the baseline of reports)",
    )
    classifier: Classifier = Field(
        default="logistic",
        description=(
            "logistic regression or a linear support vector machine (kind: pca, and the baseline of"
            " reports)"
        ),
    )
    backbone: Backbone = "resnet50"
    weights: str = Field(
        default="imagenet",
        description=(
            "imagenet, bundled, none, a run's folder (with its backbone and head), or a file (.npz,"
            " .h5, .keras, .safetensors, .pth)"
        ),
    )
    head: Head = Field(
        default="linear", description="linear: classes; mlp: dense, ReLU, dropout, classes"
    )
    dense_units: int = Field(default=256, ge=1, le=65_536, description="of the mlp head")
    dropout: Fraction = Field(default=0.2, description="before the last layer")
    batch_norm_momentum: Fraction = Field(default=0.9, description="of the running means")

    @model_validator(mode="before")
    @classmethod
    def _takes_the_network_of_its_weights(cls, given: Any) -> Any:
        return with_network(given, "classify", ("backbone", "head"))


class LossSettings(Settings):
    """Cross-entropy loss; binary cross-entropy where images have several labels."""

    label_smoothing: Fraction = 0.0
    class_weights: ClassWeights = Field(
        default="none",
        description="balanced: inverse share of images; or a weight per class name, 1 if not named",
    )


class PhaseSettings(TrainingSettings):
    """Training in two phases.

    In the first phase, layers with pretrained weights are frozen. In the second phase, the last
    stages of the backbone, or all of it, are tuned at a lower learning rate.
    """

    epochs: int = Field(default=20, ge=1, le=MOST_EPOCHS, description="of both phases together")
    batch_size: int = Field(default=32, ge=1, le=MOST_BATCH)
    frozen_epochs: int = Field(
        default=5,
        ge=0,
        le=MOST_EPOCHS,
        description=(
            "epochs of the first phase, in which layers with pretrained weights stay as they are"
        ),
    )
    unfreeze: Literal["all"] | Annotated[int, Field(ge=0, le=1000)] = Field(
        default="all",
        description=(
            "what is tuned in the second phase: the whole backbone, or so many of its last stages"
        ),
    )
    fine_tuning_rate: float = Field(
        default=1e-4, gt=0, le=10, description="learning rate of the second phase"
    )
    batch_norm: BatchNorm = Field(
        default="training",
        description=(
            "pretrained batch normalisation of the tuned part: statistics of the batch, or frozen"
        ),
    )


class Config(Settings):
    """All settings of a training run except the data themselves."""

    data: DataSettings = DataSettings()
    augment: AugmentSettings = AugmentSettings()
    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    training: PhaseSettings = PhaseSettings()
