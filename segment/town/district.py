"""The plan of one district: its kind, its streets, and what each block is used for."""

from collections.abc import Callable
from typing import NamedTuple

from segment.town.avenues import avenue, street
from segment.town.blocks import halls, market, park, vacant
from segment.town.countryside import fields, forest, meadow, orchard
from segment.town.housing import huts, perimeter, slabs, villas
from segment.town.materials import Season
from segment.town.patch import Patch
from segment.town.plan import Plan
from segment.town.streets import SIDEWALK, Block, avenue_width, divide

Use = Callable[[Plan, Block], None]


class Kind(NamedTuple):
    """A kind of district: how large its blocks may be, and how they are used.

    Attributes:
        longest: Greatest width of a block in metres. In half of the districts, drawn at random, it
            limits the height instead.
        deepest: Greatest height of a block in metres, or width, where `longest` limits the height.
        shares: Share of the blocks for each use, 0 to 1. Blocks without a use are vacant.
        riverside: Use of most blocks beside the river, unless `shares` has villas.
    """

    longest: float
    deepest: float
    shares: dict[Use, float]
    riverside: Use = park


KINDS = (
    Kind(125, 84, {perimeter: 0.68, slabs: 0.16, park: 0.09, market: 0.07}),
    Kind(172, 82, {villas: 0.88, park: 0.07, vacant: 0.05}),
    Kind(200, 175, {park: 0.44, fields: 0.4, vacant: 0.16}),
    Kind(170, 150, {halls: 0.78, market: 0.1, vacant: 0.12}),
    Kind(172, 120, {slabs: 0.4, villas: 0.3, perimeter: 0.18, vacant: 0.12}),
)


_FARMS = Kind(230, 180, {fields: 0.66, orchard: 0.14, meadow: 0.12, villas: 0.08}, meadow)
_WOODS = Kind(250, 220, {forest: 0.74, meadow: 0.16, fields: 0.1}, forest)
_HUTS = Kind(130, 76, {huts: 0.86, vacant: 0.08, park: 0.06}, vacant)

SETTLEMENTS = {
    "town": KINDS,
    "suburb": (
        KINDS[1],
        _WOODS,
        KINDS[1],
        Kind(190, 90, {villas: 0.6, slabs: 0.2, market: 0.1, meadow: 0.1}),
        KINDS[0],
    ),
    "village": (
        _FARMS,
        KINDS[1],
        _FARMS,
        _WOODS,
        Kind(150, 90, {villas: 0.5, huts: 0.2, meadow: 0.2, orchard: 0.1}, meadow),
    ),
    "country": (
        _FARMS,
        _WOODS,
        _FARMS,
        Kind(250, 200, {meadow: 0.4, orchard: 0.3, vacant: 0.2, halls: 0.1}, meadow),
        _FARMS,
    ),
    "works": (
        KINDS[3],
        KINDS[4],
        KINDS[3],
        _FARMS,
        Kind(200, 160, {halls: 0.5, meadow: 0.3, market: 0.2}, vacant),
    ),
    "quarter": (
        _HUTS,
        _HUTS,
        KINDS[0],
        _HUTS,
        Kind(170, 150, {vacant: 0.4, huts: 0.3, fields: 0.3}, fields),
    ),
}
"""Kinds of district by settlement. Towns of the dry style are all a "town"; varied ones differ."""


def plan_district(seed: int, row: int, column: int, patch: Patch, season: Season) -> Plan:
    """Plans a district.

    Args:
        seed: Seed of the town.
        row: Row of the district in the grid of avenues.
        column: Column of the district in the grid of avenues.
        patch: Ground of the district.
        season: Colours, sun and air of the town.

    Returns:
        The finished plan.
    """
    plan = Plan(seed, row, column, patch, season)
    # A knight's-move tiling puts all kinds of districts into any neighbourhood of 3 x 3.
    kinds = SETTLEMENTS[season.settlement]
    kind = kinds[(row * 2 + column + seed) % len(kinds)]
    margins = (
        avenue_width(seed, column, False) / 2,
        avenue_width(seed, row, True) / 2,
        avenue_width(seed, column + 1, False) / 2,
        avenue_width(seed, row + 1, True) / 2,
    )
    turned = plan.rng.random() < 0.5
    sizes = (kind.deepest, kind.longest) if turned else (kind.longest, kind.deepest)
    blocks, streets = divide(plan.rng, margins, *sizes)
    for block in blocks:
        plan.fill("ground", patch.outline(block), *plan.verge, 8)
    for block in blocks:
        _choose(plan, kind, block)(plan, block.shrunk(SIDEWALK))
    for one in streets:
        street(plan, one, plan.shade(season.asphalt))
    for eastward in (True, False):
        avenue(plan, eastward)
    plan.finish()
    return plan


def _choose(plan: Plan, kind: Kind, block: Block) -> Use:
    draw = plan.rng.random()
    riverside = plan.to_bank(plan.patch.at(*block.centre))[0] < 18
    if riverside and villas not in kind.shares and draw < 0.7:
        return kind.riverside
    for use, share in kind.shares.items():
        draw -= share
        if draw <= 0:
            return use
    return vacant
