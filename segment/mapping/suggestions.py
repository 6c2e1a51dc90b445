"""Windows of a map that are worth labelling next."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment.core.model.folder import ModelInfo
from segment.core.raster.geopackage import write_geopackage
from segment.core.raster.reader import Raster
from segment.mapping.journal import CLASSES, CONFIDENCE, CONFIDENCE_STEPS, Journal

WINDOW = 256
"""Edge of a suggested window, pixels."""

_LEAST_VALID = 0.5  # share of a window that must hold pixels
_CANDIDATES = 8  # windows to choose among, per window wanted
_LAYER = "suggestions"


class WindowStatistics:
    """What a map holds in each window of `WINDOW` pixels.

    Attributes:
        places: Row and column of each window's first pixel, (windows, 2) int64.
        pixels: Pixels of each class, (windows, classes) int64.
        doubt: Sum of 1 - confidence over the pixels of each class, (windows, classes).
    """

    def __init__(self, journal: Journal, scene: Raster, info: ModelInfo):
        """Reads a finished map, a row of windows at a time.

        Args:
            journal: Journal with all rows of classes and confidence.
            scene: The scene.
            info: Description of the model.
        """
        values = [c.value or 0 for c in info.class_table.mapped]
        index = np.full(256, len(values), np.int64)
        index[values] = np.arange(len(values))
        places, pixels, doubt = [], [], []
        columns = np.arange(scene.width) // WINDOW
        windows, bins = int(columns[-1]) + 1, len(values) + 1
        files = [
            np.memmap(journal.file(name), np.uint8, "r", shape=(scene.height, scene.width))
            for name in (CLASSES, CONFIDENCE)
        ]
        for top in range(0, scene.height, WINDOW):
            labels, confidence = (np.asarray(file[top : top + WINDOW]) for file in files)
            keys = (columns * bins + index[labels]).reshape(-1)
            unsure = 1 - confidence.reshape(-1) / CONFIDENCE_STEPS
            for found, weights in ((pixels, None), (doubt, unsure)):
                sums = np.bincount(keys, weights, windows * bins).reshape(windows, bins)
                found.append(sums[:, :-1])
            places.append(np.stack([np.full(windows, top), np.arange(windows) * WINDOW], axis=1))
        self.places = np.concatenate(places)
        self.pixels = np.concatenate(pixels).astype(np.int64)
        self.doubt = np.concatenate(doubt)

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """Mean of 1 - confidence of each window, (windows,); 0 where too few pixels are valid."""
        valid = self.pixels.sum(axis=1)
        enough = valid >= _LEAST_VALID * WINDOW**2
        return np.asarray(np.where(enough, self.doubt.sum(axis=1) / np.maximum(valid, 1), 0.0))

    @property
    def features(self) -> NDArray[np.float64]:
        """Share of the pixels and share of the doubt of each class, (windows, 2 x classes)."""
        shares = [
            part / np.maximum(part.sum(axis=1, keepdims=True), 1e-9)
            for part in (self.pixels, self.doubt)
        ]
        return np.concatenate(shares, axis=1)


def choose_windows(
    uncertainty: NDArray[np.float64],
    features: NDArray[np.float64],
    places: NDArray[np.int64],
    count: int,
) -> NDArray[np.int64]:
    """Chooses windows that are uncertain, unlike each other, and far apart.

    The first is the most uncertain one. Each further one has the largest product of uncertainty
    and distance to the nearest one chosen so far, where distance counts features and ground alike
    (a weighted farthest-first traversal, as in core-set selection: Sener and Savarese 2018).

    Args:
        uncertainty: Uncertainty of each window, (windows,); those of 0 are never chosen.
        features: What the network found in it, (windows, features), each 0 to 1.
        places: Row and column of its first pixel, (windows, 2).
        count: Windows wanted.

    Returns:
        Positions of the chosen windows, the first choice first; at most `count`.
    """
    candidates = np.argsort(-uncertainty, kind="stable")[: max(count * _CANDIDATES, count)]
    candidates = candidates[uncertainty[candidates] > 0]
    if not len(candidates):
        return candidates
    weights, found = uncertainty[candidates], features[candidates]
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
    journal: Journal, path: Path, scene: Raster, info: ModelInfo, count: int
) -> int:
    """Writes the windows that are worth labelling next as polygons with an empty class.

    Fields: `class`, empty, to be filled in; `rank`, 1 for the first choice; `uncertainty`, the mean
    of 1 - confidence; `reason`.

    Args:
        journal: Journal with all rows of classes and confidence.
        path: GeoPackage to write.
        scene: The scene.
        info: Description of the model.
        count: Windows wanted, 1 or more.

    Returns:
        The number of windows written; smaller where the scene has fewer windows with pixels.

    Raises:
        InputError: If the file cannot be written.
    """
    import shapely

    found = WindowStatistics(journal, scene, info)
    chosen = choose_windows(found.uncertainty, found.features, found.places, count)
    tops, lefts = found.places[chosen].T
    bottoms = np.minimum(tops + WINDOW, scene.height)
    rights = np.minimum(lefts + WINDOW, scene.width)
    names = info.class_table.names
    fields = {
        "class": np.full(len(chosen), None, object),
        "rank": np.arange(1, len(chosen) + 1),
        "uncertainty": found.uncertainty[chosen].round(3),
        "reason": np.array([_reason(found, names, window) for window in chosen], object),
    }
    polygons = shapely.box(lefts, tops, rights, bottoms)
    write_geopackage(np.asarray(polygons), fields, scene, info.class_table, path, _LAYER)
    return len(chosen)


def _reason(found: WindowStatistics, names: list[str], window: int) -> str:
    """States what is uncertain in a window, and what it holds most."""
    doubt, pixels = found.doubt[window], found.pixels[window]
    first = int(doubt.argmax())
    share = doubt[first] / max(float(doubt.sum()), 1e-9)
    most = int(pixels.argmax())
    text = f"uncertain where it is mapped as {names[first]} ({share:.0%} of the uncertainty)"
    return text if most == first else f"{text}; mostly {names[most]}"
