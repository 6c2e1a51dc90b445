"""Surfaces between buildings: lawns, yards, parking lots, ponds and basins."""

import numpy as np

from segment.town.materials import Material, mean
from segment.town.plan import Plan
from segment.town.streets import Block


def lawn(plan: Plan, block: Block) -> None:
    """Draws grass, from lush to straw.

    Args:
        plan: Plan to draw on.
        block: Block to fill, in district coordinates (metres).
    """
    plan.fill("ground", plan.patch.outline(block), Material.GRASS, plan.shade(plan.season.grass), 8)


def yard(plan: Plan, block: Block) -> None:
    """Draws the paved, gravelled or bare ground around a house.

    Args:
        plan: Plan to draw on.
        block: Block to fill, in district coordinates (metres).
    """
    material = (Material.PAVEMENT, Material.GRAVEL, Material.SOIL)[plan.rng.integers(3)]
    colour = plan.paving if material is Material.PAVEMENT else plan.shade(plan.season.soil)
    plan.fill("ground", plan.patch.outline(block), material, colour, 12)


def parking(plan: Plan, block: Block) -> None:
    """Draws asphalt with marked bays in double rows, some of which are taken.

    Nothing is drawn on a block of less than 12 m by 9 m.

    Args:
        plan: Plan to draw on.
        block: Block to fill, in district coordinates (metres).
    """
    if block.width < 12 or block.height < 9:
        return
    rng = plan.rng
    plan.fill(
        "ground", plan.patch.outline(block), Material.ASPHALT, plan.shade(plan.season.asphalt), 8
    )
    taken = rng.uniform(0.1, 0.5)
    for t in np.arange(block.top + 3.2, block.bottom - 2.6, 15.5):
        for lane in (t, t + 10.3):
            if lane > block.bottom - 2.6:
                continue
            bays = np.arange(block.left + 2, block.right - 2, 2.6)
            ends = np.tile([lane - 2.4, lane + 2.4], len(bays))
            for s, line in zip(
                bays, plan.patch.at(np.repeat(bays, 2), ends).reshape(-1, 2, 2), strict=True
            ):
                plan.line("ground", line, Material.MARKING, (176, 174, 168), 1)
                if rng.random() < taken and s + 2.6 < block.right:
                    plan.vehicle(*plan.patch.frame(s + 1.3, lane), along_second=True)
        if block.width > 30 and rng.random() < 0.4:
            for s in np.arange(block.left + 6, block.right - 4, 13):
                plan.trees.at(s, t + 2.7, rng.uniform(1.2, 2.2))


def pond(plan: Plan, s: float, t: float, radius: float) -> None:
    """Draws a pond with a sandy shore, deeper towards its middle.

    Nothing is drawn within two radii of the river.

    Args:
        plan: Plan to draw on.
        s: Centre along s, in district coordinates (metres).
        t: Centre along t, in district coordinates (metres).
        radius: Approximate radius in metres.
    """
    centre = plan.patch.at(s, t)[0]
    if plan.to_bank(centre[None])[0] < 2 * radius:
        return
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    waves = sum(
        plan.rng.normal(0, 0.22 / k) * np.sin(k * angle + plan.rng.uniform(0, 6.3))
        for k in range(2, 7)
    )
    outline = (
        np.stack([np.cos(angle) * plan.rng.uniform(1, 1.5), np.sin(angle)], 1)
        * (1 + waves)[:, None]
    )
    shades = (
        (1.0, plan.season.shallow),
        (0.84, mean(plan.season.shallow, plan.season.deep)),
        (0.66, plan.season.deep),
    )
    plan.fill("ground", centre + outline * (radius + 1.8), Material.SAND, plan.season.sand, 6)
    for part, colour in shades:
        plan.fill("ground", centre + outline * radius * part, Material.WATER, colour)
    for k in plan.rng.permutation(48)[:8]:
        plan.trees.at_point(centre + outline[k] * (radius + 4), plan.rng.uniform(1.2, 3))


def basin(plan: Plan, block: Block) -> None:
    """Draws a retention or irrigation basin with a sloped edge.

    Nothing is drawn on a block with a side below 12 m, or too close to the river.

    Args:
        plan: Plan to draw on.
        block: Block to fill, in district coordinates (metres).
    """
    outline = plan.patch.outline(block)
    if block.width < 12 or block.height < 12 or not plan.is_free(outline):
        return
    plan.fill("ground", outline, Material.GRAVEL, (160, 150, 132), 10)
    plan.fill("ground", plan.patch.outline(block.shrunk(2)), Material.WATER, plan.season.shallow, 6)
    plan.fill(
        "ground",
        plan.patch.outline(block.shrunk(4)),
        Material.WATER,
        mean(plan.season.deep, (44, 82, 86)),
        6,
    )
