"""Smooth noise on the endless plane: values depend on absolute position and seed only."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def hashed(seed: int, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Floats:
    """Returns a random number for each integer position.

    Args:
        seed: One field of numbers per seed.
        rows: int64, of any shape that broadcasts with `columns`.
        columns: int64, of any shape that broadcasts with `rows`.

    Returns:
        float64 in -1 to 1, of the broadcast shape.
    """
    state = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = state + columns.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    state = state + np.uint64((seed * 0x165667B19E3779F9) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    values: Floats = (state >> np.uint64(11)) / 2.0**52 - 1.0
    return values


def spline_weights(fraction: Floats) -> Floats:
    """Returns the cubic B-spline weights of the four lattice points around a position.

    Args:
        fraction: Distance from the lattice point before the position, 0 to 1, in steps of the
            lattice; of any shape.

    Returns:
        Weights (..., 4), which sum to 1 along the last axis.
    """
    f = fraction[..., None]
    rest = 1 - f
    outer, inner = rest**3, 3 * rest**3 - 6 * rest**2 + 4
    weights: Floats = np.concatenate([outer, 3 * f**3 - 6 * f**2 + 4, inner, f**3], axis=-1) / 6
    return weights


def noise(seed: int, ys: Floats, xs: Floats, cell: float) -> NDArray[np.float32]:
    """Returns noise of zero mean and unit deviation on the grid of `ys` by `xs`.

    Args:
        seed: One field per seed.
        ys: Absolute coordinates of the rows (H,).
        xs: Absolute coordinates of the columns (W,).
        cell: Distance between lattice points, in the unit of the coordinates.

    Returns:
        float32 (H, W).
    """

    def weights(positions: Floats) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        scaled = np.asarray(positions, np.float64) / cell
        first = np.floor(scaled).astype(np.int64)
        lattice = np.arange(first.min() - 1, first.max() + 3)
        matrix = np.zeros((len(scaled), len(lattice)), np.float32)
        columns = (first - lattice[0] - 1)[:, None] + np.arange(4)
        np.put_along_axis(
            matrix, columns, spline_weights(scaled - first).astype(np.float32), axis=1
        )
        return lattice, matrix

    rows, down = weights(ys)
    columns, across = weights(xs)
    values = hashed(seed, rows[:, None], columns[None, :]).astype(np.float32) * np.float32(3.6)
    return down @ values @ across.T


def curve(seed: int, line: int, along: Floats, cell: float) -> Floats:
    """Returns noise in one dimension, of zero mean and unit deviation.

    Args:
        seed: One family of curves per seed.
        line: Which curve of the family.
        along: Positions, of any shape.
        cell: Distance between lattice points, in the unit of `along`.

    Returns:
        Values of the curve, of the shape of `along`.
    """
    scaled = np.asarray(along, np.float64) / cell
    first = np.floor(scaled).astype(np.int64)
    taps = first[..., None] + np.arange(-1, 3)
    values = hashed(seed, np.full_like(taps, line), taps)
    smooth: Floats = 2.5 * (values * spline_weights(scaled - first)).sum(-1)
    return smooth
