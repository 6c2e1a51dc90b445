"""The ground of a district, bent as the avenues around it are."""

import numpy as np

from segment.town.noise import Floats
from segment.town.streets import DISTRICT_SIZE, Block, avenue_line, junction


class Patch:
    """The ground between four avenues: maps district coordinates (s, t) to the plane.

    The mapping is a Coons patch. It is computed once on a grid, between whose points it is
    interpolated.

    Args:
        seed: Seed of the town.
        row: Row of the district in the grid of avenues.
        column: Column of the district in the grid of avenues.
    """

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
