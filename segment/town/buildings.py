"""Buildings of the sample town: footprints along their street, sunlit roofs, cast shadows."""

import cv2
import numpy as np

from segment.town.materials import Color, Material, times
from segment.town.noise import Floats
from segment.town.plan import Plan, Shape, units


def house(
    plan: Plan,
    s: float,
    t: float,
    width: float,
    depth: float,
    height: float,
    colour: Color,
    flat: bool = False,
) -> None:
    """Draws a rectangular house with a gable, hip or flat roof.

    Nothing is drawn where the house would be too close to the river.

    Args:
        plan: Plan to draw on.
        s: Centre along s, in district coordinates (metres).
        t: Centre along t, in district coordinates (metres).
        width: Extent along s, in metres.
        depth: Extent along t, in metres.
        height: Height of the building in metres, which decides how far its shadow reaches.
        colour: RGB colour of the roof in full sun, 0 to 255. It is varied a little.
        flat: Whether the roof is flat in any case. If not, the kind of roof is drawn at random.
    """
    corners = plan.patch.box(s, t, width, depth)
    if not plan.is_free(corners):
        return
    colour = plan.jitter(colour, 14)
    kind = plan.rng.random()
    shadow(plan, corners, height)
    if flat or kind < 0.35:
        flat_roof(plan, corners, colour, Material.FLAT_ROOF)
        return
    if width < depth:
        corners = np.roll(corners, -1, axis=0)
    middle_a, middle_b = (corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2
    inset = (
        0.0
        if kind < 0.7
        else 0.5
        * min(1.0, np.hypot(*(corners[3] - corners[0])) / np.hypot(*(corners[1] - corners[0])))
    )
    ridge_a, ridge_b = (
        middle_a + (middle_b - middle_a) * inset,
        middle_b - (middle_b - middle_a) * inset,
    )
    faces = [[corners[0], corners[1], ridge_b, ridge_a], [corners[2], corners[3], ridge_a, ridge_b]]
    faces += [[corners[1], corners[2], ridge_b], [corners[3], corners[0], ridge_a]] if inset else []
    centre = corners.mean(0)
    for face in faces:
        outward = (face[0] + face[1]) / 2 - centre
        lit = 1 - 0.26 * float(outward @ np.asarray(plan.season.slope)) / max(
            1e-6, np.hypot(*outward)
        )
        plan.fill("roofs", np.array(face), Material.TILES, times(colour, lit))
    if plan.rng.random() < 0.5:
        spot = centre + (corners[0] - centre) * 0.35
        plan.fill(
            "roofs",
            spot + np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]),
            Material.TILES,
            times(colour, 0.6),
        )


def hall(plan: Plan, s: float, t: float, width: float, depth: float) -> None:
    """Draws a hall with a metal or flat roof, skylights and equipment.

    Nothing is drawn where the hall would be too close to the river.

    Args:
        plan: Plan to draw on.
        s: Centre along s, in district coordinates (metres).
        t: Centre along t, in district coordinates (metres).
        width: Extent along s, in metres.
        depth: Extent along t, in metres.
    """
    corners = plan.patch.box(s, t, width, depth)
    if not plan.is_free(corners):
        return
    colour = plan.pick(plan.season.hall_roofs)
    shadow(plan, corners, plan.rng.uniform(7, 12))
    if plan.rng.random() < 0.3:
        flat_roof(plan, corners, colour, Material.FLAT_ROOF)
        return
    if np.hypot(*(corners[1] - corners[0])) < np.hypot(*(corners[2] - corners[1])):
        corners = np.roll(corners, -1, axis=0)
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    bays = int(plan.rng.integers(1, 4))
    tilt = 0.1 * float(across @ np.asarray(plan.season.slope)) / np.hypot(*across)
    for k in range(2 * bays):
        a, b = corners[0] + across * (k / (2 * bays)), corners[0] + across * ((k + 1) / (2 * bays))
        lit = 1 + tilt if k % 2 == 0 else 1 - tilt
        plan.fill(
            "roofs", np.array([a, a + along, b + along, b]), Material.METAL, times(colour, lit)
        )
    for part in np.arange(0.04, 0.97, 3.0 / np.hypot(*along)):
        a = corners[0] + along * part
        plan.line(
            "roofs",
            np.array([a + across * 0.02, a + across * 0.98]),
            Material.METAL,
            times(colour, 0.94),
            1,
        )
    if plan.rng.random() < 0.6:
        for part in np.arange(0.1, 0.85, 9.0 / np.hypot(*along)):
            for k in range(2 * bays):
                a = corners[0] + along * part + across * ((k + 0.3) / (2 * bays))
                light = np.array(
                    [
                        a,
                        a + along * 0.02,
                        a + along * 0.02 + across * 0.2 / bays,
                        a + across * 0.2 / bays,
                    ]
                )
                plan.fill("roofs", light, Material.METAL, times(colour, 1.14))


def flat_roof(plan: Plan, corners: Floats, colour: Color, material: Material) -> None:
    """Draws a flat roof: its parapet, the parapet's shadow, and equipment.

    Args:
        plan: Plan to draw on.
        corners: Corners (4, 2) on the plane, in metres.
        colour: RGB colour of the roof in full sun, 0 to 255.
        material: Material of the roof and of what is on it.
    """
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    plan.fill("roofs", corners, material, times(colour, 1.14))
    shift = np.asarray(plan.season.slope)
    centre = corners.mean(0)
    inner = centre + (corners - centre) * (
        1 - 0.9 / np.array([np.hypot(*along), np.hypot(*across)]).min()
    )
    plan.fill("roofs", inner, material, times(colour, 0.74))
    lit = centre + (inner - centre) * 0.97 + shift * 0.35
    plan.fill("roofs", lit, material, colour)
    for _ in range(int(np.clip(np.hypot(*along) * np.hypot(*across) / 90, 1, 14))):
        a, b = plan.rng.uniform(0.15, 0.8, 2)
        size = plan.rng.uniform(1.0, 3.0)
        unit = np.array([along / np.hypot(*along), across / np.hypot(*across)]) * size
        spot = corners[0] + along * a + across * b
        block = np.array(
            [spot, spot + unit[0], spot + unit[0] + unit[1] * 0.7, spot + unit[1] * 0.7]
        )
        plan.fill("roofs", block + shift * 1.3, material, times(colour, 0.52))
        plan.fill("roofs", block, material, plan.jitter((186, 186, 184), 24))


def shadow(plan: Plan, corners: Floats, height: float) -> None:
    """Draws the shadow that a building casts on level ground.

    It reaches at most 28 m, which is within what is painted beyond a district.

    Args:
        plan: Plan to draw on.
        corners: Corners (4, 2) of the building on the plane, in metres.
        height: Height of the building in metres.
    """
    height = min(height, 28 / np.hypot(*plan.season.shadow))
    swept = np.concatenate([corners, corners + np.asarray(plan.season.shadow) * height])
    hull = np.asarray(cv2.convexHull(units(swept))[:, 0], np.int32)
    plan.layers["shadows"].append(Shape(hull, Material.SOIL, (255, 255, 255)))
