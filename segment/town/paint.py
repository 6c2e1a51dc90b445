"""The painting of a square of the town: surfaces and their reference, light, texture, sensor."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.town.materials import LABELS, TEXTURE, Material, Season
from segment.town.noise import Floats, noise
from segment.town.plan import SUBPIXELS, UNITS_PER_METRE, Plan
from segment.town.streets import River

MARGIN = 16  # pixels around the square that blur and displacement reach into
SHIFT = SUBPIXELS.bit_length() - 1


def paint(
    seed: int, row: int, column: int, size: int, plans: Iterable[Plan], river: River, season: Season
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Paints a square of the scene: first the surfaces, then light, texture and sensor.

    Args:
        seed: Seed of the town.
        row: Row of the upper left pixel.
        column: Column of the upper left pixel.
        size: Edge of the square in pixels.
        plans: Finished plans of all districts that reach into the square.
        river: Rivers of the town.
        season: Colours, sun and air of the town.

    Returns:
        Image (size, size, 3) and reference (size, size), both uint8.
    """
    plans = list(plans)
    top, left, side = row - MARGIN, column - MARGIN, size + 2 * MARGIN
    ys, xs = np.arange(top, top + side) + 0.5, np.arange(left, left + side) + 0.5
    canvas = _bare_ground(seed, ys, xs, season)
    shadows = np.zeros((side, side), np.uint8)

    def draw(layer: str, target: NDArray[np.uint8] = canvas) -> None:
        for plan in plans:
            _draw(target, plan, layer, left, top)

    draw("ground")
    bank = river.distance(xs[None, :] * 0.3, ys[:, None] * 0.3)
    bank = bank + 1.1 * noise(seed + 31, ys, xs, 34) + 0.4 * noise(seed + 32, ys, xs, 9)
    _river(canvas, bank, noise(seed + 33, ys, xs, 60), season)
    draw("decks", shadows)
    shadows[bank >= 0] = 0
    draw("shore")
    deck = (canvas[..., 3] == Material.PAVEMENT) & (bank < 1.5)
    canvas[deck] = (168, 166, 160, Material.BRIDGE)
    draw("asphalt")
    draw("marking")
    shadows[canvas[..., 3] != Material.WATER] = 0
    draw("vehicles")
    draw("shadows", shadows)
    draw("roofs")
    shadows[LABELS[canvas[..., 3]] == 0] = 0
    _trees(seed, canvas, shadows, plans, ys, xs, season)
    inner = slice(MARGIN, MARGIN + size)
    image = _photograph(seed, canvas, shadows, ys, xs, season)[inner, inner]
    rng = np.random.default_rng([seed, 13, row + 2**24, column + 2**24])
    # Sums of two bytes approximate a bell curve, and are far cheaper than normal deviates.
    grain = rng.integers(0, 256, (2, size, size, 3), np.uint8)
    image = image + (grain[0].astype(np.float32) + grain[1] - 255) * np.float32(season.grain)
    return np.clip(image + 0.5, 0, 255).astype(np.uint8), LABELS[canvas[inner, inner, 3]]


def _draw(target: NDArray[np.uint8], plan: Plan, layer: str, left: int, top: int) -> None:
    shapes = plan.layers.get(layer, [])
    if not shapes:
        return
    origin = np.array([left, top], np.int32) * SUBPIXELS
    side = target.shape[0] * SUBPIXELS
    reach = 60 * SUBPIXELS
    boxes = plan.boxes[layer] - np.concatenate([origin, origin])
    seen = (
        (boxes[:, 0] < side + reach)
        & (boxes[:, 1] < side + reach)
        & (boxes[:, 2] > -reach)
        & (boxes[:, 3] > -reach)
    )
    for k in np.flatnonzero(seen):
        shape = shapes[k]
        points = shape.points - origin
        colour = (*shape.color, int(shape.material))
        if shape.thickness:
            cv2.polylines(target, [points], False, colour, shape.thickness, cv2.LINE_8, SHIFT)
        else:
            cv2.fillPoly(target, [points], colour, cv2.LINE_8, SHIFT)


def _bare_ground(seed: int, ys: Floats, xs: Floats, season: Season) -> NDArray[np.uint8]:
    canvas = np.empty((len(ys), len(xs), 4), np.uint8)
    part = np.clip(
        0.5 + 0.25 * noise(seed + 34, ys, xs, 90) + 0.15 * noise(seed + 35, ys, xs, 25), 0, 1
    )
    for band in range(3):
        low, high = season.soil[0][band], season.soil[1][band]
        canvas[..., band] = low + (high - low) * part
    canvas[..., 3] = Material.SOIL
    return canvas


def _river(canvas: NDArray[np.uint8], bank: Floats, patches: Floats, season: Season) -> None:
    """Draws green banks, a sandy shore of uneven width, and water that darkens with depth."""
    green = (bank < 6 + 1.5 * patches) & (LABELS[canvas[..., 3]] != 2)
    canvas[green] = (*season.grass[0], Material.GRASS)
    canvas[bank < 1.2 + 1.6 * patches] = (*season.sand, Material.SAND)
    wet = bank < 0
    depth = np.clip(-bank[wet] / 11, 0, 1)[:, None] ** 0.7
    shallow, deep = np.array(season.shallow), np.array(season.deep)
    canvas[wet, :3] = shallow + (deep - shallow) * depth
    canvas[wet, 3] = Material.WATER


def _trees(
    seed: int,
    canvas: NDArray[np.uint8],
    shadows: NDArray[np.uint8],
    plans: list[Plan],
    ys: Floats,
    xs: Floats,
    season: Season,
) -> None:
    """Draws crowns and their shadows as discs and lays them over the canvas.

    Noise displaces both, so that they look grown.
    """
    crowns, cast = np.zeros_like(canvas), np.zeros_like(shadows)
    side, left, top = len(ys), xs[0] - 0.5, ys[0] - 0.5
    east, south = season.shadow
    trees = np.concatenate([plan.trees.grown for plan in plans])
    place = (trees[:, :2] * UNITS_PER_METRE - np.array([left, top]) * SUBPIXELS) / SUBPIXELS
    trees = trees[((place > -60) & (place < side + 60)).all(1)]
    for x, y, radius, height in trees[:, :4]:
        reach = height * 0.8
        centre = _pixel(x + east * reach, y + south * reach, left, top)
        cv2.circle(cast, centre, int(radius * UNITS_PER_METRE), (255,), -1, cv2.LINE_8, SHIFT)
    for x, y, radius, _, red, green, blue in trees:
        for away, part, lit in ((0.0, 1.0, 0.72), (0.2, 0.78, 1.0), (0.38, 0.42, 1.22)):
            centre = _pixel(x - east * radius * away, y - south * radius * away, left, top)
            ink = (red * lit, green * lit, blue * lit, float(Material.CROWN))
            cv2.circle(
                crowns, centre, int(radius * part * UNITS_PER_METRE), ink, -1, cv2.LINE_8, SHIFT
            )
    steps = np.arange(side, dtype=np.float32)
    map_x = steps[None, :] + 1.9 * noise(seed + 36, ys, xs, 4)
    map_y = steps[:, None] + 1.9 * noise(seed + 37, ys, xs, 4)
    coarse, fine = cv2.convertMaps(map_x, map_y, cv2.CV_16SC2, nninterpolation=True)
    crowns = np.asarray(cv2.remap(crowns, coarse, fine, cv2.INTER_NEAREST), np.uint8)
    shadows |= np.asarray(cv2.remap(cast, coarse, fine, cv2.INTER_NEAREST), np.uint8)
    grown = (crowns[..., 3] == Material.CROWN).astype(np.uint8)
    cv2.copyTo(crowns, grown, canvas)
    shadows[grown > 0] = 0


def _pixel(x: float, y: float, left: float, top: float) -> tuple[int, int]:
    return round(x * UNITS_PER_METRE - left * SUBPIXELS), round(
        y * UNITS_PER_METRE - top * SUBPIXELS
    )


def _photograph(
    seed: int,
    canvas: NDArray[np.uint8],
    shadows: NDArray[np.uint8],
    ys: Floats,
    xs: Floats,
    season: Season,
) -> NDArray[np.float32]:
    """Applies texture, waves, shadow, drifting light, haze and the blur of the optics.

    Returns float32 (H, W, 3), about 0 to 255.
    """
    code = canvas[..., 3]
    height, width = code.shape
    # That the speckle repeats every 1024 px is not visible, and it continues across squares.
    tile = np.random.default_rng([seed, 12]).integers(0, 256, (1024, 1024), np.uint8)
    speckle = (
        tile[np.ix_(ys.astype(int) % 1024, xs.astype(int) % 1024)].astype(np.float32) / 73.9 - 1.725
    )
    mottle = 3 * cv2.blur(speckle, (3, 3))
    coarse = (noise(seed + 40 + k, ys, xs, cell) for k, cell in enumerate((13, 50)))
    light = np.ones((height, width), np.float32)
    for deviation, texture in zip(TEXTURE, (speckle, mottle, *coarse), strict=True):
        light += cv2.LUT(code, deviation * np.float32(season.texture)) * texture
    wet = code == Material.WATER
    waves = noise(seed + 45, ys, xs * 0.35, 3.2)[wet]
    light[wet] += np.float32(season.waves) * waves
    if season.glitter:
        light[wet] += np.float32(season.glitter) * np.maximum(waves + speckle[wet] - 2.4, 0)
    light *= 1 + 0.07 * noise(seed + 46, ys, xs, 900)
    shade = (
        cv2.GaussianBlur(shadows, (season.softness, season.softness), 0).astype(np.float32) / 255
    )
    image = np.empty((height, width, 3), np.float32)
    for band, (dark, gain) in enumerate(zip(season.dark, season.gain, strict=True)):
        drift = gain * (1 + 0.025 * noise(seed + 47 + band, ys, xs, 700))
        plane = canvas[..., band] * light * (1 - dark * shade)
        image[..., band] = season.haze * season.haze_tint[band] + plane * drift * np.float32(
            1 - season.haze / 255
        )
    if season.saturation != 1:
        grey, part = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), season.saturation
        image = np.asarray(
            cv2.addWeighted(image, part, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), 1 - part, 0),
            np.float32,
        )
    return np.asarray(cv2.GaussianBlur(image, (5, 5), season.blur), np.float32)
