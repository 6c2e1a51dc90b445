"""Settings as points of a unit cube, which has one side for each setting.

An optimiser can measure distances between such points.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Points = NDArray[np.float64]
"""Points (points, settings), or one point (settings,), float64, each from 0 to 1."""

Distributions = Mapping[str, BaseDistribution]
"""Distributions by the name of the setting."""


def as_point(values: Mapping[str, Any], distributions: Distributions) -> Points:
    """Converts the values of settings to a point.

    Args:
        values: Values by the name of the setting.
        distributions: Distributions of the settings.

    Returns:
        Point (settings,). Values outside their range are below 0 or above 1.

    Raises:
        ValueError: If a value is not one of the choices.
    """
    return np.array(
        [_position(values[name], distribution) for name, distribution in distributions.items()]
    )


def as_values(point: Points, distributions: Distributions) -> dict[str, Any]:
    """Converts a point to the values of settings.

    Args:
        point: Point (settings,).
        distributions: Distributions of the settings.

    Returns:
        Values by the name of the setting; the nearest ones of whole numbers and choices.
    """
    return {
        name: _value(share, d)
        for share, (name, d) in zip(point.tolist(), distributions.items(), strict=True)
    }


def snap(points: Points, distributions: Distributions) -> Points:
    """Moves points to the nearest points that are possible values.

    Args:
        points: Points (points, settings).
        distributions: Distributions of the settings.

    Returns:
        The moved points (points, settings).
    """
    return np.stack([as_point(as_values(point, distributions), distributions) for point in points])


def encode(points: Points, distributions: Distributions) -> NDArray[np.float64]:
    """Converts points to columns with meaningful distances.

    Any two choices are as far apart as the ends of a range.

    Args:
        points: Points (points, settings).
        distributions: Distributions of the settings.

    Returns:
        Array (points, columns), float64. A choice has a column for each of its values.
    """
    columns = []
    for column, distribution in zip(points.T, distributions.values(), strict=True):
        if isinstance(distribution, CategoricalDistribution):
            count = len(distribution.choices)
            chosen = np.minimum((column * count).astype(int), count - 1)
            columns += list(np.eye(count)[chosen].T / 2**0.5)
        else:
            columns.append(column)
    return np.stack(columns, axis=1)


def _position(value: Any, distribution: BaseDistribution) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return (distribution.choices.index(value) + 0.5) / len(distribution.choices)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = _ends(distribution)
    return float(((np.log(value) if distribution.log else value) - low) / (high - low))


def _value(share: float, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[
            min(int(share * len(distribution.choices)), len(distribution.choices) - 1)
        ]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = _ends(distribution)
    value = low + share * (high - low)
    value = float(np.exp(value)) if distribution.log else value
    if isinstance(distribution, IntDistribution):
        return int(np.clip(round(value), distribution.low, distribution.high))
    return float(np.clip(value, distribution.low, distribution.high))


def _ends(distribution: FloatDistribution | IntDistribution) -> tuple[float, float]:
    """Returns the ends of a range; half a step wider for whole numbers, for equal shares."""
    half = 0.5 if isinstance(distribution, IntDistribution) else 0.0
    low, high = distribution.low - half, distribution.high + half
    return (float(np.log(low)), float(np.log(high))) if distribution.log else (low, high)
