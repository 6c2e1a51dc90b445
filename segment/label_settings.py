"""Settings of labels of scenes that are trained on as they are."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from segment.core.choices import LabelOrder
from segment.core.common_settings import BandNumber
from segment.core.config import Settings
from segment.core.errors import InputError
from segment.core.labels.classes import ComposedText
from segment.core.raster.nodata import Nodata, check_nodata

_OF_SHAPES = ("layer", "width", "radius", "background", "areas", "codes")
_Metres = Annotated[float, Field(gt=0, le=100_000)] | str | None
_Value = Annotated[float, Field(ge=-1e39, le=1e39)]  # a little more than a float32 holds


class LabelSettings(Settings):
    """Labels of a scene: a mask, or shapes of a vector file whose `field` holds their class."""

    path: str = Field(
        min_length=1,
        description="mask or vector file, or a folder with a mask of each scene's name",
    )
    field: str | None = Field(
        default=None, min_length=1, description="field whose values are classes; none for masks"
    )
    layer: str | None = Field(default=None, description="layer of the file; else its only one")
    width: _Metres = Field(
        default=None, description="width of lines, metres, or the field that holds it"
    )
    radius: _Metres = Field(
        default=None, description="radius of points, metres, or the field that holds it"
    )
    order: LabelOrder = Field(
        default="smaller", description="which of two overlapping shapes is on top"
    )
    background: str | None = Field(
        default=None, min_length=1, description="class of what no shape covers; else unlabelled"
    )
    areas: str | None = Field(
        default=None, min_length=1, description="vector file of the areas that were labelled"
    )
    codes: dict[ComposedText, ComposedText] | None = Field(
        default=None, min_length=1, description="class of each value of the field"
    )

    @field_validator("codes", mode="before")
    @classmethod
    def _values_are_text(cls, codes: Any) -> Any:
        return {str(k): v for k, v in codes.items()} if isinstance(codes, dict) else codes

    @model_validator(mode="after")
    def _options_are_of_shapes(self) -> "LabelSettings":
        given = [key for key in _OF_SHAPES if getattr(self, key) is not None]
        if given and self.field is None:
            raise ValueError(
                f"{given[0]} is for vector labels. Set `field`, which holds the classes, or leave"
                f" {given[0]} out"
            )
        return self


class SceneSettings(Settings):
    """Scenes that are read as they are, with their labels, in place of a tile folder."""

    labels: list[LabelSettings] | None = Field(
        default=None,
        min_length=1,
        description=(
            "labels of scenes, which are then read as they are; of several vector files the last"
            " is on top"
        ),
    )
    bands: list[BandNumber] | None = Field(
        default=None, min_length=1, description="bands of the scenes to read, from 1; else all"
    )
    nodata: _Value | tuple[_Value, _Value] | None = Field(
        default=None, description="value or range of the scenes that means no data: 0 or [0, 3]"
    )
    min_labelled: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of a window of a scene that has a class, at least; 0: one pixel",
    )

    @field_validator("labels", mode="before")
    @classmethod
    def _one_or_several(cls, labels: Any) -> Any:
        return [labels] if isinstance(labels, dict) else labels

    @field_validator("nodata")
    @classmethod
    def _is_value_or_range(cls, nodata: Nodata | None) -> Nodata | None:
        try:
            return check_nodata(nodata)
        except InputError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _labels_fit(self) -> "SceneSettings":
        if self.labels is None:
            for key in ("bands", "nodata", "min_labelled"):
                if getattr(self, key) != type(self).model_fields[key].default:
                    raise ValueError(f"{key} is of scenes, whose labels are named in `labels`")
        elif len(self.labels) > 1 and not all(one.field for one in self.labels):
            masks = ", ".join(Path(one.path).name for one in self.labels if not one.field)
            raise ValueError(
                f"several labels of a scene are vector files, each with its `field`. Received a"
                f" mask among them: {masks}"
            )
        return self
