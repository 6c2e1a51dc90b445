"""Plans one district: its kind, its streets, and what each block is used for."""

from collections.abc import Callable

from segment.town.avenues import avenue, street
from segment.town.blocks import fields, halls, market, park, perimeter, slabs, vacant, villas
from segment.town.materials import Material, Season
from segment.town.plan import Plan
from segment.town.streets import SIDEWALK, Block, Patch, avenue_width, divide

Use = Callable[[Plan, Block], None]


class Kind:
    """A kind of district: how large its blocks may be in metres, and the share of blocks for each use."""

    def __init__(self, longest: float, deepest: float, shares: dict[Use, float]):
        self.longest, self.deepest, self.shares = longest, deepest, shares


KINDS = (
    Kind(125, 84, {perimeter: 0.68, slabs: 0.16, park: 0.09, market: 0.07}),
    Kind(172, 82, {villas: 0.88, park: 0.07, vacant: 0.05}),
    Kind(200, 175, {park: 0.44, fields: 0.4, vacant: 0.16}),
    Kind(170, 150, {halls: 0.78, market: 0.1, vacant: 0.12}),
    Kind(172, 120, {slabs: 0.4, villas: 0.3, perimeter: 0.18, vacant: 0.12}),
)


def plan_district(seed: int, row: int, column: int, patch: Patch, season: Season) -> Plan:
    """The plan of the district in `row` and `column` of the avenues' net; `patch` is its ground."""
    plan = Plan(seed, row, column, patch, season)
    # A knight's-move tiling puts all kinds of districts in any neighbourhood of three by three.
    kind = KINDS[(row * 2 + column + seed) % len(KINDS)]
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
        plan.fill("ground", patch.outline(block), Material.PAVEMENT, plan.paving, 8)
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
        return park
    for use, share in kind.shares.items():
        draw -= share
        if draw <= 0:
            return use
    return vacant
