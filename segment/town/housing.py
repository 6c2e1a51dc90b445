"""Housing in the town: what fills a block where people live.

Each function draws on a plan, in the part of a block that lies within its sidewalks.
"""

import numpy as np

from segment.town.blocks import vacant
from segment.town.buildings import house
from segment.town.grounds import lawn, parking, yard
from segment.town.materials import Material
from segment.town.plan import Plan
from segment.town.streets import Block


def perimeter(plan: Plan, block: Block) -> None:
    """Draws adjoining houses around a courtyard.

    Args:
        plan: Plan to draw on.
        block: Block without its sidewalks, in district coordinates (metres).
    """
    depth = plan.rng.uniform(11, 15)
    lawn(plan, block.shrunk(depth)) if plan.rng.random() < 0.6 else yard(plan, block.shrunk(depth))
    for _ in range(int(plan.rng.integers(4, 10))):
        plan.trees.within(block.shrunk(depth + 4), 2, 4)
    floors, row = plan.rng.uniform(9, 17), plan.pick(plan.season.roofs)
    for t, length in (
        (block.top + depth / 2, block.width),
        (block.bottom - depth / 2, block.width),
    ):
        s = block.left
        while s < block.left + length - 6:
            width = min(plan.rng.uniform(13, 26), block.left + length - s)
            width = block.left + length - s if block.left + length - s - width < 9 else width
            house(plan, s + width / 2, t, width, depth, floors + plan.rng.uniform(-3, 3), row)
            s += width
    for s in (block.left + depth / 2, block.right - depth / 2):
        t, end = block.top + depth, block.bottom - depth
        while t < end - 6:
            width = min(plan.rng.uniform(13, 26), end - t)
            width = end - t if end - t - width < 9 else width
            if plan.rng.random() < 0.88:
                house(plan, s, t + width / 2, depth, width, floors + plan.rng.uniform(-3, 3), row)
            t += width


def villas(plan: Plan, block: Block) -> None:
    """Draws detached houses with gardens, driveways and some pools.

    The lots lie in two rows back to back, or in one row where the block is at most 44 m deep.

    Args:
        plan: Plan to draw on.
        block: Block without its sidewalks, in district coordinates (metres).
    """
    wide = block.width >= block.height
    length, depth = (block.width, block.height) if wide else (block.height, block.width)
    count = max(1, round(length / plan.rng.uniform(17, 22)))
    rows = 2 if depth > 44 else 1
    pitch, lot_depth = length / count, depth / rows
    for k in range(count * rows):
        a, b = (k // rows) * pitch, (k % rows) * lot_depth
        front = -1 if k % rows == 0 else 1
        lot = Block(a, b, a + pitch, b + lot_depth)
        lot = lot if wide else Block(lot.top, lot.left, lot.bottom, lot.right)
        lot = Block(
            block.left + lot[0], block.top + lot[1], block.left + lot[2], block.top + lot[3]
        )
        _villa(plan, lot.shrunk(0.35), wide, front)


def _villa(plan: Plan, lot: Block, wide: bool, front: int) -> None:
    """Draws a house on its lot, or leaves the lot vacant.

    Args:
        plan: Plan to draw on.
        lot: Ground of the house, in district coordinates (metres).
        wide: Whether the street runs along s. If not, it runs along t.
        front: Side of the lot on which the street lies, across its direction: -1 towards lesser, 1
            towards greater coordinates.
    """
    rng = plan.rng
    draw = rng.random()
    if draw < 0.06:
        vacant(plan, lot)
        return
    lawn(plan, lot) if draw < 0.82 else yard(plan, lot)
    width = min(rng.uniform(11, 15.5), (lot.width if wide else lot.height) - 3)
    depth = rng.uniform(10, 14)
    s, t = lot.centre
    side = (
        rng.choice((-1, 1))
        * max(0.0, ((lot.width if wide else lot.height) - width) / 2 - 1.5)
        * rng.uniform(0.3, 1)
    )
    forth = front * ((lot.height if wide else lot.width) / 2 - depth / 2 - rng.uniform(4, 6.5))

    def place(a: float, b: float, w: float, h: float) -> tuple[float, float, float, float]:
        return (s + a, t + b, w, h) if wide else (s + b, t + a, h, w)

    edge = front * (lot.height if wide else lot.width) / 2
    drive = side + rng.choice((-1, 1)) * (width / 2 - 1.8)
    plan.box(
        "ground",
        *place(drive, (edge + forth) / 2 + front * 1.4, 3.4, abs(edge - forth) + 3),
        Material.PAVEMENT,
        plan.paving,
        16,
    )
    if rng.random() < 0.5:
        plan.vehicle(
            *plan.patch.frame(*place(drive, edge - front * 3.2, 0, 0)[:2]), along_second=wide
        )
    if rng.random() < plan.season.pools:
        a, b = side * -0.6, forth - front * (depth / 2 + 5.0)
        plan.box("ground", *place(a, b, 10.0, 7.0), Material.PAVEMENT, (204, 196, 180), 12)
        plan.box(
            "ground",
            *place(a, b, rng.uniform(5, 8), 4.2),
            Material.POOL,
            plan.shade(((84, 140, 150), (104, 178, 190))),
            12,
        )
    colour = plan.pick(plan.season.roofs)
    house(plan, *place(side, forth, width, depth), rng.uniform(5, 8), colour)
    if rng.random() < 0.5:
        a = side + rng.choice((-1, 1)) * (width / 2 - 2.6)
        house(plan, *place(a, forth - front * depth * 0.55, 5.6, 6.5), rng.uniform(3, 5), colour)
    for _ in range(int(rng.integers(2, 6))):
        plan.trees.within(lot, 1.2, 3.4)
    if rng.random() < 0.6:
        back = (
            lot.centre[1] - front * lot.height / 2
            if wide
            else lot.centre[0] - front * lot.width / 2
        )
        ends = (
            ((lot.left, back), (lot.right, back)) if wide else ((back, lot.top), (back, lot.bottom))
        )
        plan.trees.hedge(*ends)


def slabs(plan: Plan, block: Block) -> None:
    """Draws long apartment houses on a lawn, with parking lots.

    A block at most 36 m high has no parking lot.

    Args:
        plan: Plan to draw on.
        block: Block without its sidewalks, in district coordinates (metres).
    """
    lawn(plan, block)
    count = max(1, int(block.height // 40))
    pitch = block.height / count
    for k in range(count):
        t = block.top + (k + 0.5) * pitch
        lengths = [block.width * 0.82] if block.width < 80 else [block.width * 0.42] * 2
        for i, length in enumerate(lengths):
            s = block.left + block.width * ((i + 0.5) / len(lengths))
            house(
                plan,
                s,
                t - 8,
                length,
                plan.rng.uniform(13, 17),
                plan.rng.uniform(12, 24),
                plan.pick(plan.season.roofs),
                flat=True,
            )
        if pitch > 36:
            lot = Block(
                block.left + 0.06 * block.width,
                t + 5,
                block.right - 0.2 * block.width,
                min(t + 5 + 16.5, block.bottom - 1),
            )
            parking(plan, lot)
    plan.box("ground", *block.centre, 2.6, block.height, Material.PAVEMENT, plan.paving, 8)
    for _ in range(int(block.width * block.height / 220)):
        plan.trees.within(block, 2, 4.6)


def huts(plan: Plan, block: Block) -> None:
    """Draws small houses close together on bare ground.

    Args:
        plan: Plan to draw on.
        block: Block without its sidewalks, in district coordinates (metres).
    """
    rng = plan.rng
    plan.fill("ground", plan.patch.outline(block), Material.SOIL, plan.shade(plan.season.soil), 8)
    pitch = rng.uniform(10.5, 14)
    for s in np.arange(block.left + pitch / 2, block.right - pitch / 2 + 1, pitch):
        for t in np.arange(block.top + pitch / 2, block.bottom - pitch / 2 + 1, pitch):
            if rng.random() < 0.86:
                width, depth = rng.uniform(0.5, 0.92, 2) * pitch
                house(
                    plan,
                    s + rng.uniform(-0.5, 0.5),
                    t + rng.uniform(-0.5, 0.5),
                    width,
                    depth,
                    rng.uniform(2.4, 4.5),
                    plan.pick(plan.season.roofs),
                )
            elif rng.random() < 0.7:
                plan.trees.at(s, t, rng.uniform(1.5, 3.5))
