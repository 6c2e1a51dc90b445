"""Land use outside of towns: fields, meadows, forests and orchards.

Each function draws on a plan, in the block that it is given.
"""

import numpy as np

from segment.town.buildings import hall, house
from segment.town.grounds import basin, lawn
from segment.town.materials import Material, times
from segment.town.plan import Plan
from segment.town.streets import Block


def fields(plan: Plan, block: Block) -> None:
    """Draws crops and fallow soil in rows, with hedges, basins, a track and often a farmyard.

    Args:
        plan: Plan to draw on.
        block: Block to fill, in district coordinates (metres).
    """
    rng = plan.rng
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(2, 4))
    for k in range(columns * rows):
        w, h = block.width / columns, block.height / rows
        left, top = block.left + (k % columns) * w, block.top + (k // columns) * h
        field = Block(left, top, left + w, top + h).shrunk(1.2)
        draw = rng.random()
        if draw < plan.season.basins:
            basin(plan, field.shrunk(6))
            continue
        crop = draw < 0.62
        colour = plan.shade(plan.season.grass if crop else plan.season.soil)
        if crop and plan.season.crops:
            colour = plan.shade(plan.season.crops[rng.integers(len(plan.season.crops))])
        material = Material.CROP if crop else Material.SOIL
        plan.fill("ground", plan.patch.outline(field), material, colour, 10)
        pitch, dark = rng.uniform(1.8, 3.2), times(colour, rng.uniform(*plan.season.furrows))
        for t in np.arange(field.top + 1.5, field.bottom - 1, pitch):
            plan.line(
                "ground", plan.patch.line((field.left, t), (field.right, t)), material, dark, 2
            )
        if rng.random() < 0.5:
            plan.trees.hedge((field.left, field.bottom), (field.right, field.bottom))
    track = plan.patch.line((block.left, block.top + 2.4), (block.right, block.top + 2.4))
    plan.line("ground", track, Material.GRAVEL, plan.season.sand, 9)
    if rng.random() < 0.8:
        s, t = block.left + 22, block.bottom - 20
        plan.box("ground", s, t, 36, 30, Material.GRAVEL, (176, 164, 142), 10)
        hall(plan, s - 5, t - 6, 16, 11)
        house(plan, s + 9, t + 5, 11, 10, 6, plan.pick(plan.season.roofs))
        for _ in range(5):
            plan.trees.within(Block(s - 18, t - 15, s + 18, t + 15), 1.8, 4)


def meadow(plan: Plan, block: Block) -> None:
    """Draws grass with a few trees.

    Args:
        plan: Plan to draw on.
        block: Block to fill, in district coordinates (metres).
    """
    lawn(plan, block)
    for _ in range(int(plan.rng.integers(2, 7))):
        plan.trees.within(block, 1.5, 4.5)


def forest(plan: Plan, block: Block) -> None:
    """Draws closed crowns over grass or bare ground, with clearings.

    Args:
        plan: Plan to draw on.
        block: Block to fill, in district coordinates (metres).
    """
    rng = plan.rng
    (
        lawn(plan, block)
        if rng.random() < 0.6
        else plan.fill("ground", plan.patch.outline(block), Material.SOIL, plan.season.soil[0], 6)
    )
    pitch, gap = rng.uniform(4.0, 6.5), rng.uniform(0.1, 0.9)
    for s in np.arange(block.left + 2, block.right - 2, pitch):
        for t in np.arange(block.top + 2, block.bottom - 2, pitch):
            a, b = np.array([s, t]) + rng.uniform(-0.45, 0.45, 2) * pitch
            if np.sin(a / 23) * np.cos(b / 31) < gap:
                plan.trees.at(a, b, rng.uniform(0.45, 0.72) * pitch)


def orchard(plan: Plan, block: Block) -> None:
    """Draws trees in rows over grass or soil.

    Args:
        plan: Plan to draw on.
        block: Block to fill, in district coordinates (metres).
    """
    rng = plan.rng
    ground = (
        (Material.GRASS, plan.season.grass)
        if rng.random() < 0.5
        else (Material.SOIL, plan.season.soil)
    )
    plan.fill("ground", plan.patch.outline(block), ground[0], plan.shade(ground[1]), 8)
    along, across, radius = rng.uniform(3.2, 6), rng.uniform(4.5, 8), rng.uniform(1.1, 1.9)
    for s in np.arange(block.left + 3, block.right - 3, across):
        for t in np.arange(block.top + 3, block.bottom - 3, along):
            plan.trees.at(s, t, radius * rng.uniform(0.85, 1.15))
