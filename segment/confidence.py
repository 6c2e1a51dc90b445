"""Confidence of a map: how probable the mapped classes are, counted in row strips or blocks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import IGNORED

BINS = 10
"""Number of equal ranges of probability that pixels are counted in."""

_ALL = 2**22  # pixels of a scene up to which all are counted
_STEP = 4  # beyond: each fourth pixel of each fourth row, which takes no time
_ONE = 254  # value of probability 1 in sums, which whole numbers make the same in any order


class ConfidenceCounts:
    """Probabilities of the mapped classes, added up piece by piece in any order.

    In scenes of more than four megapixels, each fourth pixel of each fourth row counts.
    """

    def __init__(self, classes: int, height: int, width: int):
        """Starts without pixels.

        Args:
            classes: Number of classes.
            height: Rows of the scene.
            width: Columns of the scene.
        """
        self._step = 1 if height * width <= _ALL else _STEP
        self._bins = np.zeros((classes, BINS), np.int64)
        self._sums = np.zeros(classes, np.int64)

    def add(
        self,
        top: int,
        left: int,
        labels: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
    ) -> None:
        """Adds a rectangle of the map.

        Args:
            top: Its first row.
            left: Its first column.
            labels: Class indices, (rows, columns) uint8; 255 where not valid.
            probabilities: Class probabilities, (rows, columns, classes).
        """
        some = (
            slice(-top % self._step, None, self._step),
            slice(-left % self._step, None, self._step),
        )
        labels = labels[some]
        valid = labels != IGNORED
        classes = labels[valid].astype(np.int64)
        found = probabilities[some][valid].max(axis=1).clip(0, 1)
        count = len(self._sums)
        bins = np.minimum((found * BINS).astype(np.int64), BINS - 1)
        self._bins += np.bincount(classes * BINS + bins, minlength=count * BINS).reshape(
            count, BINS
        )
        steps = np.rint(found * _ONE)  # whole numbers, of which float64 holds sums exactly
        self._sums += np.bincount(classes, steps, minlength=count).astype(np.int64)

    def state(self) -> dict[str, Any]:
        """Returns what was added, as plain numbers for `merge`."""
        return {"bins": self._bins.tolist(), "sums": self._sums.tolist()}

    def merge(self, state: dict[str, Any]) -> None:
        """Adds what was added to others.

        Args:
            state: What `state` returned.
        """
        self._bins += np.array(state["bins"], np.int64)
        self._sums += np.array(state["sums"], np.int64)

    def report(self, names: list[str]) -> dict[str, Any]:
        """Makes the keys of the report.

        Args:
            names: Names of the classes.

        Returns:
            `mean_confidence`, `confidence` {class} and `confidence_shares`, the share of the
            pixels in each of ten equal ranges of probability; None where no pixel was counted.
        """
        counts = self._bins.sum(axis=1)
        total = int(counts.sum())
        means = [
            round(int(s) / (_ONE * int(n)), 4) if n else None
            for s, n in zip(self._sums, counts, strict=True)
        ]
        return {
            "mean_confidence": round(int(self._sums.sum()) / (_ONE * total), 4) if total else None,
            "confidence": dict(zip(names, means, strict=True)),
            "confidence_shares": [
                round(int(n) / total, 6) if total else None for n in self._bins.sum(axis=0)
            ],
        }
