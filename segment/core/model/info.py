"""Description of a model, as model.yaml holds it."""

from functools import cached_property
from operator import lt
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from segment.core.common_settings import BandNumber, PreprocessSettings
from segment.core.config import Settings
from segment.core.errors import InputError
from segment.core.inputs.scene_scales import ModelPixels
from segment.core.labels.classes import Class, ClassTable, ComposedText
from segment.core.pixels.band_scale import BandScale
from segment.core.raster.bands import WantedBands

_TYPES = "^(u?int(8|16|32|64)|float(16|32|64))$"
_MOST_PIXELS = 65_536  # of the edge of a tile or image

Share = Annotated[float, Field(ge=0, le=1)]
_Position = Annotated[int, Field(ge=0, le=65_534)]
_Metres = Annotated[float, Field(gt=0, le=1e6)]
_Value = Annotated[float, Field(ge=-1e39, le=1e39)]  # a little more than a float32 holds


class OpenVinoInfo(Settings):
    """Description of the OpenVINO export in a model folder.

    Attributes:
        precision: Precision of the weights.
        versions: Versions of the packages that made the export, by name.
        data: For int8, name of the folder that it was quantised on.
        kind: For int8, what the items in that folder are, in the plural.
        calibrated: For int8, number of items used for calibration.
        scored: For int8, number of the other items, which were scored.
        scores: For int8, scores of "keras" and of "int8" on the scored items, 0 to 1.
    """

    precision: Literal["fp16", "int8"]
    versions: dict[str, str] = Field(default_factory=dict)
    data: str | None = None
    kind: str = "tiles"
    calibrated: int = Field(default=0, ge=0, le=2**53)
    scored: int = Field(default=0, ge=0, le=2**53)
    scores: dict[str, dict[str, Share]] = Field(default_factory=dict)


class LabelInfo(Settings):
    """Input and output of a model of scene labels.

    Attributes:
        resize: Length in pixels to which the shorter side of an image is resized; 0 for no
            resizing. The network sees the middle of the result.
        multi_label: Whether an image may have several labels, so that its probabilities do not sum
            to 1.
        temperature: Divisor of the logits, by which probabilities agree with the share of correct
            predictions.
        thresholds: With several labels, the probability from which each class is assigned, one per
            class; otherwise empty.
        read_bands: Bands to read, numbered from 1, of images with `file_bands` bands; None for all
            but alpha.
        file_bands: Number of bands, without alpha, of the images that `read_bands` refers to.
        rgb: Positions of red, green and blue among the bands read, from 0, for display.
        band_names: Names of the bands read in the training images, by which they are found in
            files that name their bands; empty where the training images named none.
        unsure: Probability below which the most probable class is not given, as the answer is
            unsure; None: it is always given. The data by which unfamiliar images are detected may
            be beside model.yaml.
        label_maps: The classes that each label of a collection may be, by the collections that the
            model learned from together; empty for one table of classes.
    """

    resize: int = Field(ge=0, le=_MOST_PIXELS)
    multi_label: bool = False
    temperature: float = Field(default=1.0, gt=0, le=1000)
    thresholds: list[Share] = Field(default_factory=list)
    read_bands: list[BandNumber] | None = None
    file_bands: BandNumber | None = None
    rgb: tuple[_Position, _Position, _Position] = (0, 1, 2)
    band_names: list[str] = Field(default_factory=list)
    unsure: Share | None = None
    label_maps: dict[str, dict[ComposedText, list[ComposedText]]] = Field(default_factory=dict)


class ScaleInfo(Settings):
    """Scale by which the training images were brought to 8 bits, see `BandScale`.

    Attributes:
        low: Value of each band that becomes 0.
        high: Value of each band that becomes 255.
        dtype: Data type of the images as they are stored.
        origin: How it was chosen, in words.
    """

    low: list[_Value]
    high: list[_Value]
    dtype: str = Field(pattern=_TYPES)
    origin: str

    @classmethod
    def of(cls, scale: BandScale | None) -> "ScaleInfo | None":
        """Describes a scale; None for none.

        Args:
            scale: The scale, or None.

        Returns:
            The description.
        """
        return None if scale is None else cls(**scale.report)

    @model_validator(mode="after")
    def _rises(self) -> "ScaleInfo":
        if len(self.low) != len(self.high) or not all(map(lt, self.low, self.high)):
            raise ValueError("low and high do not fit together")
        return self


class ModelInfo(Settings):
    """Content of `model.yaml`: input and output of a model, and how it was made.

    Attributes:
        task: What the model does.
        name: Name of the network.
        classes: Class table, including classes that are ignored.
        bands: Number of spectral bands of the input.
        dtype: Data type of the pixels that the network was trained on. Normalisation is part of
            the network.
        range: Smallest and largest value of these pixels.
        scale: Scale that brought the training images to `dtype`; None where they had it already.
        preprocess: Preprocessing of the pixels of a file before they enter the network, see
            `preprocess`; none by default.
        tile: Edge of a training tile in pixels.
        multiple: Number that the edge of any other tile must be a multiple of.
        fixed_tile: Whether other edges than `tile` are impossible.
        ground_sampling_distance: Metres per pixel of the training images as the network saw them;
            None where the images did not state it.
        ground_sampling_range: Smallest and largest metres per pixel that the network saw, including
            the enlargement and reduction of crops.
        openvino: Description of the OpenVINO export; None without one.
        labels: Input and output of a model of scene labels; None for other models.
        band_names: What the bands of a model of maps are, by the names in the training images;
            empty where these did not name them.
        training: Data, settings and other facts of the training.
        notes: What reports of maps say of the model, such as what was assumed of it.
        scores: Scores of the model by part of the data.
        checksums: SHA-256 of the files in the folder by name, to detect a damaged or exchanged
            file; see `check_files`.
        versions: Versions of the packages that wrote the model, by name.
    """

    task: Literal["segment", "classify", "generate"]
    name: str
    classes: list[Class]
    bands: BandNumber
    dtype: str = Field(pattern=_TYPES)
    range: tuple[_Value, _Value]
    scale: ScaleInfo | None = None
    preprocess: PreprocessSettings = PreprocessSettings()
    tile: int = Field(ge=1, le=_MOST_PIXELS)
    multiple: int = Field(default=32, ge=1, le=_MOST_PIXELS)
    fixed_tile: bool = False
    ground_sampling_distance: _Metres | None = None
    ground_sampling_range: tuple[_Metres, _Metres] | None = None
    openvino: OpenVinoInfo | None = None
    labels: LabelInfo | None = None
    band_names: list[str] = Field(default_factory=list)
    training: dict[str, Any] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    scores: dict[str, Any] = Field(default_factory=dict)
    checksums: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(
        default_factory=dict
    )
    versions: dict[str, str] = Field(default_factory=dict)

    @field_validator("range", "ground_sampling_range")
    @classmethod
    def _rises(cls, ends: tuple[float, float] | None) -> tuple[float, float] | None:
        if ends is not None and ends[0] > ends[1]:
            raise ValueError("the first value is above the second")
        return ends

    @model_validator(mode="after")
    def _scale_fits(self) -> "ModelInfo":
        if self.scale and (len(self.scale.low), self.dtype) != (self.bands, "uint8"):
            raise ValueError(
                f"scale: is for {len(self.scale.low)} bands brought to uint8, the model takes"
                f" {self.bands} of {self.dtype}"
            )
        return self

    @model_validator(mode="after")
    def _labels_fit(self) -> "ModelInfo":
        if (labels := self.labels) is None:
            return self
        wanted = len(self.class_table) if labels.multi_label else 0
        if (given := len(labels.thresholds)) != wanted:
            rule = f"{wanted} thresholds, one per class of several labels, not {given}"
            raise ValueError(f"labels.thresholds: {rule}")
        # not by the property: a copy with other classes would keep it
        values = {c.value for c in ClassTable(self.classes).table}
        if labels.unsure is not None and values.issuperset(range(255)):
            raise ValueError("labels.unsure: is not null, but classes have all values of 0 to 254")
        every = labels.label_maps.values()
        named = {name for one in every for names in one.values() for name in names}
        if named and (unknown := named - set(self.class_table.names)):
            raise ValueError(f"labels.label_maps: {min(unknown)} is not a class of the model")
        return self

    def require_task(self, task: str) -> None:
        """Checks that the model was made for a task.

        Args:
            task: Task that is needed, as in `task` of this class.

        Raises:
            InputError: If the model was made for another task.
        """
        if self.task != task:
            raise InputError(
                f"{self.name} is a model of task {self.task}, needed is one of task {task}. Give"
                " another model."
            )

    @property
    def pixels(self) -> ModelPixels:
        """Pixels that the model takes."""
        scale: BandScale | None = None
        if own := self.scale:
            scale = BandScale(tuple(own.low), tuple(own.high), own.dtype, own.origin)
        return ModelPixels(self.bands, self.dtype, scale, self.wanted_bands.names)

    @cached_property
    def class_table(self) -> ClassTable:
        """Class table of the model."""
        return ClassTable(self.classes)

    @cached_property
    def wanted_bands(self) -> WantedBands:
        """The bands that the model reads, by which they are found in files."""
        if self.labels is None:
            return WantedBands(self.bands, tuple(self.band_names))
        # bands that were chosen by number are no colours
        chosen = [f"band {number}" for number in self.labels.read_bands or ()]
        return WantedBands(self.bands, tuple(self.labels.band_names or chosen))

    @cached_property
    def class_count(self) -> int:
        """Number of classes that the model distinguishes."""
        return len(self.class_table)
