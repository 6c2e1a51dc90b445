"""The plan of one district: outlines and lines by layer, and trees.

Plans are in metres and hold no pixels, so any rectangle of the scene can be painted alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segment.town.materials import VEHICLES, Color, Material, Season, times
from segment.town.noise import Floats
from segment.town.patch import Patch
from segment.town.streets import River
from segment.town.trees import Trees

SUBPIXELS = 16
UNITS_PER_METRE = SUBPIXELS / 0.3
BANK = 7.0  # metres along a river that stay free of buildings


class Shape(NamedTuple):
    """An outline to fill or, with a thickness, a line to draw.

    Attributes:
        points: int32 (N, 2), x and y in sixteenths of a pixel.
        material: Material of the surface.
        color: RGB, 0 to 255.
        thickness: Thickness of the line in pixels, 0 to fill the outline.
    """

    points: NDArray[np.int32]
    material: Material
    color: Color
    thickness: int = 0


def units(points: Floats) -> NDArray[np.int32]:
    """Converts metres to sixteenths of a pixel.

    Args:
        points: Coordinates on the plane in metres, of any shape.

    Returns:
        int32 of the same shape.
    """
    rounded: NDArray[np.int32] = np.round(np.asarray(points) * UNITS_PER_METRE).astype(np.int32)
    return rounded


class Plan:
    """The plan of a district, with the means to draw it; empty at first.

    Args:
        seed: Seed of the town.
        row: Row of the district in the grid of avenues.
        column: Column of the district in the grid of avenues.
        patch: Ground of the district.
        season: Colours, sun and air of the town.

    All arguments are attributes too.

    Attributes:
        rng: Random numbers of the district.
        paving: RGB colour of what is paved.
        verge: Material and RGB colour of the strip between street and block.
        layers: Shapes in the order of painting, by layer: ground, shore (sidewalks of avenues,
            above rivers), asphalt, marking, vehicles, roofs, shadows (of buildings), decks (shadows
            of bridges).
        boxes: int32 (N, 4) by layer: least x and y and greatest x and y of each shape. Empty until
            the plan is finished.
        trees: Its trees.
    """

    def __init__(self, seed: int, row: int, column: int, patch: Patch, season: Season):
        self.seed, self.row, self.column, self.patch, self.season = seed, row, column, patch, season
        self.rng = np.random.default_rng([seed, 7, row + 2**20, column + 2**20])
        self.paving = self.shade(season.paving)
        self.verge = (Material.PAVEMENT, self.paving)
        if season.verge is not None:
            self.verge = (
                season.verge,
                self.shade(season.grass if season.verge is Material.GRASS else season.soil),
            )
        self.layers: dict[str, list[Shape]] = defaultdict(list)
        self.boxes: dict[str, NDArray[np.int32]] = {}
        self.trees = Trees(self.rng, patch, season)
        self._origin = np.array(patch.bounds[:2])
        xs, ys = (np.arange(patch.bounds[k], patch.bounds[k + 2] + 2, 2.0) for k in (0, 1))
        self._bank = River(seed, season.river).distance(xs[None, :], ys[:, None])

    def finish(self) -> None:
        """Grows the trees and measures the shapes, once everything is drawn."""
        self.trees.grow(self.to_bank)
        self.boxes = {
            name: np.array([(*s.points.min(0), *s.points.max(0)) for s in shapes])
            for name, shapes in self.layers.items()
        }

    def fill(
        self, layer: str, points: Floats, material: Material, colour: Color, spread: int = 0
    ) -> None:
        """Fills an outline.

        Args:
            layer: Layer to draw in, see `layers`.
            points: Outline (N, 2) on the plane, in metres.
            material: Material of the surface.
            colour: RGB, 0 to 255.
            spread: By how much the colour may differ from `colour`, see `jitter`.
        """
        self.layers[layer].append(Shape(units(points), material, self.jitter(colour, spread)))

    def box(
        self,
        layer: str,
        s: float,
        t: float,
        width: float,
        depth: float,
        material: Material,
        colour: Color,
        spread: int,
    ) -> None:
        """Fills a rectangle that is aligned with the streets.

        Args:
            layer: Layer to draw in, see `layers`.
            s: Centre along s, in district coordinates (metres).
            t: Centre along t, in district coordinates (metres).
            width: Extent along s, in metres.
            depth: Extent along t, in metres.
            material: Material of the surface.
            colour: RGB, 0 to 255.
            spread: By how much the colour may differ from `colour`, see `jitter`.
        """
        self.fill(layer, self.patch.box(s, t, width, depth), material, colour, spread)

    def line(
        self, layer: str, points: Floats, material: Material, colour: Color, thickness: int
    ) -> None:
        """Draws a line.

        Args:
            layer: Layer to draw in, see `layers`.
            points: Points (N, 2) on the plane, in metres.
            material: Material of the surface.
            colour: RGB, 0 to 255.
            thickness: Thickness in pixels.
        """
        self.layers[layer].append(Shape(units(points), material, colour, thickness))

    def vehicle(
        self,
        centre: Floats,
        first: Floats,
        second: Floats,
        along_second: bool = False,
        on_bridge: bool = False,
    ) -> None:
        """Draws a parked or driving car.

        Nothing is drawn in the river or within 1.5 m of it, unless the car is on a bridge.

        Args:
            centre: Point (2,) on the plane, in metres.
            first: First axis (2,) of the place, of any length; see `Patch.frame`.
            second: Second axis (2,) of the place, of any length.
            along_second: Whether the car points along the second axis rather than the first.
            on_bridge: Whether the car may be above the river.
        """
        along, across = (second, first) if along_second else (first, second)
        along, across = along / np.hypot(*along), across / np.hypot(*across)
        if self.to_bank(centre[None])[0] < 1.5 and not on_bridge:
            return
        corners = (
            np.array([-1, 1, 1, -1])[:, None] * along * 2.2
            + np.array([-1, -1, 1, 1])[:, None] * across * 0.9
        )
        colour = self.jitter(VEHICLES[self.rng.integers(len(VEHICLES))], 10)
        self.fill("vehicles", centre + corners, Material.VEHICLE, colour)
        window = corners * np.array(0.62) + along * 0.25
        self.fill("vehicles", centre + window, Material.VEHICLE, times(colour, 0.78))

    def to_bank(self, points: Floats) -> Floats:
        """Returns the distance to the bank of the river, from a grid of 2 m.

        Args:
            points: Points (N, 2) on the plane, in metres.

        Returns:
            Metres (N,), below zero in the water.
        """
        j, i = np.round((points - self._origin) / 2).astype(int).T
        height, width = self._bank.shape
        metres: Floats = self._bank[i.clip(0, height - 1), j.clip(0, width - 1)]
        return metres

    def is_free(self, corners: Floats) -> bool:
        """Returns whether a building may be placed: away from the river.

        Args:
            corners: Corners (N, 2) on the plane, in metres.
        """
        points = np.concatenate([corners, (corners + np.roll(corners, 1, axis=0)) / 2])
        return bool(self.to_bank(points).min() > BANK)

    def pick(self, colours: Sequence[Color]) -> Color:
        """Picks one of several colours, and varies it a little.

        Args:
            colours: Colours to pick from, RGB 0 to 255.

        Returns:
            RGB, 0 to 255.
        """
        return self.jitter(colours[self.rng.integers(len(colours))], 10)

    def shade(self, ends: tuple[Color, Color]) -> Color:
        """Draws a colour between two.

        Args:
            ends: The two colours, RGB 0 to 255.

        Returns:
            RGB, 0 to 255.
        """
        part = self.rng.random()
        return tuple(round(a + (b - a) * part) for a, b in zip(*ends, strict=True))  # type: ignore[return-value]

    def jitter(self, colour: Color, spread: int) -> Color:
        """Makes a colour brighter or darker, and shifts its hue a little.

        Args:
            colour: RGB, 0 to 255.
            spread: By how much it becomes brighter or darker at most. 0 leaves it as it is.

        Returns:
            RGB, 0 to 255.
        """
        if not spread:
            return colour
        change = self.rng.uniform(-spread, spread)
        tint = self.rng.uniform(-spread, spread, 3) * 0.25
        return tuple(
            int(min(max(c + change + d, 0), 255)) for c, d in zip(colour, tint, strict=True)
        )  # type: ignore[return-value]
