"""The street net of the sample town: curved avenues around districts, streets that divide them into blocks.

Coordinates are metres on the endless plane, x to the right and y down.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from segment.town.noise import Floats, curve, hashed

DISTRICT_SIZE = 288.0
SIDEWALK = 2.4


class Block(NamedTuple):
    """A rectangle between streets, in a district's own coordinates (metres, 0 to DISTRICT_SIZE)."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def shrunk(self, by: float) -> "Block":
        return Block(self.left + by, self.top + by, self.right - by, self.bottom - by)


class Street(NamedTuple):
    """A straight street in a district's own coordinates."""

    start: tuple[float, float]
    end: tuple[float, float]
    width: float


@lru_cache(maxsize=4096)
def junction(seed: int, row: int, column: int) -> tuple[float, float]:
    """Where avenues `row` and `column` cross: (x, y)."""
    shift = hashed(seed, np.array([row, row]), np.array([2 * column, 2 * column + 1])) * 0.17
    return (column + shift[0]) * DISTRICT_SIZE, (row + shift[1]) * DISTRICT_SIZE


@lru_cache(maxsize=1024)
def avenue_width(seed: int, line: int, eastward: bool) -> float:
    """Carriageway width of an avenue; above 15 m it has a planted median."""
    draw = 0.5 + 0.5 * float(hashed(seed + 1 + eastward, np.array([line]), np.array([0]))[0])
    return 16.0 if draw > 0.82 else 7.5 + 5.0 * draw


def avenue_line(seed: int, row: int, column: int, eastward: bool, steps: Floats) -> Floats:
    """Points (N, 2) on the centre line from junction (row, column) to the next one; `steps` in 0 to 1.

    A Catmull-Rom spline, so that an avenue runs smoothly through its junctions.
    """
    ahead = (0, 1) if eastward else (1, 0)
    knots = np.array([junction(seed, row + k * ahead[0], column + k * ahead[1]) for k in (-1, 0, 1, 2)])
    t = np.asarray(steps, np.float64)[:, None]
    points: Floats = 0.5 * (
        2 * knots[1]
        + (knots[2] - knots[0]) * t
        + (2 * knots[0] - 5 * knots[1] + 4 * knots[2] - knots[3]) * t**2
        + (3 * knots[1] - knots[0] - 3 * knots[2] + knots[3]) * t**3
    )
    return points


class Patch:
    """The ground between four avenues: maps district coordinates (s, t) to the plane (a Coons patch)."""

    _STEPS = 72

    def __init__(self, seed: int, row: int, column: int):
        steps = np.linspace(0, 1, self._STEPS + 1)
        top, bottom = (avenue_line(seed, row + k, column, True, steps)[None] for k in (0, 1))
        left, right = (avenue_line(seed, row, column + k, False, steps)[:, None] for k in (0, 1))
        a, b, c, d = (np.array(junction(seed, row + i, column + j)) for i in (0, 1) for j in (0, 1))
        u, v = steps[None, :, None], steps[:, None, None]
        corners = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d)
        self._grid: Floats = (1 - v) * top + v * bottom + (1 - u) * left + u * right - corners

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Least x and y, greatest x and y, with what stands, leans or casts shadows beyond the avenues."""
        (x0, y0), (x1, y1) = self._grid.min((0, 1)) - 30, self._grid.max((0, 1)) + 30
        return x0, y0, x1, y1

    def at(self, s: Floats | float, t: Floats | float) -> Floats:
        """Points (N, 2) on the plane for district coordinates that broadcast to (N,)."""
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
        """Position and two perpendicular axes, one district metre long, at (s, t)."""
        centre, east, south = self.at(np.array([s, s + 1, s]), np.array([t, t, t + 1]))
        across, down = east - centre, south - centre
        normal = np.array([-across[1], across[0]]) / np.hypot(*across)
        return centre, across, normal * np.hypot(*down)

    def box(self, s: float, t: float, width: float, height: float) -> Floats:
        """Corners (4, 2) of a rectangle about (s, t) that is aligned with the streets."""
        centre, across, down = self.frame(s, t)
        return np.array(
            [centre + across * width * i + down * height * j for i, j in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))]
        )

    def outline(self, block: Block) -> Floats:
        """Outline (N, 2) of a block, bent as the streets around it are."""
        step = np.linspace(0, 1, 9)[:-1]
        s = np.concatenate([block.left + step * block.width, np.full(8, block.right)])
        t = np.concatenate([np.full(8, block.top), block.top + step * block.height])
        return self.at(
            np.concatenate([s, block.left + block.right - s]),
            np.concatenate([t, block.top + block.bottom - t]),
        )

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> Floats:
        """Points (16, 2) along a line of district coordinates."""
        return self.at(np.linspace(start[0], end[0], 16), np.linspace(start[1], end[1], 16))


def divide(
    rng: np.random.Generator, margins: tuple[float, float, float, float], longest: float, deepest: float
) -> tuple[list[Block], list[Street]]:
    """Divide a district by streets until no block is wider than `longest` or higher than `deepest`.

    Args:
        margins: metres that the avenues take on the left, top, right and bottom.

    Returns:
        the blocks (kerb to kerb, sidewalks included) and the streets between them.
    """
    blocks: list[Block] = []
    streets: list[Street] = []

    def cut(left: float, top: float, right: float, bottom: float, edges: tuple[float, ...], width: float) -> None:
        excess = np.array([(right - left) / longest, (bottom - top) / deepest])
        if excess.max() <= 1:
            blocks.append(Block(left + edges[0], top + edges[1], right - edges[2], bottom - edges[3]))
            return
        part, half, thinner = rng.uniform(0.42, 0.58), width / 2, max(4.8, width - rng.uniform(0.4, 1.5))
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
    """Rivers that meander through every second row of districts (or column, by seed); `width` 0: none, 1: of some 35 m."""

    def __init__(self, seed: int, width: float = 1.0):
        self._seed, self._width = seed, width
        self._eastward = bool(np.random.default_rng([seed, 11]).integers(2))

    def distance(self, x: Floats, y: Floats) -> Floats:
        """Metres to the nearest river's bank, below zero in the water; `x` and `y` broadcast."""
        along, across = (x, y) if self._eastward else (y, x)
        spacing = 2 * DISTRICT_SIZE
        nearest = np.full(np.broadcast_shapes(np.shape(x), np.shape(y)), spacing)
        if not self._width:
            return nearest
        for k in range(int(np.floor(across.min() / spacing)) - 1, int(np.floor(across.max() / spacing)) + 2):
            bend = curve(self._seed + 21, k, along, 150.0) * 42
            slope = (curve(self._seed + 21, k, along + 1.0, 150.0) * 42 - bend) / 1.0
            half = 15 + 6 * curve(self._seed + 22, k, along, 90.0)
            half = half + 22 * np.clip(curve(self._seed + 23, k, along, 120.0) - 0.9, 0, 1.2)
            offset = np.abs(across - (k * spacing + DISTRICT_SIZE / 2 + bend)) / np.hypot(1, slope)
            nearest = np.minimum(nearest, offset - np.maximum(half, 7) * self._width)
        return nearest
