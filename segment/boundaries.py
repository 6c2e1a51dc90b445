"""Boundary Jaccard: how well a map follows the boundaries of its reference."""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from segment.core.choices import BOUNDARY_WIDTH, MOST_BOUNDARY_WIDTH
from segment.core.config import Settings
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED
from segment.label_sets import LabelSets

ReadRows = Callable[[int, int], NDArray[np.uint8]]
"""Returns the rows from a first one to one before the last, (rows, columns) uint8."""


class ScoreSettings(Settings):
    """How the trained model is scored."""

    boundary_width: int = Field(
        default=BOUNDARY_WIDTH,
        ge=1,
        le=MOST_BOUNDARY_WIDTH,
        description="width of the class boundaries that are scored, pixels",
    )


def check_boundary_width(width: int) -> None:
    """Checks the width of boundaries.

    Args:
        width: Width in pixels.

    Raises:
        InputError: If it is out of range.
    """
    if not (isinstance(width, int | np.integer) and 1 <= width <= MOST_BOUNDARY_WIDTH):
        raise InputError(
            f"boundary_width is a whole number of pixels from 1 to {MOST_BOUNDARY_WIDTH}. Received"
            f" {width!r}."
        )


class Boundaries:
    """Boundary pixels of reference and map, counted piece by piece, and the Jaccard index of them.

    Cheng et al. (2021), "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation": the
    boundary of a class is those of its pixels that an erosion of `width` pixels by a square takes
    away. Intersection over union of these pixels is the score. Only pixels with a reference and a
    prediction exist here: a boundary is between two of them. The edge of an image, of a tile, of
    nodata or of what is not labelled is no boundary, since nobody knows what lies beyond it.

    Where the reference admits several classes, each class is scored against all others over the
    pixels where its membership is certain, as in `Confusion`.

    Args:
        names: The classes, in the order of their indices.
        labels: What the codes of the reference admit; by default each code is one class.
        width: Width of a boundary in pixels, on each side.

    Attributes:
        width: Width of a boundary in pixels, on each side.
        counts: (3, classes) int64: pixels on the boundary of a class in both, in the reference, and
            in the map.

    Raises:
        InputError: If the width is out of range.
    """

    def __init__(
        self,
        names: Sequence[str],
        labels: LabelSets | None = None,
        width: int = BOUNDARY_WIDTH,
    ):
        check_boundary_width(width)
        self.width, self._names, self._labels = width, list(names), labels or LabelSets(names)
        self.counts = np.zeros((3, len(self._names)), np.int64)
        self._square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)

    def add(
        self,
        reference: NDArray[np.uint8],
        predicted: NDArray[np.uint8],
        rows: slice = slice(None),
    ) -> None:
        """Adds an image, a tile, or some rows of one.

        Args:
            reference: Codes of the labels, (rows, columns) uint8; 255 where not labelled.
            predicted: Class indices of the same shape; 255 where not valid.
            rows: Rows to count. `width` rows above and below them decide where their boundaries
                are, if there are any.
        """
        scored = (reference != IGNORED) & (predicted != IGNORED)
        reference = np.where(scored, reference, np.uint8(IGNORED))
        predicted = np.where(scored, predicted, np.uint8(IGNORED))
        if not self._labels.unions:
            self.counts += self._count(reference, predicted, rows, len(self._names))
            return
        certain, positive = self._labels.certain(), self._labels.positive()
        for k in range(len(self._names)):
            table = np.where(certain[:, k] > 0, positive[:, k], IGNORED).astype(np.uint8)
            known = table[reference]
            given = np.where(known == IGNORED, IGNORED, predicted == k).astype(np.uint8)
            self.counts[:, k] += self._count(known, given, rows, 2)[:, 1]

    def _count(
        self, reference: NDArray[np.uint8], predicted: NDArray[np.uint8], rows: slice, classes: int
    ) -> NDArray[np.int64]:
        """Returns (3, classes) as in `counts`, of maps that are 255 at the same pixels."""
        of_reference, of_map = self._edges(reference)[rows], self._edges(predicted)[rows]
        wanted, given = reference[rows], predicted[rows]
        return np.stack(
            [
                np.bincount(wanted[of_reference & of_map & (wanted == given)], minlength=classes),
                np.bincount(wanted[of_reference], minlength=classes),
                np.bincount(given[of_map], minlength=classes),
            ]
        )

    def _edges(self, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where another class is near: lowest and highest index within the width differ."""
        lowest = cv2.erode(labels, self._square)  # what is beyond the border changes nothing
        highest = cv2.dilate(np.where(labels == IGNORED, np.uint8(0), labels), self._square)
        near: NDArray[np.bool_] = (labels != IGNORED) & (lowest != highest)
        return near

    def add_strips(
        self, height: int, reference: ReadRows, predicted: ReadRows, rows: int = 256
    ) -> None:
        """Adds an image strip by strip, with the rows that decide on the boundaries at their edges.

        The counts are those of the whole image at once.

        Args:
            height: Rows of the image.
            reference: Reads rows of the reference, see `add`.
            predicted: Reads rows of the map, see `add`.
            rows: Rows of a strip.
        """
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            first, last = max(top - self.width, 0), min(bottom + self.width, height)
            strip = slice(top - first, bottom - first)
            self.add(reference(first, last), predicted(first, last), strip)

    @property
    def jaccard(self) -> NDArray[np.float64]:
        """Boundary Jaccard of each class, (classes,) float64.

        NaN where the class has no boundary in reference or map, and where no label names it alone.
        """
        both, of_reference, of_map = self.counts
        union = of_reference + of_map - both
        found = np.full(len(self._names), np.nan)
        return np.divide(both, union, out=found, where=(union > 0) & self._labels.named)

    @property
    def mean_jaccard(self) -> float:
        """Mean over the classes with a boundary in reference or map; NaN if there is none."""
        found = self.jaccard[~np.isnan(self.jaccard)]
        return float(found.mean()) if len(found) else float("nan")

    def report(self) -> dict[str, Any]:
        """Returns the scores under the keys of report.json; None for classes without boundary."""

        def number(value: float) -> float | None:
            return None if np.isnan(value) else round(float(value), 6)

        return {
            "mean_boundary_jaccard": number(self.mean_jaccard),
            "boundary_jaccard": {
                name: number(value) for name, value in zip(self._names, self.jaccard, strict=True)
            },
            "boundary_width": self.width,
        }
