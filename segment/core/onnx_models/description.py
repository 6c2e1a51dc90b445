"""What is stated of an ONNX model: by a YAML file beside it, or else by its own metadata."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from segment.core.common_settings import BandNumber, PreprocessSettings
from segment.core.config import Settings
from segment.core.labels.classes import Class
from segment.core.model.info import ScaleInfo

Activation = Literal["none", "softmax", "sigmoid"]
Layout = Literal["channels_first", "channels_last"]

_Metres = Annotated[float, Field(gt=0, le=1e6)]
_Value = Annotated[float, Field(ge=-1e9, le=1e9)]
_Spread = Annotated[float, Field(gt=0, le=1e9)]
_Edge = Annotated[int, Field(ge=1, le=65_536)]


class Description(Settings):
    """What is stated of an ONNX model; None is what is not stated.

    Pixels enter the network as `((pixel - low) / (high - low) - mean) / std`, where `range` is
    `[low, high]`.

    Attributes:
        name: Name of the model in reports.
        classes: Names of the classes in the order of the outputs, or entries as in classes.yaml.
        bands: Number of spectral bands.
        band_names: What the bands are, by which they are found in files that name theirs.
        dtype: Data type of the pixels of scenes.
        scale: Scale that brings scenes of another data type to 8 bits, see `BandScale`.
        range: Pixel values that become 0 and 1 before mean and std; [0, 1] leaves them as they are.
        mean: Mean of each band, or of all.
        std: Standard deviation of each band, or of all.
        gsd: Metres per pixel that the model was trained on, or the smallest and largest. Scenes
            are resampled to it.
        resample_to: Metres per pixel that scenes are resampled to where that is asked for; by
            default the middle of `gsd`.
        tile: Edge of the tiles in pixels, for a network that takes several sizes.
        multiple: Number that the edge of tiles has to be a multiple of, where `tile` is not given.
        layout: Whether bands are the second or the last axis.
        output: Name of the output that holds the classes, of several.
        activation: What makes the output probabilities; none where they are.
        threshold: For a network with one output channel, probability from which a pixel is of the
            class.
        preprocess: Preprocessing of the pixels of a scene, see `preprocess`.
    """

    name: str | None = Field(default=None, pattern=r"^[^\x00-\x1f\x7f]{1,100}$")
    classes: list[str | Class] | None = Field(default=None, min_length=1)
    bands: BandNumber | None = None
    band_names: list[str] | None = None
    dtype: Literal["uint8", "uint16", "int16", "float32"] | None = None
    scale: ScaleInfo | None = None
    range: tuple[_Value, _Value] | None = None
    mean: list[_Value] | None = Field(default=None, min_length=1)
    std: list[_Spread] | None = Field(default=None, min_length=1)
    gsd: _Metres | tuple[_Metres, _Metres] | None = None
    resample_to: _Metres | None = None
    tile: _Edge | None = None
    multiple: _Edge | None = None
    layout: Layout | None = None
    output: str | None = None
    activation: Activation | None = None
    threshold: float | None = Field(default=None, gt=0, lt=1)
    preprocess: PreprocessSettings | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Description":
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError("range: the second value has to be above the first")
        if self.mean is not None and self.range is None and max(map(abs, self.mean)) > 2:
            raise ValueError(
                "mean: above 2 without a range. Add range: [0, 1] for mean and std of the pixels"
                " as they are, or range: [0, 255] for those of pixels divided by 255"
            )
        return self

    @property
    def normalises(self) -> bool:
        """Whether it states how pixels are normalised."""
        return not (self.range is None and self.mean is None and self.std is None)

    def completed(self, metadata: dict[str, Any]) -> "Description":
        """Adds what metadata state and this description does not.

        Args:
            metadata: Values by the names of the attributes.

        Returns:
            The description; range, mean and std come from one of the two, as do pixel sizes.
        """
        stated = self.model_dump(exclude_none=True)
        if self.normalises:
            metadata = {k: v for k, v in metadata.items() if k not in ("range", "mean", "std")}
        if self.gsd is not None:
            metadata = {k: v for k, v in metadata.items() if k != "resample_to"}
        return Description.model_validate(metadata | stated)
