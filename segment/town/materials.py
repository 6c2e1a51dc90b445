"""Surface materials of the sample town: their class, their texture, their colours in a season."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

BUILDING, LAND, ROAD, VEGETATION, WATER, UNLABELED = 0, 1, 2, 3, 4, 255

Color = tuple[int, int, int]
Ends = tuple[Color, Color]
"""The darkest and the lightest colour of a surface."""


class Material(IntEnum):
    """What a surface is made of.

    Sidewalks, yards, driveways and gravel are land; parking lots, bridges and dirt roads are road;
    pools are water.
    """

    SOIL = 0
    SAND = 1
    GRAVEL = 2
    PAVEMENT = 3
    GRASS = 4
    CROP = 5
    CROWN = 6
    ASPHALT = 7
    MARKING = 8
    BRIDGE = 9
    TILES = 10
    FLAT_ROOF = 11
    METAL = 12
    WATER = 13
    POOL = 14
    VEHICLE = 15
    COURT = 16
    DIRT = 17


# Class, then the relative deviation in brightness: per pixel, and over about 1, 4 and 15 metres.
_PROPERTIES = {
    Material.SOIL: (LAND, 0.03, 0.03, 0.09, 0.06),
    Material.SAND: (LAND, 0.03, 0.03, 0.05, 0.05),
    Material.GRAVEL: (LAND, 0.12, 0.05, 0.04, 0.05),
    Material.PAVEMENT: (LAND, 0.04, 0.02, 0.05, 0.03),
    Material.GRASS: (VEGETATION, 0.09, 0.12, 0.05, 0.07),
    Material.CROP: (VEGETATION, 0.08, 0.09, 0.07, 0.06),
    Material.CROWN: (VEGETATION, 0.12, 0.24, 0.06, 0.05),
    Material.ASPHALT: (ROAD, 0.025, 0.02, 0.03, 0.06),
    Material.MARKING: (ROAD, 0.05, 0.08, 0.03, 0.05),
    Material.BRIDGE: (ROAD, 0.02, 0.02, 0.02, 0.03),
    Material.TILES: (BUILDING, 0.06, 0.04, 0.03, 0.02),
    Material.FLAT_ROOF: (BUILDING, 0.03, 0.03, 0.05, 0.03),
    Material.METAL: (BUILDING, 0.02, 0.015, 0.03, 0.03),
    Material.WATER: (WATER, 0.015, 0.02, 0.03, 0.1),
    Material.POOL: (WATER, 0.03, 0.05, 0.02, 0.0),
    Material.VEHICLE: (UNLABELED, 0.03, 0.0, 0.0, 0.0),
    Material.COURT: (UNLABELED, 0.02, 0.01, 0.02, 0.02),
    Material.DIRT: (ROAD, 0.05, 0.06, 0.07, 0.05),
}

LABELS = np.zeros(256, np.uint8)
TEXTURE = np.zeros((4, 256), np.float32)
for _material, (_label, *_deviations) in _PROPERTIES.items():
    LABELS[_material] = _label
    TEXTURE[:, _material] = _deviations

# Two in three roofs have a colour that the ground does not have: tile red, slate blue, white. The
# others look like soil, gravel or asphalt; only shape, ridge and shadow distinguish them from it.
ROOFS: tuple[Color, ...] = (
    (168, 100, 82), (152, 90, 76), (180, 116, 92), (140, 92, 80), (176, 126, 106), (70, 78, 94),
    (96, 108, 126), (224, 222, 216), (212, 212, 210), (164, 108, 90), (184, 170, 146),
    (160, 144, 122), (132, 128, 124), (116, 112, 106), (142, 130, 112),
)  # fmt: skip
HALL_ROOFS: tuple[Color, ...] = (
    (204, 210, 216), (126, 148, 174), (228, 228, 226), (98, 128, 158), (156, 168, 182),
    (158, 92, 76), (112, 150, 156), (186, 172, 146), (128, 128, 126), (112, 108, 102),
)  # fmt: skip
VEHICLES: tuple[Color, ...] = (
    (230, 230, 228), (180, 184, 188), (60, 62, 66), (40, 42, 46), (150, 50, 46), (58, 82, 128),
)  # fmt: skip


WHITE: Color = (208, 206, 198)


class Season(NamedTuple):
    """Colours, sun and air of one flight.

    Colours are RGB, 0 to 255, of the ground in full sun; a pair is the darkest and the lightest
    colour of a surface. Fields with a default have that value in all towns of the dry style, and
    differ among varied ones.

    Attributes:
        soil: Bare ground.
        sand: Shores, tracks and paths.
        grass: Lawns, meadows, verges and river banks.
        crown: Crowns of trees.
        asphalt: Carriageways and parking lots.
        paving: Sidewalks, driveways and yards.
        shallow: Shallow water.
        deep: Deep water.
        shadow: Metres that a shadow reaches east and south, per metre of height.
        gain: Factors on red, green and blue.
        haze: Brightness that the air adds, 0 to 255.
        roofs: Roofs of houses.
        hall_roofs: Roofs of halls.
        species: Crowns of each kind of tree, if there are others than `crown`.
        crops: Crops, where they are not as green as the grass.
        furrows: Least and greatest brightness of the rows in a field, relative to the field.
        basins: Share of fields that are basins.
        pools: Share of villas with a pool.
        verge: Material of the strip between street and block. None: it is paved.
        unpaved: Share of streets of dirt.
        marking: Lane markings.
        trees: Share of the planted trees that have grown.
        settlement: Kind of settlement, see `district.SETTLEMENTS`.
        dark: Share of red, green and blue light that a shadow takes.
        softness: Pixels over which a shadow ends; odd.
        relief: How much brighter the faces are that the sun shines on.
        haze_tint: Factors on the red, green and blue of the haze.
        texture: Factor on the deviations of `TEXTURE`.
        saturation: Saturation of the colours, 1 to leave them as they are.
        river: Width of the river, see `River`.
        waves: Relative deviation in brightness that waves cause on water.
        glitter: Strength of the sun's glitter on water.
        blur: Blur of the optics, in pixels (standard deviation).
        grain: Strength of the noise of the sensor.
    """

    soil: Ends
    sand: Color
    grass: Ends
    crown: Ends
    asphalt: Ends
    paving: Ends
    shallow: Color
    deep: Color
    shadow: tuple[float, float]
    gain: tuple[float, float, float]
    haze: float
    roofs: tuple[Color, ...] = ROOFS
    hall_roofs: tuple[Color, ...] = HALL_ROOFS
    species: tuple[Ends, ...] = ()
    crops: tuple[Ends, ...] = ()
    furrows: tuple[float, float] = (0.84, 0.93)
    basins: float = 0.13
    pools: float = 0.34
    verge: Material | None = None
    unpaved: float = 0.0
    marking: Color = WHITE
    trees: float = 1.0
    settlement: str = "town"
    dark: tuple[float, float, float] = (0.62, 0.57, 0.48)
    softness: int = 3
    relief: float = 1.0
    haze_tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    texture: float = 1.0
    saturation: float = 1.0
    river: float = 1.0
    waves: float = 0.05
    glitter: float = 0.0
    blur: float = 0.75
    grain: float = 0.035

    @property
    def slope(self) -> tuple[float, float]:
        """Brightness lost by a face turned from the sun: the shadow's direction, `relief` long."""
        return self.shadow[0] * self.relief, self.shadow[1] * self.relief


def times(colour: Color, factor: float) -> Color:
    """Makes a colour brighter or darker.

    Args:
        colour: RGB, 0 to 255.
        factor: Factor on each component, below 1 to darken.

    Returns:
        RGB, clipped to 0 to 255.
    """
    return tuple(int(min(max(c * factor, 0), 255)) for c in colour)  # type: ignore[return-value]


def mean(a: Color, b: Color) -> Color:
    """Returns the colour halfway between two.

    Args:
        a: RGB, 0 to 255.
        b: RGB, 0 to 255.

    Returns:
        RGB, rounded down.
    """
    return tuple((x + y) // 2 for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def _between(a: Color, b: Color, part: float) -> Color:
    return tuple(round(x + (y - x) * part) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def season(seed: int) -> Season:
    """Draws the season of a seed for the dry style.

    Towns range from dry to lush, water from brown to blue-green, and the sun is between south-east
    and south-west.

    Args:
        seed: Seed of the town.

    Returns:
        The season of the town.
    """
    rng = np.random.default_rng([seed, 5])
    dry, red, turbid, clear = rng.uniform(0, 1, 4)
    bearing, reach = rng.uniform(-0.95, 0.95), rng.uniform(0.55, 1.0)
    warm = rng.uniform(-0.05, 0.05)
    return Season(
        soil=(
            _between((122, 116, 96), (142, 118, 96), red),
            _between((192, 184, 166), (196, 172, 144), red),
        ),
        sand=_between((206, 192, 164), (200, 176, 142), red),
        grass=(
            _between((88, 104, 66), (112, 110, 76), dry),
            _between((140, 140, 98), (170, 156, 120), dry),
        ),
        crown=(
            _between((44, 62, 40), (62, 68, 48), dry),
            _between((84, 98, 62), (118, 110, 78), dry),
        ),
        asphalt=((82, 82, 84), (150, 142, 130)),
        paving=((146, 142, 138), (194, 184, 166)),
        shallow=_between((104, 112, 92), (140, 124, 96), turbid),
        deep=_between(_between((48, 70, 70), (58, 68, 50), clear), (112, 100, 76), turbid),
        shadow=(float(np.sin(bearing) * reach), float(-np.cos(bearing) * reach)),
        gain=(1 + warm, float(rng.uniform(0.98, 1.02)), 1 - warm),
        haze=float(rng.uniform(2, 22)),
    )
