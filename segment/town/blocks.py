"""Other land use in the town: what fills a block of halls, a market, a park, or vacant ground.

Each function draws on a plan, in the part of a block that lies within its sidewalks.
"""

import numpy as np

from segment.town.buildings import hall, house
from segment.town.grounds import basin, lawn, parking, pond
from segment.town.materials import WHITE, Material
from segment.town.plan import Plan
from segment.town.streets import Block


def halls(plan: Plan, block: Block) -> None:
    """Draws industrial halls on a gravel yard, with parking lots, lawns and basins.

    Args:
        plan: Plan to draw on.
        block: Block without its sidewalks, in district coordinates (metres).
    """
    rng = plan.rng
    plan.fill(
        "ground",
        plan.patch.outline(block),
        Material.GRAVEL,
        plan.shade(((132, 126, 118), (182, 174, 160))),
        6,
    )
    columns, rows = max(1, round(block.width / 66)), max(1, round(block.height / 66))
    for k in range(columns * rows):
        w, h = block.width / columns, block.height / rows
        part = Block(block.left + (k % columns) * w, block.top + (k // columns) * h, 0, 0)
        part = Block(part.left, part.top, part.left + w, part.top + h).shrunk(3)
        draw = rng.random()
        if draw < 0.08:
            parking(plan, part.shrunk(2))
        elif draw < 0.22:
            basin(plan, part.shrunk(4))
        else:
            strip = rng.uniform(0.2, 0.36) * part.height
            apron = Block(part.left, part.bottom - strip, part.right, part.bottom)
            parking(plan, apron) if rng.random() < 0.5 else lawn(plan, apron)
            hall(
                plan,
                part.centre[0],
                part.top + (part.height - strip) / 2,
                part.width * rng.uniform(0.78, 0.98),
                part.height - strip - 3,
            )
        for _ in range(5):
            plan.trees.within(Block(part.left, part.bottom - 4, part.right, part.bottom), 1.5, 3)


def market(plan: Plan, block: Block) -> None:
    """Draws a large flat-roofed store behind its parking lot.

    Args:
        plan: Plan to draw on.
        block: Block without its sidewalks, in district coordinates (metres).
    """
    plan.fill("ground", plan.patch.outline(block), Material.PAVEMENT, plan.paving, 10)
    split = block.top + block.height * plan.rng.uniform(0.52, 0.64)
    parking(plan, Block(block.left + 2, split, block.right - 2, block.bottom - 3))
    hall(
        plan,
        block.centre[0],
        (block.top + split) / 2,
        block.width * 0.88,
        (split - block.top) * 0.82,
    )


def park(plan: Plan, block: Block) -> None:
    """Draws grass with paths, clumps of trees, a pond and sometimes a sports court.

    A block with a side below 30 m has grass and a few trees only.

    Args:
        plan: Plan to draw on.
        block: Block without its sidewalks, in district coordinates (metres).
    """
    rng = plan.rng
    lawn(plan, block)
    size = min(block.width, block.height)
    if size < 30:
        for _ in range(8):
            plan.trees.within(block, 1.5, 4)
        return
    for _ in range(3):
        ends = rng.uniform(0, 1, 4)
        a = (block.left + ends[0] * block.width, block.top)
        b = (
            block.right if ends[2] < 0.5 else block.left + ends[1] * block.width,
            block.bottom if ends[2] >= 0.5 else block.top + ends[3] * block.height,
        )
        way = plan.patch.line(a, b)
        way = way + np.sin(np.linspace(0, np.pi * 2, 16))[:, None] * rng.uniform(-7, 7, 2)
        plan.line("ground", way, Material.GRAVEL, plan.season.sand, 8)
    s, t = (
        block.left + rng.uniform(0.35, 0.65) * block.width,
        block.top + rng.uniform(0.35, 0.65) * block.height,
    )
    radius = min(size * rng.uniform(0.14, 0.24), 22)
    pond(plan, s, t, radius)
    if rng.random() < 0.4:
        corner = (block.left + 18, block.top + 14)
        tint = ((152, 92, 72), (86, 120, 96), (84, 112, 148))[rng.integers(3)]
        plan.box("ground", *corner, 26, 15, Material.COURT, tint, 8)
        plan.line(
            "ground", plan.patch.box(*corner, 22, 10)[[0, 1, 2, 3, 0]], Material.COURT, WHITE, 1
        )
    if rng.random() < 0.7:
        house(plan, block.right - 16, block.bottom - 14, 14, 10, 4, plan.pick(plan.season.roofs))
    for _ in range(int(size / 9)):
        x, y = rng.uniform(block.left, block.right), rng.uniform(block.top, block.bottom)
        for _ in range(int(rng.integers(3, 12))):
            away = rng.normal(0, 6, 2)
            inside = (
                block.left < x + away[0] < block.right and block.top < y + away[1] < block.bottom
            )
            if inside and np.hypot(x + away[0] - s, y + away[1] - t) > 1.9 * radius:
                plan.trees.at(x + away[0], y + away[1], rng.uniform(1.8, 4.8))


def vacant(plan: Plan, block: Block) -> None:
    """Draws bare ground with tracks, shrubs and sometimes a construction plot.

    Args:
        plan: Plan to draw on.
        block: Block without its sidewalks, in district coordinates (metres).
    """
    rng = plan.rng
    colour = plan.shade(plan.season.soil)
    plan.fill("ground", plan.patch.outline(block), Material.SOIL, colour, 8)
    if block.width > 40 and block.height > 40:
        for offset in (0.0, 1.7):
            way = plan.patch.line(
                (block.left, block.top + 10 + offset), (block.right, block.bottom - 14 + offset)
            )
            way = way + np.sin(np.linspace(0, 5, 16))[:, None] * np.array([0.0, 6.0])
            plan.line("ground", way, Material.SAND, plan.season.sand, 3)
        if rng.random() < 0.55:
            plot = Block(
                block.left + 6,
                block.top + 6,
                block.left + 6 + block.width * 0.5,
                block.top + 6 + block.height * 0.45,
            )
            plan.fill("ground", plan.patch.outline(plot), Material.SAND, plan.season.sand, 12)
            house(
                plan,
                *plot.centre,
                plot.width * 0.5,
                plot.height * 0.5,
                5,
                (190, 186, 178),
                flat=True,
            )
            for _ in range(6):
                s, t = rng.uniform(plot.left, plot.right), rng.uniform(plot.top, plot.bottom)
                plan.box(
                    "ground",
                    s,
                    t,
                    rng.uniform(2, 7),
                    rng.uniform(2, 5),
                    Material.GRAVEL,
                    (150, 134, 112),
                    30,
                )
        if rng.random() < 0.35:
            pond(
                plan,
                block.right - block.width * 0.25,
                block.bottom - block.height * 0.3,
                rng.uniform(6, 11),
            )
    for _ in range(int(block.width * block.height / 160)):
        plan.trees.within(block, 0.5, 1.5)
