"""Which settings are tuned, and between which values."""

import contextlib
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import ConfigDict, Field, ValidationError, model_validator

from segment.core.config import Settings, change_settings
from segment.core.errors import InputError, quoted
from segment.core.yaml_text import read_yaml

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_DRAWS = 100
_LARGEST = 2**53  # a float tells neighbouring whole numbers apart up to there
_CHECKED = 64  # whole numbers of a range
_REPEATED = ("training.seed", "data.split_seed", "data.val_seed")  # that trials are repeated with, and confirmed by
_EXAMPLE = "training.learning_rate: {low: 0.00001, high: 0.01, log: true}"

_Number = Annotated[int | float, Field(ge=-_LARGEST, le=_LARGEST)]


class Parameter(Settings):
    """The values of a setting: from `low` to `high`, evenly or by their logarithms; or one of `choices`, of which a single
    one is the same in all trials."""

    model_config = ConfigDict(allow_inf_nan=True)  # which the bounds refuse, with what is allowed instead

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
            raise ValueError("low must lie below high")
        elif self.log and self.low <= 0:
            raise ValueError("logarithms take a low above 0")
        return self

    @property
    def examples(self) -> list[Any]:
        """Its ends, or all choices."""
        return [self.low, self.high] if self.choices is None else list(self.choices)


Space = Mapping[str, Parameter]
"""Settings by their name, "part.key"."""


def load_space(path: Path) -> dict[str, Parameter]:
    """A search space from YAML: a line `part.key: {low, high, log}` or `part.key: {choices}` for each setting.

    Raises InputError for anything that is not a search space.
    """
    try:
        content = read_yaml(path)
    except (OSError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{path}: a search space is a readable YAML file. Received: {problem}. Mend it.") from error
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: a search space names settings. Received {type(content).__name__}. Write e.g. {_EXAMPLE}")
    space = {}
    for key, values in content.items():
        try:
            space[str(key)] = Parameter.model_validate(values)
        except ValidationError as error:
            problem = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise InputError(f"{path}: {key}: {problem}. Received {quoted(values)}. Write e.g. {_EXAMPLE}") from error
    return space


def dump_space(space: Space) -> str:
    """The search space as YAML that `load_space` reads back."""
    plain = {key: parameter.model_dump(exclude_defaults=True) for key, parameter in space.items()}
    return yaml.safe_dump(plain, sort_keys=False, default_flow_style=None, width=120)


def distributions(space: Space, defaults: Settings) -> dict[str, "BaseDistribution"]:
    """The space as Optuna takes it; whole numbers where the setting takes no others.

    defaults: the settings that the others of a trial have. Raises InputError when a setting does not exist, or does not
    take a value.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not space:
        raise InputError(f"A search space names settings. Received none. Write e.g. {_EXAMPLE}")
    found: dict[str, BaseDistribution] = {}
    for key, parameter in space.items():
        if key in _REPEATED:
            raise InputError(f"{key} is no setting to tune: scores of other seeds tell of luck. Received it. Leave it out.")
        for value in parameter.examples:
            _check_value(key, value, space, defaults)
        if parameter.choices is not None:
            found[key] = CategoricalDistribution(parameter.choices)
            continue
        low, high = parameter.low, parameter.high
        assert low is not None and high is not None
        if _takes_fractions(key, low, high, space, defaults):
            found[key] = FloatDistribution(float(low), float(high), log=parameter.log)
        else:
            for value in range(int(low), int(high) + 1, max(1, int(high - low) // _CHECKED)):
                _check_value(key, value, space, defaults, " Or name the choices.")
            found[key] = IntDistribution(int(low), int(high), log=parameter.log)
    return found


def _check_value(key: str, value: Any, space: Space, defaults: Settings, cure: str = "") -> None:
    """Raises InputError when a setting takes a value neither beside the defaults nor beside others of the space."""
    try:
        change_settings(defaults, {key: value})
        return
    except InputError as error:
        refused = error
    draws = random.Random(0)
    for _ in range(_DRAWS):
        others = {name: draws.choice(parameter.examples) for name, parameter in space.items()}
        with contextlib.suppress(InputError):
            change_settings(defaults, {**others, key: value})
            return
    raise InputError(f"search space, {key}: {refused}{cure}")


def _takes_fractions(key: str, low: float, high: float, space: Space, defaults: Settings) -> bool:
    """Whether the setting takes a number between its ends that is not whole."""
    if low % 1 or high % 1:
        return True
    try:
        _check_value(key, low + (high - low) / math.pi, space, defaults)
    except InputError:
        return False
    return True
