"""Settings of the random changes of training tiles."""

from pydantic import Field, field_validator

from segment.collection_settings import PixelSizes, are_sizes
from segment.core.common_settings import Fraction, PixelChangeSettings, Probability


class AugmentSettings(PixelChangeSettings):
    """Random changes of training tiles; 0 switches a change off.

    A change of geometry moves the image and its mask together.
    """

    flip: Probability = Field(default=0.5, description="probability of a flip, each axis")
    quarter_turns: bool = Field(default=True, description="turns by 0, 90, 180 or 270 degrees")
    scale: Fraction = Field(
        default=0.0,
        description="zoom by up to this fraction either way; random crops not beyond their image",
    )
    shift: Fraction = Field(default=0.0, description="shift by up to this fraction of the tile")
    hue: int = Field(
        default=0,
        ge=0,
        le=180,
        description="turn of the hue by up to this many steps of 180 (RGB, 8 bits)",
    )
    noise: Fraction = Field(
        default=0.0, description="standard deviation up to this fraction of the full range"
    )
    pixel_size: PixelSizes | None = Field(
        default=None,
        description=(
            "random crops are seen at pixels so many times as large as their own, e.g. [0.7, 2.2];"
            " in place of scale"
        ),
    )
    gamma: Fraction = Field(
        default=0.0, description="pixels of 0..1 to the power of up to 1 plus or minus this"
    )
    saturation: int = Field(
        default=0, ge=0, le=255, description="change of the saturation by up to this (RGB, 8 bits)"
    )
    tint: Fraction = Field(default=0.0, description="each band times up to 1 plus or minus this")
    grey: Probability = Field(
        default=0.0, description="probability that colour is lost (RGB, 8 bits)"
    )
    haze: Fraction = Field(
        default=0.0, description="share of white mist over the tile, up to this fraction"
    )
    shadow: Probability = Field(
        default=0.0, description="probability of a soft shadow over a part of the tile"
    )
    jpeg: Probability = Field(
        default=0.0, description="probability of losses as in a JPEG of quality 30 to 90 (8 bits)"
    )
    soften: Probability = Field(
        default=0.0, description="probability of pixels 1.5 to 3 times as large, enlarged again"
    )

    _range = field_validator("pixel_size")(are_sizes)
