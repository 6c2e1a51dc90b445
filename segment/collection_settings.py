"""Settings of collections: tile folders or scenes that a model learns from together."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from segment.core.common_settings import Fraction
from segment.core.labels.classes import Class, ComposedText
from segment.label_settings import SceneSettings

Split = Literal["auto", "group", "block", "run", "patch"]
PixelSizes = tuple[Annotated[float, Field(ge=0.05, le=20)], Annotated[float, Field(ge=0.05, le=20)]]


def are_sizes(sizes: PixelSizes | None) -> PixelSizes | None:
    """Checks a range of pixel sizes.

    Args:
        sizes: The smallest and the largest, or None.

    Returns:
        The same.

    Raises:
        ValueError: If the larger comes first.
    """
    if sizes is not None and sizes[0] > sizes[1]:
        raise ValueError(f"must be two numbers, the smaller first. Received {list(sizes)}.")
    return sizes


class Collection(SceneSettings):
    """Tiles or scenes that a model learns from with others, with classes of their own."""

    path: str = Field(
        min_length=1,
        description="its tile folder, from data.root on; with labels, its scene or scenes",
    )
    name: str | None = Field(
        default=None, min_length=1, description="for reports and groups; else the folder's"
    )
    table: list[Class] | None = Field(
        default=None,
        min_length=1,
        description="its own class table; else classes.yaml beside its data",
    )
    classes: dict[ComposedText, ComposedText | list[ComposedText] | None] = Field(
        default={},
        description=(
            "for each class of its own: the class that it is, a list of those that it may be, or"
            " null for none; a class that is not listed is the one of its name"
        ),
    )
    gsd: float | None = Field(
        default=None,
        ge=0.001,
        le=1e6,
        description="ground sampling distance where files have none, metres",
    )
    weight: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="share of the tiles drawn, relative to the others; 0: a test alone",
    )
    pixel_size: PixelSizes | None = Field(
        default=None, description="as augment.pixel_size, for this collection alone"
    )
    split: Split | None = Field(
        default=None, description="as data.split, for this collection alone"
    )
    val_fraction: Fraction | None = Field(
        default=None, description="as data.val_fraction; 0: it only trains"
    )
    val_groups: list[str] = Field(
        default=[], description="its groups for validation, by their names within it"
    )
    test_groups: list[str] = Field(
        default=[], description="its groups neither trained nor validated on"
    )

    _range = field_validator("pixel_size")(are_sizes)
