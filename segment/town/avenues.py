"""Carriageways of the sample town, with sidewalks, lane markings, street trees and traffic."""

import numpy as np

from segment.town.materials import Color, Material, times
from segment.town.noise import Floats
from segment.town.plan import Plan
from segment.town.streets import SIDEWALK, Street, avenue_line, avenue_width, junction


def street(plan: Plan, course: Street, tint: Color) -> None:
    """Draws a street inside the district, with trees beside it and parked cars.

    Args:
        plan: Plan to draw on. Its season says what share of the streets is of dirt.
        course: Street to draw, in district coordinates (metres).
        tint: RGB colour of the asphalt, 0 to 255. A dirt street takes its colour from the soil.
    """
    path, surface = plan.patch.line(course.start, course.end), Material.ASPHALT
    if plan.season.unpaved and plan.rng.random() < plan.season.unpaved:
        surface, tint = Material.DIRT, _dirt(plan, tint[0] % 8 / 8)
    plan.line("ground", path, surface, tint, round(course.width / 0.3))
    length = np.hypot(course.end[0] - course.start[0], course.end[1] - course.start[1])
    down = course.start[0] == course.end[0]
    for along in np.arange(9, length - 9, 7.5):
        part = along / length
        s = course.start[0] + (course.end[0] - course.start[0]) * part
        t = course.start[1] + (course.end[1] - course.start[1]) * part
        for side in (-1, 1):
            draw = plan.rng.random()
            off = side * (course.width / 2 - 1.1 if draw < 0.12 else course.width / 2 + 1.4)
            at = (s + off, t) if down else (s, t + off)
            if draw < 0.12:
                plan.vehicle(*plan.patch.frame(*at), along_second=down)
            elif draw < 0.42:
                plan.trees.at(*at, plan.rng.uniform(1.4, 3.0))


def avenue(plan: Plan, eastward: bool) -> None:
    """Draws the avenue above or to the left of the district.

    It has sidewalks, markings, trees and traffic, and some have a roundabout at a junction. Avenues
    of 16 m width have a planted median. Whether an avenue is of dirt is decided for its whole
    length; a dirt avenue has a carriageway and sidewalks only.

    Args:
        plan: Plan to draw on.
        eastward: Draws the avenue above the district if true, the one to its left if false.
    """
    seed, row, column = plan.seed, plan.row, plan.column
    rng = np.random.default_rng([seed, 8 + eastward, row + 2**20, column + 2**20])
    width = avenue_width(seed, row if eastward else column, eastward)
    path = avenue_line(seed, row, column, eastward, np.linspace(0, 1, 49))
    pixels = round(width / 0.3)
    plan.line("shore", path, Material.PAVEMENT, plan.paving, pixels + 2 * round(SIDEWALK / 0.3))
    plan.line(
        "decks", path + np.asarray(plan.season.shadow) * 5, Material.ASPHALT, (0, 0, 0), pixels + 10
    )
    if width * 31.7 % 1 < plan.season.unpaved - 0.5:  # the same along a whole avenue
        plan.line("asphalt", path, Material.DIRT, _dirt(plan, width * 7.3 % 1), pixels)
        return
    low, high = np.array(plan.season.asphalt)
    # One surface along an avenue.
    tint = tuple(int(c) for c in low + (high - low) * (width * 7.3 % 1))
    plan.line("asphalt", path, Material.ASPHALT, tint, pixels)  # type: ignore[arg-type]
    step = np.diff(path, axis=0)
    normal = np.stack([-step[:, 1], step[:, 0]], 1) / np.hypot(*step.T)[:, None]
    middle = (path[1:] + path[:-1]) / 2
    inner = slice(4, -4)
    if width == 16.0:
        plan.line("marking", path[4:-4], Material.GRASS, plan.season.grass[0], 9)
        for point in middle[inner][::2]:
            if plan.to_bank(point[None])[0] > 1:
                plan.trees.at_point(point, rng.uniform(1.2, 2.2))
    for side in (-1, 1):
        plan.line(
            "marking",
            (middle + normal * side * (width / 2 - 0.6))[inner],
            Material.MARKING,
            plan.season.marking,
            1,
        )
    lanes = (
        (-width / 4 - 0.7, width / 4 + 0.7)
        if width == 16.0
        else ((0.0,) if width < 11 else (-width / 4, 0.0, width / 4))
    )
    for lane in lanes:
        line = middle + normal * lane
        for a, b in zip(line[inner][:-1], line[inner][1:], strict=True):
            plan.line(
                "marking",
                np.array([a, a + (b - a) * 0.5]),
                Material.MARKING,
                plan.season.marking,
                1,
            )
    for end in (4, -5):
        for offset in np.arange(-width / 2 + 0.9, width / 2 - 0.4, 1.2):
            centre, ahead = middle[end] + normal[end] * offset, step[end] / np.hypot(*step[end])
            plan.line(
                "marking",
                np.array([centre - ahead * 1.5, centre + ahead * 1.5]),
                Material.MARKING,
                plan.season.marking,
                2,
            )
    for k in range(5, 43):
        for side in (-1, 1):
            ahead = step[k] / np.hypot(*step[k])
            if rng.random() < 0.16:
                plan.vehicle(
                    middle[k] + normal[k] * side * width * 0.3, ahead, normal[k], on_bridge=True
                )
            if rng.random() < 0.4:
                plan.trees.at_point(
                    middle[k] + normal[k] * side * (width / 2 + 1.4), rng.uniform(1.5, 3.2)
                )
    if eastward and junction(seed, row, column)[0] % 1 < 0.3:
        roundabout(plan, np.array(junction(seed, row, column)))


def _dirt(plan: Plan, part: float) -> Color:
    """Colour of a dirt road: traffic makes the soil barer and lighter than the ground beside it."""
    low, high = np.array(plan.season.soil)
    return times(tuple(low + (high - low) * (0.6 + 0.4 * part)), 1.12)


def roundabout(plan: Plan, centre: Floats) -> None:
    """Draws a ring of asphalt around a planted island.

    Args:
        plan: Plan to draw on.
        centre: Point (2,) on the plane, in metres.
    """
    angle = np.linspace(0, 2 * np.pi, 40)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    plan.fill("shore", centre + ring * 23.5, Material.PAVEMENT, plan.paving)
    plan.fill("asphalt", centre + ring * 21, Material.ASPHALT, (108, 108, 108))
    plan.fill("marking", centre + ring * 12.5, Material.ASPHALT, (108, 108, 108))
    plan.fill("marking", centre + ring * 11.2, Material.PAVEMENT, plan.paving)
    plan.fill("marking", centre + ring * 10.4, Material.GRASS, plan.season.grass[0])
    for k in range(0, 40, 5):
        plan.trees.at_point(centre + ring[k] * 6.5, 1.8)
