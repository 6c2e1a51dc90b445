"""Neighbouring images cut from one scene, recognised by their borders."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

_SAMPLES = 256  # pixels that a border is resampled to
_STEP = 2.0  # standard deviations, estimated from the median, to which differences are clipped
_BY_CHANCE = 0.001  # probability that any two borders of a folder are taken for neighbours
_LEAST = 4.5  # standard deviations, at least: differences are not quite normally distributed
_MARGIN = 1.0  # standard deviations over the second best
_AT_A_TIME = 512

Side = Literal["right", "below"]


@dataclass(frozen=True)
class Borders:
    """The outermost pixels of an image: differences along them, as the mean of its bands.

    Each side has norm 1. Large differences are clipped to twice their usual size, because the edges
    of fields and roofs are few and meet by chance. The differences of a side are all 0 where more
    than half of them are.

    Attributes:
        height: Rows of the image, pixels.
        width: Columns of the image, pixels.
        sides: Differences along the first row, last row, first column and last column, (4, 255).
    """

    height: int
    width: int
    sides: NDArray[np.float32]


@dataclass(frozen=True)
class Neighbours:
    """Two images, the second of which continues the first.

    Attributes:
        first: Position of the first image.
        second: Position of the second image.
        side: Side of the first image on which the second lies.
    """

    first: int
    second: int
    side: Side


def borders(image: NDArray[Any]) -> Borders:
    """Returns the borders of an image.

    Args:
        image: (rows, columns, bands) of any real dtype.

    Returns:
        Differences along its four sides.
    """
    lines = [image[0], image[-1], image[:, 0], image[:, -1]]
    sides = [_differences(line.mean(axis=1, dtype=np.float32)) for line in lines]
    return Borders(image.shape[0], image.shape[1], np.stack(sides))


def _differences(line: NDArray[np.float32]) -> NDArray[np.float32]:
    differences = np.diff(cv2.resize(line[None], (_SAMPLES, 1), interpolation=cv2.INTER_AREA)[0])
    most = _STEP * 1.4826 * float(np.median(np.abs(differences)))
    cut = differences.clip(-most, most)
    centred = cut - cut.mean()
    norm = float(np.linalg.norm(centred))
    if norm <= 1e-6 * _SAMPLES**0.5 * max(float(np.abs(line).mean()), 1e-6):
        return np.zeros(_SAMPLES - 1, np.float32)
    return np.asarray(centred / norm, np.float32)


def find_neighbours(found: Sequence[Borders]) -> list[Neighbours]:
    """Finds images that continue each other.

    Their touching borders are more alike than chance explains, and than either is to any other
    image's. How far a correlation is beyond chance depends on the number of independent values in
    two borders, which is small in smooth images. It is estimated from their autocorrelations
    (Bartlett 1946, On the theoretical specification of autocorrelated time series). The lengths of
    touching borders may differ by a hundredth, as in cuts of scenes.

    Args:
        found: Borders of each image.

    Returns:
        Pairs of neighbours, sorted by the first image.
    """
    top, bottom, left, right = np.stack([one.sides for one in found], axis=1)
    heights, widths = np.array([(one.height, one.width) for one in found], np.float32).T
    touching: tuple[tuple[Side, Any, Any, Any], ...] = (
        ("right", right, left, heights),
        ("below", bottom, top, widths),
    )
    least = max(_LEAST, -NormalDist().inv_cdf(_BY_CHANCE / (2 * max(len(found), 1) ** 2)))
    neighbours = []
    for side, ends, begins, lengths in touching:
        forward = _best(ends, begins, lengths, least)
        backward = _best(begins, ends, lengths, least)
        neighbours += [Neighbours(i, j, side) for i, j in forward.items() if backward.get(j) == i]
    return sorted(neighbours, key=lambda pair: (pair.first, pair.side))


def _best(
    ends: NDArray[np.float32],
    begins: NDArray[np.float32],
    lengths: NDArray[np.float32],
    least: float,
) -> dict[int, int]:
    """Returns for each border, by position, the most similar one of another image.

    Borders to which no other one clearly corresponds are left out.
    """
    best: dict[int, int] = {}
    behind = _autocorrelation(begins)
    for start in range(0, len(ends), _AT_A_TIME):
        rows = np.arange(start, min(start + _AT_A_TIME, len(ends)))
        before = _autocorrelation(ends[rows])
        # lags of both signs
        before[:, 1:] *= 2 * (1 - np.arange(1, before.shape[1]) / before.shape[1])
        independent = ends.shape[1] / np.maximum(before @ behind.T, 1)
        correlation = np.clip(ends[rows] @ begins.T, -0.999, 0.999)
        # Fisher's transformation
        alike = np.arctanh(correlation) * np.sqrt(np.maximum(independent - 3, 0))
        alike[np.abs(lengths[rows, None] - lengths) > 0.01 * lengths] = 0
        alike[np.arange(len(rows)), rows] = 0
        closest = alike.argmax(axis=1)
        most = alike.max(axis=1)
        alike[np.arange(len(rows)), closest] = 0
        clear = (most >= least) & (most - alike.max(axis=1) >= _MARGIN)
        best |= dict(zip(rows[clear].tolist(), closest[clear].tolist(), strict=True))
    return best


def _autocorrelation(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the autocorrelation of lines (borders, samples) of mean 0 and norm 1.

    The result has the same shape, with lags from 0 on.
    """
    samples = lines.shape[1]
    spectrum = np.abs(np.fft.rfft(lines, 2 * samples, axis=1)) ** 2
    return np.fft.irfft(spectrum, 2 * samples, axis=1)[:, :samples].astype(np.float32)
