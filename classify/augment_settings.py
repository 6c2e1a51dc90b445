"""Settings of the random changes of training images."""

from pydantic import Field

from segment.core.common_settings import Fraction, PixelChangeSettings, Probability


class ChangeSettings(PixelChangeSettings):
    """Random changes of training images; 0 switches a change off unless its description differs."""

    random_crop: bool = Field(
        default=True, description="crops of data.size at random places, else from the middle"
    )
    resized_crop: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description=(
            "crops take this share of the image's area or more and are resized; 1: not resized"
        ),
    )
    rotation: float = Field(
        default=0.0, ge=0, le=180, description="turns by up to this many degrees either way"
    )
    quarter_turns: bool = Field(default=False, description="turns by 0, 90, 180 or 270 degrees")
    horizontal_flip: Probability = Field(default=0.5, description="probability")
    vertical_flip: Probability = Field(default=0.5, description="probability")
    saturation: Fraction = Field(
        default=0.0, description="up to this fraction either way (RGB, 8 bits)"
    )
    hue: int = Field(
        default=0,
        ge=0,
        le=180,
        description="turn of the hue by up to this many degrees (RGB, 8 bits)",
    )
    elastic: Probability = Field(default=0.0, description="probability of an elastic deformation")
    cutout: Probability = Field(
        default=0.0, description="probability of a hole of a tenth to a third of the edge"
    )


class AugmentSettings(ChangeSettings):
    """Random changes of training images, and mixing of two images."""

    mixup: float = Field(
        default=0.0, ge=0, le=100, description="alpha of the mixing ratio's beta distribution"
    )
    cutmix: float = Field(
        default=0.0, ge=0, le=100, description="alpha of the mixing ratio's beta distribution"
    )
