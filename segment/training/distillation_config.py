"""Settings of distillation."""

from typing import Literal

from pydantic import Field

from segment.core.config import Settings, TrainingSettings

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
