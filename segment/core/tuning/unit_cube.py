"""Settings as points of a unit cube, a side for each, where an optimiser can measure how far they lie from each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

Points = NDArray[np.float64]
"""(points, settings) or (settings,), each from 0 to 1."""
Distributions = Mapping[str, BaseDistribution]


def as_point(values: Mapping[str, Any], distributions: Distributions) -> Points:
    """Where values lie, (settings,)."""
    return np.array([_position(values[name], distribution) for name, distribution in distributions.items()])


def as_values(point: Points, distributions: Distributions) -> dict[str, Any]:
    """The values at a point (settings,); of whole numbers and choices the nearest."""
    return {name: _value(share, d) for share, (name, d) in zip(point.tolist(), distributions.items(), strict=True)}


def snap(points: Points, distributions: Distributions) -> Points:
    """The points (points, settings) moved to where values can be."""
    return np.stack([as_point(as_values(point, distributions), distributions) for point in points])


def encode(points: Points, distributions: Distributions) -> NDArray[np.float64]:
    """Points (points, settings) as (points, columns) whose distances mean something: any two choices lie as far apart as the
    ends of a range."""
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
        return distribution.choices[min(int(share * len(distribution.choices)), len(distribution.choices) - 1)]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = _ends(distribution)
    value = low + share * (high - low)
    value = float(np.exp(value)) if distribution.log else value
    if isinstance(distribution, IntDistribution):
        return int(np.clip(round(value), distribution.low, distribution.high))
    return float(np.clip(value, distribution.low, distribution.high))


def _ends(distribution: FloatDistribution | IntDistribution) -> tuple[float, float]:
    """Of whole numbers half a step beyond them, so that each has as much room."""
    half = 0.5 if isinstance(distribution, IntDistribution) else 0.0
    low, high = distribution.low - half, distribution.high + half
    return (float(np.log(low)), float(np.log(high))) if distribution.log else (low, high)
