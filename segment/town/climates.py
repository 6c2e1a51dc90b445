"""Climates of the varied sample towns: ground, plants, water, roofs, roads and light by seed."""

from typing import NamedTuple

import numpy as np

from segment.town.materials import WHITE, Color, Ends, Material, Season, mean, times

_SOILS: dict[str, Ends] = {  # colours in full sun, from darkest to lightest
    "laterite": ((138, 70, 44), (188, 112, 78)),
    "rust": ((150, 98, 66), (198, 144, 104)),
    "humus": ((74, 58, 46), (116, 94, 74)),
    "loam": ((112, 92, 70), (158, 136, 108)),
    "grey": ((104, 102, 98), (156, 152, 146)),
    "sand": ((190, 172, 136), (226, 210, 178)),
    "loess": ((162, 136, 92), (206, 182, 134)),
    "chalk": ((182, 178, 166), (220, 216, 206)),
    "basalt": ((60, 58, 58), (98, 94, 92)),
}
_GRASSES: dict[str, Ends] = {
    "lush": ((62, 98, 42), (110, 148, 68)),
    "meadow": ((86, 112, 56), (138, 150, 92)),
    "cool": ((64, 92, 64), (104, 130, 94)),
    "dull": ((92, 98, 64), (134, 130, 94)),
    "straw": ((150, 134, 88), (198, 182, 132)),
    "ochre": ((128, 108, 68), (168, 144, 98)),
}
_TREES: dict[str, Ends] = {
    "conifer": ((24, 42, 32), (46, 68, 48)),
    "larch": ((52, 74, 44), (84, 104, 62)),
    "broadleaf": ((52, 84, 36), (106, 138, 60)),
    "autumn": ((128, 84, 38), (188, 140, 66)),
    "jungle": ((32, 70, 30), (76, 116, 46)),
    "palm": ((70, 96, 52), (120, 140, 82)),
    "olive": ((84, 92, 66), (124, 128, 96)),
    "scrub": ((92, 92, 62), (140, 130, 94)),
}
_CROPS: dict[str, Ends] = {
    "sprouting": ((96, 132, 56), (134, 166, 78)),
    "maize": ((48, 84, 36), (76, 112, 50)),
    "wheat": ((186, 160, 92), (216, 192, 128)),
    "rape": ((170, 168, 50), (206, 200, 76)),
    "rice": ((84, 112, 76), (116, 144, 96)),
    "tea": ((40, 76, 44), (66, 100, 58)),
}
_WATERS: dict[str, Ends] = {  # shallow, deep
    "blue": ((92, 130, 152), (34, 74, 116)),
    "turquoise": ((140, 192, 182), (48, 136, 148)),
    "green": ((98, 124, 92), (46, 84, 66)),
    "grey": ((122, 130, 132), (82, 94, 102)),
    "brown": ((156, 128, 90), (122, 94, 62)),
    "milky": ((172, 190, 186), (130, 164, 164)),
    "black": ((48, 52, 48), (16, 22, 24)),
}
_ROOFS: dict[str, tuple[Color, ...]] = {
    "red": ((170, 88, 64), (188, 104, 76), (152, 80, 62), (196, 124, 96)),
    "brown": ((112, 82, 68), (92, 70, 60), (132, 100, 84)),
    "slate": ((70, 76, 88), (88, 94, 106), (58, 62, 72)),
    "white": ((226, 226, 224), (208, 208, 206), (236, 234, 228)),
    "tin": ((176, 186, 194), (200, 206, 210), (150, 160, 168)),
    "rusty": ((146, 96, 70), (164, 118, 90), (128, 88, 70), (172, 150, 132)),
    "green": ((78, 120, 96), (104, 140, 112), (62, 96, 80)),
    "blue": ((70, 112, 168), (96, 140, 190)),
    "bitumen": ((58, 58, 60), (76, 74, 74), (94, 92, 90)),
    "concrete": ((168, 164, 156), (148, 144, 136), (186, 182, 172)),
    "clay": ((190, 164, 128), (172, 146, 112), (206, 184, 150)),
}
_ROADS: tuple[Ends, ...] = (
    ((50, 50, 54), (84, 84, 86)), ((84, 84, 86), (140, 136, 130)),
    ((124, 122, 118), (178, 174, 166)), ((100, 92, 84), (146, 134, 120)),
    ((124, 106, 100), (158, 140, 132)),
)  # fmt: skip
_PAVINGS: tuple[Ends, ...] = (
    ((146, 142, 138), (194, 184, 166)), ((172, 170, 166), (212, 210, 204)),
    ((104, 104, 106), (140, 140, 140)), ((148, 112, 96), (178, 142, 124)),
)  # fmt: skip


_SKIES = {  # least and greatest darkness and length of shadows, warmth of the light, haze
    "clear": ((0.85, 1.1), (0.3, 1.1), (-0.06, 0.06), (0, 18)),
    "low": ((1.0, 1.2), (1.2, 1.8), (0.02, 0.13), (2, 18)),
    "overcast": ((0.15, 0.4), (0.4, 0.9), (-0.09, 0.01), (4, 30)),
    "haze": ((0.5, 0.8), (0.4, 1.1), (-0.06, 0.06), (40, 85)),
}
_SOFTNESS = {"clear": 3, "low": 3, "overcast": 13, "haze": 7}


class Climate(NamedTuple):
    """What can occur in a climate, by the names of the tables above.

    A field holds names with spaces between. A name that is listed twice is twice as likely.

    Attributes:
        soils: Colours of the soil; a town has one.
        grasses: Colours of the grass; a town has one.
        trees: Kinds of tree; a town has three, which may be alike.
        crops: Crops of the fields; a town has all of them.
        waters: Colours of water, shallow and deep; a town has one.
        roofs: Families of roof colours; a town has three, which may be alike.
    """

    soils: str
    grasses: str
    trees: str
    crops: str
    waters: str
    roofs: str


CLIMATES = (
    Climate(
        soils="humus loam grey",
        grasses="lush meadow",
        trees="broadleaf broadleaf larch",
        crops="sprouting maize wheat rape",
        waters="green grey blue black",
        roofs="red red brown slate bitumen",
    ),
    Climate(
        soils="laterite laterite rust",
        grasses="lush ochre meadow",
        trees="jungle palm",
        crops="maize tea rice",
        waters="brown brown green",
        roofs="tin rusty rusty red blue",
    ),
    Climate(
        soils="sand chalk loess rust",
        grasses="straw ochre dull",
        trees="scrub palm olive",
        crops="sprouting wheat",
        waters="turquoise brown milky",
        roofs="clay white concrete",
    ),
    Climate(
        soils="humus grey basalt",
        grasses="cool meadow dull",
        trees="conifer conifer larch autumn",
        crops="sprouting wheat",
        waters="black blue grey",
        roofs="slate tin green red bitumen",
    ),
    Climate(
        soils="loess chalk rust loam",
        grasses="straw dull meadow",
        trees="olive conifer broadleaf",
        crops="wheat sprouting maize",
        waters="turquoise blue green",
        roofs="red red white clay",
    ),
    Climate(
        soils="loam grey loess",
        grasses="meadow lush dull",
        trees="broadleaf jungle larch",
        crops="rice rice rape maize",
        waters="brown green milky grey",
        roofs="concrete blue white slate red",
    ),
)


def varied_season(seed: int) -> Season:
    """Draws the season of a seed, in one of the climates of the Earth.

    Args:
        seed: Seed of the town. Six seeds in a row have six different climates.

    Returns:
        The season of the town.
    """
    rng = np.random.default_rng([seed, 6])
    climate = CLIMATES[seed % len(CLIMATES)]

    def one(names: str) -> str:
        return str(rng.choice(names.split()))

    def tinted(ends: Ends) -> Ends:
        """Makes colours a little brighter or darker, and shifts their hue a little."""
        factors = rng.uniform(0.87, 1.13) * rng.uniform(0.965, 1.035, 3)
        return tuple(
            tuple(int(min(c * f, 250)) for c, f in zip(end, factors, strict=True)) for end in ends
        )  # type: ignore[return-value]

    soil, grass = tinted(_SOILS[one(climate.soils)]), tinted(_GRASSES[one(climate.grasses)])
    species = [tinted(_TREES[one(climate.trees)]) for _ in range(3)]
    shallow, deep = tinted(_WATERS[one(climate.waters)])
    asphalt = tinted(_ROADS[rng.integers(len(_ROADS))])
    settlement = str(rng.choice(("town", "suburb", "village", "country", "works", "quarter")))
    rural = settlement in ("village", "country", "quarter")
    unpaved = float(
        rng.uniform(0.5, 1) if rural and rng.random() < 0.7 else rng.choice((0.0, 0.0, 0.25))
    )
    roofs = [_ROOFS[name] for name in (one(climate.roofs), one(climate.roofs), one(climate.roofs))]
    sky = str(rng.choice(("clear", "clear", "clear", "low", "overcast", "haze")))
    # all are drawn, and one is used, so that the numbers after it do not depend on the sky
    drawn = {name: [rng.uniform(*ends) for ends in ranges] for name, ranges in _SKIES.items()}
    dark, reach, warm, haze = drawn[sky]
    bearing, exposure = rng.uniform(0, 2 * np.pi), rng.uniform(0.78, 1.08)
    return Season(
        soil=soil,
        sand=times(mean(soil[1], (214, 200, 170)), rng.uniform(0.85, 1.05)),
        grass=grass,
        crown=species[0],
        asphalt=asphalt,
        paving=(
            (soil[1], times(soil[1], 1.1))
            if unpaved > 0.5
            else tinted(_PAVINGS[rng.integers(len(_PAVINGS))])
        ),
        shallow=shallow,
        deep=deep,
        shadow=(float(np.sin(bearing) * reach), float(-np.cos(bearing) * reach)),
        gain=(exposure * (1 + warm), exposure * rng.uniform(0.97, 1.03), exposure * (1 - warm)),
        haze=float(haze),
        roofs=tuple(c for family in roofs for c in family),
        hall_roofs=tuple(
            c
            for family in (
                *roofs,
                _ROOFS["tin"],
                _ROOFS["concrete"],
                _ROOFS[str(rng.choice(list(_ROOFS)))],
            )
            for c in family
        ),
        species=tuple(species),
        crops=tuple(tinted(_CROPS[name]) for name in climate.crops.split()),
        furrows=(0.72, 0.95),
        basins=0.03,
        pools=float(rng.uniform(0, 0.4)),
        verge=(Material.SOIL if rng.random() < 0.5 else Material.GRASS) if rural else None,
        unpaved=unpaved,
        marking=(WHITE, WHITE, (208, 172, 84), mean(asphalt[1], WHITE))[rng.integers(4)],
        trees=float(min(rng.uniform(0.35, 1.3), 1)),
        settlement=settlement,
        dark=(0.62 * dark, 0.57 * dark, 0.48 * dark),
        softness=_SOFTNESS[sky],
        relief=min(1.0, 1.1 / reach) * min(dark, 1.0) * rng.uniform(0.9, 1.6),
        haze_tint=(1 - rng.uniform(0, 0.12), 1.0, 1 + rng.uniform(-0.15, 0.12)),
        texture=float(rng.uniform(0.65, 1.2)),
        saturation=float(rng.uniform(0.5, 0.95)),
        river=float(rng.choice((0.0, 0.0, rng.uniform(0.2, 0.6), rng.uniform(0.6, 1.7)))),
        waves=float(rng.choice((0.02, 0.05, 0.1))),
        glitter=float(rng.choice((0.0, 0.0, 0.5, 0.9))),
        blur=float(rng.uniform(0.55, 1.1)),
        grain=float(rng.uniform(0.015, 0.06)),
    )
