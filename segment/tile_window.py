"""A rectangle of a scene, and the tiles that touch it, in plain integers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from segment.core.pixels.geometry import Rectangle
from segment.tiling import TilePlan


@dataclass(frozen=True)
class Window(Rectangle):
    """A rectangle of a planned scene, and all tiles that touch it.

    The map of the rectangle depends on nothing else.

    Attributes:
        plan: Tiles of the whole scene.
        top: First row, pixels of the scene.
        bottom: Past the last row.
        left: First column, pixels of the scene.
        right: Past the last column.
    """

    plan: TilePlan
    top: int
    bottom: int
    left: int
    right: int

    @cached_property
    def _indices(self) -> list[int]:
        return [
            index
            for index, row in enumerate(self.plan.rows)
            if self._touches(row - self.plan.top, self.top, self.bottom)
        ]

    @cached_property
    def rows(self) -> list[int]:
        """First padded row of each row of tiles."""
        return [self.plan.rows[index] for index in self._indices]

    @cached_property
    def columns(self) -> list[int]:
        """First padded column of each column of tiles."""
        return [
            column
            for column in self.plan.columns
            if self._touches(column - self.plan.left, self.left, self.right)
        ]

    def _touches(self, start: int, first: int, last: int) -> bool:
        return start < last and start + self.plan.tile > first

    @cached_property
    def finished(self) -> list[tuple[int, int]]:
        """What `TilePlan.finished` gives for each row of tiles, limited to the window."""
        inside = [self.plan.finished[index] for index in self._indices]
        return [
            (min(max(a, self.top), self.bottom), min(max(b, self.top), self.bottom))
            for a, b in inside
        ]

    @cached_property
    def scene_columns(self) -> NDArray[np.intp]:
        """Scene column behind each padded column of the window's tiles, from first to last."""
        return self.plan.scene_columns(self.columns[0], self.columns[-1] + self.plan.tile)
