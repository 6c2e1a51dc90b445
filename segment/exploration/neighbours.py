"""Images that continue each other: neighbours cut from one scene, told by their borders."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

_SAMPLES = 256  # along a border
_STEP = 2.0  # standard deviations, as the median tells them, that a difference counts at most
_BY_CHANCE = 0.001  # probability that any two borders of a folder are taken for neighbours
_LEAST = 4.5  # standard deviations: differences are not quite normally distributed
_MARGIN = 1.0  # standard deviations over the second best
_AT_A_TIME = 512

Side = Literal["right", "below"]


@dataclass(frozen=True)
class Borders:
    """The outermost pixels of an image, as the mean of its bands: differences along them, (255,) float32 each, norm 1.

    Large differences are cut to twice their usual size: the edges of fields and roofs are few, and meet by chance. All are 0
    where more than half of them are. height, width: of the image, pixels.
    """

    height: int
    width: int
    top: NDArray[np.float32]
    bottom: NDArray[np.float32]
    left: NDArray[np.float32]
    right: NDArray[np.float32]


@dataclass(frozen=True)
class Neighbours:
    """Positions of two images, the second of which continues the first on that side."""

    first: int
    second: int
    side: Side


def borders(image: NDArray[Any]) -> Borders:
    """Of an image (rows, columns, bands) of any real dtype."""
    height, width = image.shape[:2]
    lines = [image[0], image[-1], image[:, 0], image[:, -1]]
    return Borders(height, width, *(_differences(line.mean(axis=1, dtype=np.float32)) for line in lines))


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
    """Pairs whose touching borders are more alike than chance explains, and than either is to any other image's.

    How far a correlation is beyond chance depends on how many independent numbers there are in two borders, which smooth
    images have few of: their autocorrelations tell (Bartlett 1946, On the theoretical specification of autocorrelated time
    series). Lengths of touching borders may differ by a hundredth, as cuts of scenes do.
    """
    sides: tuple[tuple[Side, str, str, str], ...] = (("right", "right", "left", "height"), ("below", "bottom", "top", "width"))
    least = max(_LEAST, -NormalDist().inv_cdf(_BY_CHANCE / (2 * max(len(found), 1) ** 2)))
    neighbours = []
    for side, ending, beginning, length in sides:
        ends = np.stack([getattr(one, ending) for one in found])
        begins = np.stack([getattr(one, beginning) for one in found])
        lengths = np.array([getattr(one, length) for one in found], np.float32)
        forward = _best(ends, begins, lengths, least)
        backward = _best(begins, ends, lengths, least)
        neighbours += [Neighbours(i, j, side) for i, j in forward.items() if backward.get(j) == i]
    return sorted(neighbours, key=lambda pair: (pair.first, pair.side))


def _best(ends: NDArray[np.float32], begins: NDArray[np.float32], lengths: NDArray[np.float32], least: float) -> dict[int, int]:
    """Of each border, by position, the one of another image that is most like it, where one stands out."""
    best: dict[int, int] = {}
    behind = _autocorrelation(begins)
    for start in range(0, len(ends), _AT_A_TIME):
        rows = np.arange(start, min(start + _AT_A_TIME, len(ends)))
        before = _autocorrelation(ends[rows])
        before[:, 1:] *= 2 * (1 - np.arange(1, before.shape[1]) / before.shape[1])  # lags of either sign
        independent = ends.shape[1] / np.maximum(before @ behind.T, 1)
        correlation = np.clip(ends[rows] @ begins.T, -0.999, 0.999)
        alike = np.arctanh(correlation) * np.sqrt(np.maximum(independent - 3, 0))  # Fisher's transformation
        alike[np.abs(lengths[rows, None] - lengths) > 0.01 * lengths] = 0
        alike[np.arange(len(rows)), rows] = 0
        likest = alike.argmax(axis=1)
        most = alike.max(axis=1)
        alike[np.arange(len(rows)), likest] = 0
        stands_out = (most >= least) & (most - alike.max(axis=1) >= _MARGIN)
        best |= {int(row): int(j) for row, j, good in zip(rows, likest, stands_out, strict=True) if good}
    return best


def _autocorrelation(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of lines (borders, samples) of mean 0 and norm 1, at each lag from 0 on, of the same shape."""
    samples = lines.shape[1]
    spectrum = np.abs(np.fft.rfft(lines, 2 * samples, axis=1)) ** 2
    return np.fft.irfft(spectrum, 2 * samples, axis=1)[:, :samples].astype(np.float32)
