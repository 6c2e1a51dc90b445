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


class Patch:
    """The ground between four avenues: maps district coordinates (s, t) to the plane.

    The mapping is a Coons patch. It is computed once on a grid, between whose points it is
    interpolated.
    """

    _STEPS = 72

    def __init__(self, seed: int, row: int, column: int):
        """Computes the ground of a district.

        Args:
            seed: Seed of the town.
            row: Row of the district in the grid of avenues.
            column: Column of the district in the grid of avenues.
        """
        steps = np.linspace(0, 1, self._STEPS + 1)
        top, bottom = (avenue_line(seed, row + k, column, True, steps)[None] for k in (0, 1))
        left, right = (avenue_line(seed, row, column + k, False, steps)[:, None] for k in (0, 1))
        a, b, c, d = (np.array(junction(seed, row + i, column + j)) for i in (0, 1) for j in (0, 1))
        u, v = steps[None, :, None], steps[:, None, None]
        corners = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d)
        self._grid: Floats = (1 - v) * top + v * bottom + (1 - u) * left + u * right - corners

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Least x and y, greatest x and y of the ground, in metres.

        Includes a margin of 30 m for what is built, leans or casts shadows beyond the avenues.
        """
        (x0, y0), (x1, y1) = self._grid.min((0, 1)) - 30, self._grid.max((0, 1)) + 30
        return x0, y0, x1, y1

    def at(self, s: Floats | float, t: Floats | float) -> Floats:
        """Maps district coordinates to the plane.

        Args:
            s: Coordinates in metres, which broadcast with `t` to (N,).
            t: Coordinates in metres, which broadcast with `s` to (N,).

        Returns:
            Points (N, 2) on the plane, in metres.
        """
        scale = self._STEPS / DISTRICT_SIZE
        u, v = np.atleast_1d(s) * scale, np.atleast_1d(t) * scale
        j = np.minimum(np.maximum(u.astype(int), 0), self._STEPS - 1)
        i = np.minimum(np.maximum(v.astype(int), 0), self._STEPS - 1)
        u, v, grid = (u - j)[:, None], (v - i)[:, None], self._grid
        above = (1 - u) * grid[i, j] + u * grid[i, j + 1]
        below = (1 - u) * grid[i + 1, j] + u * grid[i + 1, j + 1]
        points: Floats = (1 - v) * above + v * below
        return points

    def frame(self, s: float, t: float) -> tuple[Floats, Floats, Floats]:
        """Returns a position on the plane, and two axes there.

        Args:
            s: Place along s, in metres.
            t: Place along t, in metres.

        Returns:
            The position (2,) and two perpendicular axes (2,), each as long as one metre of the
            district is there: the first along s, the second close to t.
        """
        centre, east, south = self.at(np.array([s, s + 1, s]), np.array([t, t, t + 1]))
        across, down = east - centre, south - centre
        normal = np.array([-across[1], across[0]]) / np.hypot(*across)
        return centre, across, normal * np.hypot(*down)

    def box(self, s: float, t: float, width: float, height: float) -> Floats:
        """Returns the corners of a rectangle that is aligned with the streets.

        Args:
            s: Centre along s, in metres.
            t: Centre along t, in metres.
            width: Extent along s, in metres.
            height: Extent along t, in metres.

        Returns:
            Corners (4, 2) on the plane, in metres.
        """
        centre, across, down = self.frame(s, t)
        return np.array(
            [
                centre + across * width * i + down * height * j
                for i, j in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
            ]
        )

    def outline(self, block: Block) -> Floats:
        """Returns the outline of a block, bent as the streets around it are.

        Args:
            block: Block in district coordinates (metres).

        Returns:
            Outline (N, 2) on the plane, in metres.
        """
        step = np.linspace(0, 1, 9)[:-1]
        s = np.concatenate([block.left + step * block.width, np.full(8, block.right)])
        t = np.concatenate([np.full(8, block.top), block.top + step * block.height])
        return self.at(
            np.concatenate([s, block.left + block.right - s]),
            np.concatenate([t, block.top + block.bottom - t]),
        )

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> Floats:
        """Returns points along a straight line of district coordinates.

        Args:
            start: First end (s, t), in metres.
            end: Other end (s, t), in metres.

        Returns:
            Points (16, 2) on the plane, in metres.
        """
        return self.at(np.linspace(start[0], end[0], 16), np.linspace(start[1], end[1], 16))


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
    """Rivers that meander through every second row (or column, by seed) of districts."""

    def __init__(self, seed: int, width: float = 1.0):
        """Draws the rivers of a town.

        Args:
            seed: Seed of the town.
            width: Factor on the width: 0 for no river, 1 for one of some 35 m.
        """
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
