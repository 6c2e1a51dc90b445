"""The search space: settings to tune, and their ranges of values."""

import contextlib
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import ConfigDict, Field, ValidationError, model_validator

from segment.core.config import Settings, change_settings
from segment.core.errors import InputError, quoted
from segment.core.tuning.search import no_check
from segment.core.yaml_text import read_yaml

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_DRAWS = 100
_LARGEST = 2**53  # up to here floats can represent every whole number
_CHECKED = 64  # whole numbers of a range that are checked, roughly
# vary between the repeats and confirmations of a trial
_REPEATED = ("training.seed", "data.split_seed", "data.val_seed")
# decide what is scored; trials would be compared on different ground or images
_DIVIDING = ("data.split", "data.val_fraction", "data.test_fraction", "data.min_labelled")
_EXAMPLE = "training.learning_rate: {low: 0.00001, high: 0.01, log: true}"

_Number = Annotated[int | float, Field(ge=-_LARGEST, le=_LARGEST)]


class Parameter(Settings):
    """Values of a setting to choose from: a range or a list.

    Attributes:
        low: Smallest value of the range.
        high: Largest value of the range.
        log: Whether values are spread evenly by their logarithms and not by themselves.
        choices: Values to choose from, instead of a range. A single one is used in all trials.
    """

    # the bounds refuse infinity, and their message says what is allowed
    model_config = ConfigDict(allow_inf_nan=True)

    low: int | float | None = Field(default=None, ge=-_LARGEST, le=_LARGEST)
    high: int | float | None = Field(default=None, ge=-_LARGEST, le=_LARGEST)
    log: bool = False
    choices: list[str | _Number | bool | None] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _is_a_range_or_choices(self) -> "Parameter":
        if self.choices is not None:
            if self.low is not None or self.high is not None or self.log:
                raise ValueError("values are low and high, or choices")
        elif self.low is None or self.high is None:
            raise ValueError("values are low and high, or choices")
        elif not self.low < self.high:
            raise ValueError("low must be below high")
        elif self.log and self.low <= 0:
            raise ValueError("logarithms take a low above 0")
        return self

    @property
    def examples(self) -> list[Any]:
        """Both ends of the range, or all choices."""
        return [self.low, self.high] if self.choices is None else list(self.choices)


Space = Mapping[str, Parameter]
"""Parameters by the name of their setting, "part.key"."""


def load_space(path: Path) -> dict[str, Parameter]:
    """Reads a search space from a YAML file.

    The file has a line `part.key: {low, high, log}` or `part.key: {choices}` for each setting.

    Args:
        path: YAML file.

    Returns:
        Parameters by the name of their setting.

    Raises:
        InputError: If the file cannot be read or is not a search space.
    """
    try:
        content = read_yaml(path)
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not a YAML file that can be read: {error}.") from error
    if not isinstance(content, dict) or not content:
        raise InputError(
            f"{path}: no settings by name, but {type(content).__name__}. Write e.g. {_EXAMPLE}"
        )
    space = {}
    for key, values in content.items():
        try:
            space[str(key)] = Parameter.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            problem = first["msg"].removeprefix("Value error, ")
            if first["type"] == "extra_forbidden":
                problem = f"values are low, high and log, or choices, not {first['loc'][0]}"
            raise InputError(
                f"{path}: {key}: {problem}. Received {quoted(values)}. Write e.g. {_EXAMPLE}"
            ) from error
    return space


def dump_space(space: Space) -> str:
    """Formats a search space as YAML that `load_space` can read.

    Args:
        space: Search space.

    Returns:
        YAML text.
    """
    plain = {key: parameter.model_dump(exclude_defaults=True) for key, parameter in space.items()}
    return yaml.safe_dump(plain, sort_keys=False, default_flow_style=None, width=120)


def distributions(
    space: Space, defaults: Settings, check: Callable[[Any], None] = no_check
) -> dict[str, "BaseDistribution"]:
    """Converts a search space to distributions of Optuna.

    They have whole numbers where the setting takes no others.

    Args:
        space: Search space.
        defaults: Settings of a trial that are not tuned.
        check: Refuses settings that trials cannot be trained with, see `Task`.

    Returns:
        Distributions by the name of the setting.

    Raises:
        InputError: If the space is empty, or a setting does not exist, does not take a value, or
            is a seed or decides what is scored.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not space:
        raise InputError(f"The search space is empty. Write e.g. {_EXAMPLE}")
    accepted = _Accepted(space, defaults, check)
    accepted.require({})
    found: dict[str, BaseDistribution] = {}
    for key, parameter in space.items():
        if key in _REPEATED:
            raise InputError(
                f"search space, {key}: seeds are not tuned, their scores differ by chance. Leave it"
                " out."
            )
        if key in _DIVIDING:
            raise InputError(
                f"search space, {key}: decides what trials are scored on, so their scores could not"
                " be compared. Leave it out."
            )
        for value in parameter.examples:
            accepted.require({key: value})
        if parameter.choices is not None:
            found[key] = CategoricalDistribution(parameter.choices)
            continue
        low, high = parameter.low, parameter.high
        assert low is not None and high is not None
        if accepted.has_fractions(key, low, high):
            found[key] = FloatDistribution(float(low), float(high), log=parameter.log)
        else:
            for value in range(int(low), int(high) + 1, max(1, int(high - low) // _CHECKED)):
                accepted.require({key: value}, " Or name the choices.")
            found[key] = IntDistribution(int(low), int(high), log=parameter.log)
    return found


@dataclass(frozen=True)
class _Accepted:
    """What settings accept, with the defaults or with other values of the space."""

    space: Space
    defaults: Settings
    check: Callable[[Any], None]

    def require(self, values: Mapping[str, Any], cure: str = "") -> None:
        """Raises InputError if values are refused with the defaults and with others."""
        try:
            self.check(change_settings(self.defaults, values))
            return
        except InputError as error:
            refused = error
        draws = random.Random(0)
        for _ in range(_DRAWS):
            others = {name: draws.choice(one.examples) for name, one in self.space.items()}
            with contextlib.suppress(InputError):
                self.check(change_settings(self.defaults, {**others, **values}))
                return
        raise InputError("".join(f"search space, {key}: " for key in values) + f"{refused}{cure}")

    def has_fractions(self, key: str, low: float, high: float) -> bool:
        """Checks whether a setting takes fractions between `low` and `high`."""
        if low % 1 or high % 1:
            return True
        try:
            self.require({key: low + (high - low) / math.pi})
        except InputError:
            return False
        return True
