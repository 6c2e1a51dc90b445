"""Images that continue each other: neighbours cut from one scene, told by their borders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

_SAMPLES = 256  # along a border
_ALIKE = 0.8  # correlation
_FLAT = 0.01  # deviation along a border, as a share of the mean, below which it tells nothing
_AT_A_TIME = 512

Side = Literal["right", "below"]


@dataclass(frozen=True)
class Borders:
    """The outermost pixels of an image, as the mean of its bands: (256,) float32 each, mean 0, norm 1; 0 where uniform.

    height, width: of the image, pixels.
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
    return Borders(height, width, *(_standardised(line.mean(axis=1, dtype=np.float32)) for line in lines))


def _standardised(line: NDArray[np.float32]) -> NDArray[np.float32]:
    resized = cv2.resize(line[None], (_SAMPLES, 1), interpolation=cv2.INTER_AREA)[0]
    centred = resized - resized.mean()
    norm = float(np.linalg.norm(centred))
    if norm <= _FLAT * _SAMPLES**0.5 * max(float(np.abs(resized).mean()), 1e-6):
        return np.zeros(_SAMPLES, np.float32)
    return np.asarray(centred / norm, np.float32)


def find_neighbours(found: Sequence[Borders]) -> list[Neighbours]:
    """Pairs whose touching borders correlate by 0.8 or more, better than either does with any other image.

    Borders of neighbours are a pixel apart and correlate by 0.9 and more; of images that are not, by chance, less than 0.7.
    Lengths of touching borders may differ by a hundredth, as cuts of scenes do.
    """
    sides: tuple[tuple[Side, str, str, str], ...] = (("right", "right", "left", "height"), ("below", "bottom", "top", "width"))
    neighbours = []
    for side, ending, beginning, length in sides:
        ends = np.stack([getattr(one, ending) for one in found])
        begins = np.stack([getattr(one, beginning) for one in found])
        lengths = np.array([getattr(one, length) for one in found], np.float32)
        forward = _best(ends, begins, lengths)
        backward = _best(begins, ends, lengths)
        neighbours += [Neighbours(i, j, side) for i, j in forward.items() if backward.get(j) == i]
    return sorted(neighbours, key=lambda pair: (pair.first, pair.side))


def _best(ends: NDArray[np.float32], begins: NDArray[np.float32], lengths: NDArray[np.float32]) -> dict[int, int]:
    """Of each border, by position, the one of another image that is most like it, where one is."""
    best: dict[int, int] = {}
    for start in range(0, len(ends), _AT_A_TIME):
        rows = np.arange(start, min(start + _AT_A_TIME, len(ends)))
        alike = ends[rows] @ begins.T
        alike[np.abs(lengths[rows, None] - lengths) > 0.01 * lengths] = -1
        alike[np.arange(len(rows)), rows] = -1
        likest = alike.argmax(axis=1)
        best |= {int(row): int(j) for row, j, value in zip(rows, likest, alike.max(axis=1), strict=True) if value >= _ALIKE}
    return best
