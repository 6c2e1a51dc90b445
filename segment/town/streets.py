"""The street net of the sample town: curved avenues around districts, and streets within them.

Streets divide the districts into blocks. Coordinates are metres on the endless plane, x to the
right and y down.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from segment.town.noise import Floats, curve, hashed

DISTRICT_SIZE = 288.0
SIDEWALK = 2.4


class Block(NamedTuple):
    """A rectangle between streets, in the coordinates of its district.

    Attributes:
        left: Least s in metres, 0 to DISTRICT_SIZE.
        top: Least t in metres, 0 to DISTRICT_SIZE.
        right: Greatest s in metres, 0 to DISTRICT_SIZE.
        bottom: Greatest t in metres, 0 to DISTRICT_SIZE.
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Extent along s, in metres."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Extent along t, in metres."""
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (s, t), in metres."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def shrunk(self, by: float) -> "Block":
        """Returns the block without a border.

        Args:
            by: Width of the border in metres.
        """
        return Block(self.left + by, self.top + by, self.right - by, self.bottom - by)


class Street(NamedTuple):
    """A straight street, in the coordinates of its district.

    Attributes:
        start: First end (s, t) of the centre line, in metres.
        end: Other end (s, t) of the centre line, in metres.
        width: Width of the carriageway in metres.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    width: float


@lru_cache(maxsize=4096)
def junction(seed: int, row: int, column: int) -> tuple[float, float]:
    """Returns where two avenues cross.

    Args:
        seed: Seed of the town.
        row: Row of the avenue that runs east.
        column: Column of the avenue that runs south.

    Returns:
        The point (x, y) on the plane, in metres.
    """
    shift = hashed(seed, np.array([row, row]), np.array([2 * column, 2 * column + 1])) * 0.17
    return (column + shift[0]) * DISTRICT_SIZE, (row + shift[1]) * DISTRICT_SIZE


@lru_cache(maxsize=1024)
def avenue_width(seed: int, line: int, eastward: bool) -> float:
    """Returns the width of the carriageway of an avenue.

    Args:
        seed: Seed of the town.
        line: Row of an avenue that runs east, or column of one that runs south.
        eastward: Whether the avenue runs east.

    Returns:
        Width in metres. Above 15 m the avenue has a planted median.
    """
    draw = 0.5 + 0.5 * float(hashed(seed + 1 + eastward, np.array([line]), np.array([0]))[0])
    return 16.0 if draw > 0.82 else 7.5 + 5.0 * draw


def avenue_line(seed: int, row: int, column: int, eastward: bool, steps: Floats) -> Floats:
    """Returns points on the centre line of an avenue, from a junction to the next one.

    The line is a Catmull-Rom spline, so that an avenue runs smoothly through its junctions.

    Args:
        seed: Seed of the town.
        row: Row of the first junction.
        column: Column of the first junction.
        eastward: Whether the next junction is to the east. If not, it is to the south.
        steps: Positions (N,) along the line, 0 at the first junction to 1 at the next.

    Returns:
        Points (N, 2) on the plane, in metres.
    """
    ahead = (0, 1) if eastward else (1, 0)
    knots = np.array(
        [junction(seed, row + k * ahead[0], column + k * ahead[1]) for k in (-1, 0, 1, 2)]
    )
    t = np.asarray(steps, np.float64)[:, None]
    points: Floats = 0.5 * (
        2 * knots[1]
        + (knots[2] - knots[0]) * t
        + (2 * knots[0] - 5 * knots[1] + 4 * knots[2] - knots[3]) * t**2
        + (3 * knots[1] - knots[0] - 3 * knots[2] + knots[3]) * t**3
    )
    return points


def divide(
    rng: np.random.Generator,
    margins: tuple[float, float, float, float],
    longest: float,
    deepest: float,
) -> tuple[list[Block], list[Street]]:
    """Divides a district by streets until all blocks are small enough.

    Args:
        rng: Random numbers of the district.
        margins: Metres that the avenues take on the left, top, right and bottom.
        longest: Greatest width of a block in metres.
        deepest: Greatest height of a block in metres.

    Returns:
        The blocks (kerb to kerb, sidewalks included) and the streets between them.
    """
    blocks: list[Block] = []
    streets: list[Street] = []

    def cut(
        left: float, top: float, right: float, bottom: float, edges: tuple[float, ...], width: float
    ) -> None:
        excess = np.array([(right - left) / longest, (bottom - top) / deepest])
        if excess.max() <= 1:
            blocks.append(
                Block(left + edges[0], top + edges[1], right - edges[2], bottom - edges[3])
            )
            return
        part, half, thinner = (
            rng.uniform(0.42, 0.58),
            width / 2,
            max(4.8, width - rng.uniform(0.4, 1.5)),
        )
        if excess[0] >= excess[1]:
            at = left + part * (right - left)
            streets.append(Street((at, top), (at, bottom), width))
            cut(left, top, at, bottom, (edges[0], edges[1], half, edges[3]), thinner)
            cut(at, top, right, bottom, (half, edges[1], edges[2], edges[3]), thinner)
        else:
            at = top + part * (bottom - top)
            streets.append(Street((left, at), (right, at), width))
            cut(left, top, right, at, (edges[0], edges[1], edges[2], half), thinner)
            cut(left, at, right, bottom, (edges[0], half, edges[2], edges[3]), thinner)

    cut(0, 0, DISTRICT_SIZE, DISTRICT_SIZE, margins, rng.uniform(5.4, 6.8))
    return blocks, streets


class River:
    """Rivers that meander through every second row (or column, by seed) of districts.

    Args:
        seed: Seed of the town.
        width: Factor on the width: 0 for no river, 1 for one of some 35 m.
    """

    def __init__(self, seed: int, width: float = 1.0):
        self._seed, self._width = seed, width
        self._eastward = bool(np.random.default_rng([seed, 11]).integers(2))

    def distance(self, x: Floats, y: Floats) -> Floats:
        """Returns the distance to the bank of the nearest river.

        Args:
            x: Coordinates on the plane in metres, which broadcast with `y`.
            y: Coordinates on the plane in metres, which broadcast with `x`.

        Returns:
            Metres, of the broadcast shape, below zero in the water.
        """
        along, across = (x, y) if self._eastward else (y, x)
        spacing = 2 * DISTRICT_SIZE
        nearest = np.full(np.broadcast_shapes(np.shape(x), np.shape(y)), spacing)
        if not self._width:
            return nearest
        for k in range(
            int(np.floor(across.min() / spacing)) - 1, int(np.floor(across.max() / spacing)) + 2
        ):
            bend = curve(self._seed + 21, k, along, 150.0) * 42
            slope = (curve(self._seed + 21, k, along + 1.0, 150.0) * 42 - bend) / 1.0
            half = 15 + 6 * curve(self._seed + 22, k, along, 90.0)
            half = half + 22 * np.clip(curve(self._seed + 23, k, along, 120.0) - 0.9, 0, 1.2)
            offset = np.abs(across - (k * spacing + DISTRICT_SIZE / 2 + bend)) / np.hypot(1, slope)
            nearest = np.minimum(nearest, offset - np.maximum(half, 7) * self._width)
        return nearest
