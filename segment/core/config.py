"""Settings: YAML files and `a.b=value` overrides, validated as pydantic models."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from segment.core.errors import InputError, quoted
from segment.core.yaml_text import parse_yaml, read_yaml


class Settings(BaseModel):
    """Base class for all parts of a configuration.

    Unknown keys are refused, values are also checked when they are changed, and numbers are finite.
    Each number has a lower and an upper bound; a test checks this for all of them.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, field: ValidationInfo) -> Any:
        kinds = _leaves(cls.model_fields[field.field_name or ""].annotation)
        # also YAML's on, off, yes and no
        if {int, float} & kinds and bool not in kinds and _holds_truth_value(value):
            raise ValueError("Input should be a number, not true or false")
        return value


def _leaves(kind: Any) -> set[Any]:
    """Returns the types inside a type, e.g. str, float and None for dict[str, float] | None."""
    return (
        {leaf for part in get_args(kind) for leaf in _leaves(part)}
        if get_origin(kind) not in (None, Literal)
        else {kind}
    )


def _holds_truth_value(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_truth_value, value.values() if isinstance(value, dict) else value))
    return isinstance(value, bool)


CONFIG_FILE = "config.yaml"
"""File of a run folder that holds the settings of the run."""

MACHINERY = ("training.workers", "training.devices", "training.tensorboard", "data.cache_mb")
"""Settings of how a machine does the work.

The result does not depend on them, except for rounding.
"""

MOST_EPOCHS, MOST_BATCH = 100_000, 16_384
"""Largest accepted values. A larger number is assumed to be a typing error."""

BandNumber = Annotated[int, Field(ge=1, le=65_535)]
"""Number of a spectral band, counted from 1 as in GDAL.

A TIFF has at most 65,535 bands.
"""

ClassWeights = Literal["none", "balanced"] | dict[str, Annotated[float, Field(ge=0, le=1e6)]]

Optimizer = Literal["adam", "adamw"]
Schedule = Literal["constant", "cosine", "one_cycle"]


class TrainingSettings(Settings):
    """Settings of a training: duration, optimisation and hardware.

    Attributes:
        epochs: Number of epochs.
        batch_size: Number of samples in a batch.
        optimizer: Name of the optimizer.
        learning_rate: Learning rate at the peak of the schedule.
        weight_decay: Weight decay of adamw; not used with adam.
        schedule: Course of the learning rate over the training.
        warmup_epochs: Length of the linear rise of the learning rate from zero at the start, in
            epochs. It must be less than `epochs`.
        clip_norm: Largest norm of the gradient. 0: no clipping.
        average: Decay of the moving average of the weights over steps, e.g. 0.999. 0: no average.
        precision: Floating-point precision. auto: mixed (bfloat16) on a GPU.
        early_stopping: Epochs without a better validation score after which training ends.
            0: never.
        tensorboard: Whether logs for TensorBoard are written.
        devices: GPUs of each machine that share a batch. `batch_size` must be a multiple of it.
        workers: Threads that prepare batches.
        seed: Seed of the training.
    """

    epochs: int = Field(default=100, ge=1, le=MOST_EPOCHS)
    batch_size: int = Field(default=8, ge=1, le=MOST_BATCH)
    optimizer: Optimizer = "adam"
    learning_rate: float = Field(default=1e-3, gt=0, le=10)
    weight_decay: float = Field(default=1e-4, ge=0, le=10, description="adamw only")
    schedule: Schedule = "cosine"
    warmup_epochs: float = Field(
        default=0.0, ge=0, le=MOST_EPOCHS, description="linear rise from nothing at the start"
    )
    clip_norm: float = Field(
        default=0.0, ge=0, le=1e6, description="largest norm of the gradient; 0: not clipped"
    )
    average: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="of the weights over steps, decay of their moving average, e.g. 0.999; 0: none",
    )
    precision: Literal["auto", "float32", "mixed"] = Field(
        default="auto", description="auto: mixed (bfloat16) on a GPU"
    )
    early_stopping: int = Field(
        default=0,
        ge=0,
        le=MOST_EPOCHS,
        description="epochs without a better validation score before the end; 0: never",
    )
    tensorboard: bool = False
    devices: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="GPUs of each machine that share batches; batch_size: a multiple",
    )
    workers: int = Field(default=2, ge=1, le=256, description="threads that prepare batches")
    seed: int = Field(default=0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _warmup_ends(self) -> "TrainingSettings":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs must end before epochs. Received {self.warmup_epochs} of"
                f" {self.epochs}. Lower it."
            )
        return self


class PreprocessSettings(Settings):
    """Settings of the steps applied to pixels before a network sees them.

    The steps are applied in the order of the attributes, see `preprocess`. All are off by default.

    Attributes:
        denoise: Edge of a median filter in pixels. 0: off.
        clahe: Limit of the contrast enhancement: no value may take more than this many times its
            even share. 0: off; 2 to 4 is usual for 8 bits, and many times that for 16-bit pixels
            that use a small part of their range.
        clahe_cell: Edge of the squares in which contrast is enhanced, in pixels. Tiles of maps are
            aligned to a grid of 32 pixels.
        sharpen: Factor by which the difference from a blurred image is added. 0: off, 1 is strong.
        sharpen_radius: Standard deviation of that blur in pixels.
    """

    denoise: Literal[0, 3, 5] = Field(
        default=0, description="edge of a median filter, pixels; 0: off"
    )
    clahe: float = Field(
        default=0.0,
        ge=0,
        le=65_536,
        description=(
            "contrast is enhanced so far that no value takes more than so many times its even"
            " share; 0: off, 2 to 4 is usual for 8 bits, many times that for 16 bits that fill a"
            " small part of their range"
        ),
    )
    clahe_cell: int = Field(
        default=32,
        ge=8,
        le=8192,
        description=(
            "edge of the squares in which contrast is enhanced, pixels; tiles of maps lie on a grid"
            " of 32"
        ),
    )
    sharpen: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="times that the difference from a blur is added; 0: off, 1 is strong",
    )
    sharpen_radius: float = Field(
        default=1.0, ge=0.3, le=50, description="standard deviation of that blur, pixels"
    )

    @property
    def is_off(self) -> bool:
        """Whether no step is applied."""
        return not (self.denoise or self.clahe or self.sharpen)

    def __str__(self) -> str:
        steps = {
            f"denoise {self.denoise}": self.denoise,
            f"clahe {self.clahe:g} (clahe_cell {self.clahe_cell})": self.clahe,
            f"sharpen {self.sharpen:g} (sharpen_radius {self.sharpen_radius:g})": self.sharpen,
        }
        return ", ".join(step for step, wanted in steps.items() if wanted) or "nothing"


def split_seed(own: int | None, training: TrainingSettings) -> int:
    """Returns the seed that a split is drawn with.

    Args:
        own: Seed of the split, or None if it has none.
        training: Settings that hold the seed of the training.

    Returns:
        The seed of the split, or that of the training if the split has none.
    """
    return training.seed if own is None else own


S = TypeVar("S", bound=Settings)


def load_settings(kind: type[S], path: Path | None = None, overrides: Sequence[str] = ()) -> S:
    """Loads settings from a YAML file and applies overrides.

    Args:
        kind: Class of the settings.
        path: YAML file. Without one, all settings start from their defaults.
        overrides: `key.key=value` texts, where values are YAML. They are applied after the file.

    Returns:
        The validated settings.

    Raises:
        InputError: If the file cannot be read, or a key or value is invalid. The message names the
            key, the value received, and the nearest known key.
    """
    content: Any = {}
    if path is not None:
        try:
            content = read_yaml(path)
        except (OSError, yaml.YAMLError) as error:
            problem = " ".join(str(error).split())
            raise InputError(
                f"{path}: a configuration is a readable YAML file. Received: {problem}. Fix it."
            ) from error
        if content is None:
            content = {}
        if not isinstance(content, dict):
            received = type(content).__name__
            raise InputError(
                f"{path}: a configuration holds `key: value` lines. Received {received}. See the"
                " folder configs."
            )
        # a part with all lines commented out
        content = {key: value for key, value in content.items() if value is not None}
    for override in overrides:
        key, value = _parse_override(override)
        _put(content, key, value)
    return _validate(kind, content, path)


def change_settings(settings: S, values: Mapping[str, Any]) -> S:
    """Returns a copy of settings with some values replaced.

    Args:
        settings: Settings to start from; they are not modified.
        values: New values by "part.key".

    Returns:
        The validated copy.

    Raises:
        InputError: As in `load_settings`.
    """
    content = settings.model_dump(mode="json")
    for key, value in values.items():
        _put(content, key, value)
    return _validate(type(settings), content)


def load_run_settings(
    kind: type[S], output: Path, path: Path | None, overrides: Sequence[str], resume: bool
) -> S:
    """Loads the settings of a run, as `load_settings` does.

    Args:
        kind: Class of the settings.
        output: Folder of the run.
        path: YAML file. Without one, a resumed run uses the settings stored in its folder.
        overrides: As in `load_settings`.
        resume: Whether the run is resumed.

    Returns:
        The validated settings.

    Raises:
        InputError: As in `load_settings`.
    """
    return load_settings(kind, output / CONFIG_FILE if resume and path is None else path, overrides)


def _parse_override(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not all(name.strip().split(".")):
        raise InputError(
            f"Overrides read `part.key=value`. Received {quoted(text)}. Write e.g."
            " training.epochs=20."
        )
    try:
        return name.strip(), parse_yaml(value)
    except yaml.YAMLError as error:
        raise InputError(
            f"{name}: the value is YAML. Received {quoted(value)} ({error}). Quote it."
        ) from error


def _put(content: dict[str, Any], name: str, value: Any) -> None:
    *parts, last = name.split(".")
    for key in parts:
        if content.get(key) is None:
            content[key] = {}
        inner = content[key]
        if not isinstance(inner, dict):
            raise InputError(
                f"{name}: {key!r} is a value, it has no parts. Received {quoted(value)}. Set {key}"
                " itself."
            )
        content = inner
    content[last] = value


def _validate(kind: type[S], content: Mapping[str, Any], path: Path | None = None) -> S:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise InputError(_explain(kind, error, path)) from error


def _explain(kind: type[Settings], error: ValidationError, path: Path | None) -> str:
    # of union members, the best fit fails deepest
    first = max(error.errors(), key=lambda e: len(e["loc"]))
    place = ".".join(
        str(part) for part in first["loc"] if str(part).isidentifier() or isinstance(part, int)
    )
    prefix = f"{path}: " if path else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(kind, first["loc"][:-1])
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        cure = f"Did you mean {near[0]!r}?" if near else f"Known there: {', '.join(known)}."
        return f"{prefix}Unknown setting {place!r}. {cure}"
    rule = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{prefix}{place + ': ' if place else ''}{rule}"
    return (
        f"{prefix}{place}: {rule}. Received {quoted(first['input'])}. Change it there or with --set"
        f" {place}=..."
    )


def _known_keys(kind: type[Settings], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        field = kind.model_fields.get(str(part))
        if field is None or not (
            isinstance(field.annotation, type) and issubclass(field.annotation, Settings)
        ):
            return []
        kind = field.annotation
    return list(kind.model_fields)


def flatten(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens nested settings.

    Args:
        content: Settings as nested dictionaries.
        prefix: Text placed before every key.

    Returns:
        The values by "part.key".
    """
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= (
            flatten(value, f"{prefix}{key}.")
            if isinstance(value, dict)
            else {f"{prefix}{key}": value}
        )
    return flat


def describe_settings(settings: Settings) -> dict[str, Any]:
    """Returns settings as plain values for a model folder.

    Model folders are passed on to others: existing files and folders are given by their names
    only, and the class table is left out.

    Args:
        settings: Settings of a run.

    Returns:
        The settings as nested dictionaries of plain values.
    """

    def name_files(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: name_files(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [name_files(inner) for inner in value]
        return Path(value).name if isinstance(value, str) and Path(value).exists() else value

    found: dict[str, Any] = name_files(
        settings.model_dump(mode="json", exclude={"data": {"classes"}})
    )
    return found


def dump_settings(settings: Settings) -> str:
    """Formats settings as YAML that `load_settings` can read.

    Args:
        settings: Settings to format.

    Returns:
        The YAML text.
    """
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
