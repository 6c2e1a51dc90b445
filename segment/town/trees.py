"""Trees of a district: planted while it is planned, and grown at the end."""

from collections.abc import Callable

import numpy as np

from segment.town.materials import Season
from segment.town.noise import Floats
from segment.town.patch import Patch
from segment.town.streets import Block


class Trees:
    """Trees of a district.

    Args:
        rng: Random numbers of the district.
        patch: Ground of the district.
        season: Colours of the town.

    Attributes:
        grown: float (N, 7): x, y, radius and height of a crown in metres, its red, green and blue.
            Empty until they are grown.
    """

    def __init__(self, rng: np.random.Generator, patch: Patch, season: Season):
        self._rng, self._patch, self._season = rng, patch, season
        self.grown: Floats = np.empty((0, 7))
        self._planted: list[tuple[float, float, float]] = []  # s, t, crown radius
        self._placed: list[tuple[float, float, float]] = []  # x, y, crown radius

    def hedge(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Plants a row of bushes between two places.

        Args:
            start: First place (s, t), in district coordinates (metres).
            end: Last place (s, t), in district coordinates (metres).
        """
        length = np.hypot(end[0] - start[0], end[1] - start[1])
        for part in np.arange(0, 1, 1.3 / max(length, 1.3)):
            s, t = start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part
            self.at(s, t, self._rng.uniform(0.7, 1.2))

    def within(self, block: Block, smallest: float, largest: float) -> None:
        """Plants a tree anywhere in a block.

        Nothing is planted in a block without an area.

        Args:
            block: Block to plant in, in district coordinates (metres).
            smallest: Least radius of the crown in metres.
            largest: Greatest radius of the crown in metres.
        """
        if block.width > 0 and block.height > 0:
            s, t = (
                self._rng.uniform(block.left, block.right),
                self._rng.uniform(block.top, block.bottom),
            )
            self.at(s, t, self._rng.uniform(smallest, largest))

    def at(self, s: float, t: float, radius: float) -> None:
        """Plants a tree at a place in district coordinates.

        Args:
            s: Place along s, in metres.
            t: Place along t, in metres.
            radius: Radius of the crown in metres.
        """
        self._planted.append((s, t, radius))

    def at_point(self, point: Floats, radius: float) -> None:
        """Plants a tree at a point of the plane.

        Args:
            point: Point (2,) on the plane, in metres.
            radius: Radius of the crown in metres.
        """
        self._placed.append((point[0], point[1], radius))

    def grow(self, to_bank: Callable[[Floats], Floats]) -> None:
        """Grows the trees on dry ground, once all are planted.

        Args:
            to_bank: Returns the distance of points to the bank of the river, see `Plan.to_bank`.
        """
        planted, placed = (
            np.array(rows, np.float64).reshape(-1, 3) for rows in (self._planted, self._placed)
        )
        at = np.concatenate([self._patch.at(planted[:, 0], planted[:, 1]), placed[:, :2]])
        radius = np.concatenate([planted[:, 2], placed[:, 2]])[:, None]
        low, high = np.array(self._season.crown, np.float64)
        if self._season.species:
            low, high = np.moveaxis(
                np.array(self._season.species)[
                    self._rng.integers(len(self._season.species), size=len(at))
                ],
                1,
                0,
            )
        colours = (
            low
            + (high - low) * self._rng.random((len(at), 1))
            + self._rng.uniform(-8, 8, (len(at), 3))
        )
        grown = to_bank(at) > 0.5
        if self._season.trees < 1:
            grown &= self._rng.random(len(at)) < self._season.trees
        self.grown = np.hstack([at, radius, 0.6 + radius * 1.7, colours])[grown]
