"""A town: an endless plane of districts, any rectangle of which can be rendered alone."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.core.choices import SampleStyle
from segment.town.climates import varied_season
from segment.town.district import plan_district
from segment.town.materials import LABELS, season
from segment.town.paint import paint
from segment.town.patch import Patch
from segment.town.plan import Plan
from segment.town.streets import DISTRICT_SIZE, River

GROUND_SAMPLING_DISTANCE = 0.3
"""Metres per pixel at which a town is drawn; coarser pixels are means of these."""

BLOCK = 1024
"""Edge in pixels of the squares in which a scene is rendered."""


class Town:
    """The scene of a seed; nothing is computed before `render`.

    A pixel is the mean of `reduction` x `reduction` drawn pixels, and its reference class is the
    one that most of them have. All arguments except `style` are attributes too.

    Args:
        height: Rows of the scene, pixels.
        width: Columns of the scene, pixels.
        seed: Which town, 0 or above.
        style: Style of the town, see `write_sample`.
        reduction: How many drawn pixels a pixel covers along each axis.
    """

    def __init__(
        self, height: int, width: int, seed: int = 0, style: SampleStyle = "dry", reduction: int = 1
    ):
        self.height, self.width, self.seed, self.reduction = height, width, seed, reduction
        self._season = {"dry": season, "varied": varied_season}[style](seed)
        self._river = River(seed, self._season.river)
        self._patch = lru_cache(maxsize=1024)(lambda row, column: Patch(seed, row, column))
        self._district = lru_cache(maxsize=160)(self._plan_district)
        self._square = lru_cache(maxsize=6)(self._paint_square)

    def render(
        self, row: int, col: int, height: int, width: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Renders a rectangle of the scene.

        The result is bit for bit the same as that window of the whole scene. The cost is that of
        the 1024 px squares that the rectangle touches.

        Args:
            row: First row, pixels of the scene.
            col: First column, pixels of the scene.
            height: Rows of the rectangle.
            width: Columns of the rectangle.

        Returns:
            Image (height, width, 3) and reference (height, width), both uint8.

        Raises:
            ValueError: If the rectangle reaches outside the scene.
        """
        if row < 0 or col < 0 or row + height > self.height or col + width > self.width:
            raise ValueError(
                f"Window row={row}, col={col}, height={height}, width={width} reaches outside the"
                f" scene of {self.height} x {self.width} px. Crop it."
            )
        if self.reduction == 1:
            return self._drawn(row, col, height, width)
        image, reference = self._drawn(*(self.reduction * v for v in (row, col, height, width)))
        return _reduced(image, reference, height, width)

    def _drawn(
        self, row: int, col: int, height: int, width: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        image = np.empty((height, width, 3), np.uint8)
        reference = np.empty((height, width), np.uint8)
        for i in range(row // BLOCK, -(-(row + height) // BLOCK)):
            for j in range(col // BLOCK, -(-(col + width) // BLOCK)):
                top, bottom = max(row, i * BLOCK), min(row + height, (i + 1) * BLOCK)
                left, right = max(col, j * BLOCK), min(col + width, (j + 1) * BLOCK)
                there = slice(top - row, bottom - row), slice(left - col, right - col)
                here = (
                    slice(top - i * BLOCK, bottom - i * BLOCK),
                    slice(left - j * BLOCK, right - j * BLOCK),
                )
                square = self._square(i, j)
                image[there], reference[there] = square[0][here], square[1][here]
        return image, reference

    def _plan_district(self, row: int, column: int) -> Plan:
        return plan_district(self.seed, row, column, self._patch(row, column), self._season)

    def _paint_square(self, i: int, j: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return self._paint(i * BLOCK, j * BLOCK, BLOCK)

    def _paint(self, row: int, col: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        left, top, extent = (GROUND_SAMPLING_DISTANCE * v for v in (col, row, size))
        near = []
        for r in range(int(top // DISTRICT_SIZE) - 1, int((top + extent) // DISTRICT_SIZE) + 2):
            for c in range(
                int(left // DISTRICT_SIZE) - 1, int((left + extent) // DISTRICT_SIZE) + 2
            ):
                x0, y0, x1, y1 = self._patch(r, c).bounds
                if x0 < left + extent and x1 > left and y0 < top + extent and y1 > top:
                    near.append(self._district(r, c))
        return paint(self.seed, row, col, size, near, self._river, self._season)


def _reduced(
    image: NDArray[np.uint8], reference: NDArray[np.uint8], height: int, width: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    def mean(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(
            cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )

    values = np.unique(LABELS)
    shares = [mean((reference == value).astype(np.uint8) * np.uint8(255)) for value in values]
    return mean(image), values[np.argmax(shares, axis=0)]
