"""Windows of a map that are worth labelling next."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable
from segment.core.maps.geopackage import write_geopackage
from segment.core.raster.grid import PixelGrid

WINDOW = 256
"""Edge of a suggested window, pixels."""
SUGGESTION_FIELD = "class"
"""Field that is empty, to be filled in."""

_LAYER = "suggestions"
_MOST = 1000
_LEAST_MAPPED = 0.1  # share of a window that must hold pixels of the map
_CANDIDATES = 8  # windows to choose among, per window wanted


@dataclass(frozen=True)
class WindowStatistics:
    """What a map holds in each of its windows.

    The windows do not overlap. What is left over of a side is divided between both of its ends.

    Attributes:
        places: Row and column of each window's first pixel, (windows, 2) int64.
        height: Rows of a window, at most `WINDOW`.
        width: Columns of a window, at most `WINDOW`.
        pixels: Pixels of each class, (windows, classes) int64.
        doubt: Sum of 1 - confidence over the pixels of each class, (windows, classes) float64.
    """

    places: NDArray[np.int64]
    height: int
    width: int
    pixels: NDArray[np.int64]
    doubt: NDArray[np.float64]

    @classmethod
    def of(
        cls, classes: Path, confidence: Path, steps: int, grid: PixelGrid, class_table: ClassTable
    ) -> "WindowStatistics":
        """Reads a finished map, a row of windows at a time.

        Args:
            classes: File of height x width class values, one byte each, row by row.
            confidence: File of as many confidences, 0 to `steps`.
            steps: Confidence where the most probable class has probability 1.
            grid: Grid of the map.
            class_table: Class table of the map.

        Returns:
            The statistics. Pixels of other values, as nodata is, count nowhere.
        """
        values = [c.value or 0 for c in class_table.mapped]
        index = np.full(256, len(values), np.int64)
        index[values] = np.arange(len(values))
        bins, shape = len(values) + 1, (grid.height, grid.width)
        height, width = min(WINDOW, grid.height), min(WINDOW, grid.width)
        top, left = grid.height % height // 2, grid.width % width // 2
        tops = top + np.arange(grid.height // height) * height
        lefts = left + np.arange(grid.width // width) * width
        inside = slice(left, left + len(lefts) * width)
        files = [np.memmap(file, np.uint8, "r", shape=shape) for file in (classes, confidence)]
        number = np.arange(len(lefts)).repeat(width) * bins
        pixels: list[NDArray[Any]] = []
        doubt: list[NDArray[Any]] = []
        for row in tops.tolist():
            labels, sure = (np.asarray(file[row : row + height, inside]) for file in files)
            keys = (number + index[labels]).reshape(-1)
            for found, weights in ((pixels, None), (doubt, 1 - sure.reshape(-1) / steps)):
                sums = np.bincount(keys, weights, len(lefts) * bins).reshape(-1, bins)
                found.append(sums[:, :-1])
        return cls(
            np.stack([tops.repeat(len(lefts)), np.tile(lefts, len(tops))], axis=1),
            height,
            width,
            np.concatenate(pixels).astype(np.int64),
            np.concatenate(doubt),
        )

    @property
    def mapped(self) -> NDArray[np.float64]:
        """Share of each window's pixels that the map holds, (windows,), 0 to 1."""
        return np.asarray(self.pixels.sum(axis=1) / (self.height * self.width))

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """Mean of 1 - confidence over the mapped pixels of each window, (windows,), 0 to 1."""
        return np.asarray(self.doubt.sum(axis=1) / np.maximum(self.pixels.sum(axis=1), 1))

    @property
    def worth(self) -> NDArray[np.float64]:
        """Share of each window's pixels that are probably wrong, (windows,), 0 to 1.

        It is 0 where the map holds too few pixels.
        """
        return np.where(self.mapped >= _LEAST_MAPPED, self.uncertainty * self.mapped, 0.0)

    @property
    def features(self) -> NDArray[np.float64]:
        """Share of the pixels and share of the doubt of each class, (windows, 2 x classes)."""
        shares = [
            part / np.maximum(part.sum(axis=1, keepdims=True), 1e-9)
            for part in (self.pixels, self.doubt)
        ]
        return np.concatenate(shares, axis=1)


def check_count(count: int) -> None:
    """Checks how many windows are asked for.

    Args:
        count: Windows wanted, 0 for none.

    Raises:
        InputError: If it is below 0 or above 1000.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MOST:
        raise InputError(
            f"--suggest: a number of windows, 0 to {_MOST}. Received {count!r}. Give e.g. 20."
        )


def choose_windows(
    worth: NDArray[np.float64],
    features: NDArray[np.float64],
    places: NDArray[np.int64],
    count: int,
) -> NDArray[np.int64]:
    """Chooses windows that are uncertain, unlike each other, and far apart.

    The first is the one that is worth most. Each further one has the largest product of worth and
    distance to the nearest one chosen so far, where distance counts features and ground alike (a
    weighted farthest-first traversal, as in core-set selection: Sener and Savarese 2018).

    Args:
        worth: Worth of each window, (windows,); those of 0 are never chosen.
        features: What the network found in it, (windows, features), each 0 to 1.
        places: Row and column of its first pixel, (windows, 2).
        count: Windows wanted.

    Returns:
        Positions of the chosen windows, the first choice first; at most `count`.
    """
    candidates = np.argsort(-worth, kind="stable")[: count * _CANDIDATES]
    candidates = candidates[worth[candidates] > 0]
    if not len(candidates):
        return np.zeros(0, np.int64)
    weights, found = worth[candidates], features[candidates]
    ground = places[candidates] / max(float(np.ptp(places, axis=0).max()), 1.0)
    chosen = [0]
    nearest = np.full(len(candidates), np.inf)
    while len(chosen) < min(count, len(candidates)):
        last = chosen[-1]
        distance = np.hypot(
            np.linalg.norm(found - found[last], axis=1),
            np.linalg.norm(ground - ground[last], axis=1),
        )
        nearest = np.minimum(nearest, distance)
        score = weights * nearest
        score[chosen] = -1
        chosen.append(int(score.argmax()))
    return np.asarray(candidates[chosen])


def write_suggestions(
    found: WindowStatistics, path: Path, grid: PixelGrid, class_table: ClassTable, count: int
) -> int:
    """Writes the windows that are worth labelling next as polygons with an empty class.

    Fields: `class`, empty, to be filled in; `rank`, 1 for the first choice; `uncertainty`, the mean
    of 1 - confidence; `reason`.

    Args:
        found: What the map holds in each window.
        path: GeoPackage to write.
        grid: Grid of the map.
        class_table: Class table of the map.
        count: Windows wanted, 1 or more.

    Returns:
        The number of windows written; smaller where the map has fewer with uncertain pixels.

    Raises:
        InputError: If the file cannot be written.
    """
    import shapely

    chosen = choose_windows(found.worth, found.features, found.places, count)
    tops, lefts = found.places[chosen].T
    fields = {
        SUGGESTION_FIELD: np.full(len(chosen), None, object),
        "rank": np.arange(1, len(chosen) + 1),
        "uncertainty": found.uncertainty[chosen].round(3),
        "reason": np.array([_reason(found, class_table.names, k) for k in chosen], object),
    }
    polygons = shapely.box(lefts, tops, lefts + found.width, tops + found.height)
    write_geopackage(np.asarray(polygons), fields, grid, class_table, path, _LAYER, with_empty=True)
    return len(chosen)


def _reason(found: WindowStatistics, names: list[str], window: int) -> str:
    """States what is uncertain in a window, and what it holds most."""
    doubt, pixels = found.doubt[window], found.pixels[window]
    first, most = int(doubt.argmax()), int(pixels.argmax())
    share = doubt[first] / max(float(doubt.sum()), 1e-9)
    text = (
        f"mean confidence {1 - found.uncertainty[window]:.0%}; {share:.0%} of the uncertainty where"
        f" mapped as {names[first]}"
    )
    return text if most == first else f"{text}; mostly {names[most]}"
