"""Images of none of a classifier's classes, of six named kinds, drawn or made of known images."""

import string
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
PACKAGES = {
    "skimage": "data/{astronaut,chelsea,coffee,rocket,motorcycle_left,motorcycle_right}.*",
    "sklearn": "datasets/images/*.jpg",
    "matplotlib": "mpl-data/sample_data/grace_hopper.jpg",
    "gradio": "media_assets/images/*.jp*g",
}
"""Photographs that installed packages bring along."""


@cache
def photographs(folder: Path | None = None) -> list[Path]:
    """Lists photographs taken from the ground.

    Args:
        folder: A folder of them; by default those of installed packages.
    """
    if folder is not None:
        return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    found = []
    for package, pattern in PACKAGES.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        start, _, rest = pattern.partition("{")
        names, _, end = rest.partition("}")
        patterns = [start + name + end for name in names.split(",")] if rest else [pattern]
        found += [path for one in patterns for path in Path(spec.origin).parent.glob(one)]
    return sorted(found)


def _photograph(random: np.random.Generator, known: Pixels, folder: Path | None) -> Pixels:
    files = photographs(folder)
    picture = cv2.imread(str(files[int(random.integers(len(files)))]), cv2.IMREAD_COLOR)
    assert picture is not None
    edge = int(min(picture.shape[:2]) * random.uniform(0.5, 1))
    top, left = (int(random.integers(side - edge + 1)) for side in picture.shape[:2])
    crop = picture[top : top + edge, left : left + edge, ::-1]
    if random.random() < 0.5:
        crop = crop[:, ::-1]
    return _resized(crop, known)


def _noise(random: np.random.Generator, known: Pixels) -> Pixels:
    """Noise of pixels, or of clouds of any size, grey or in colours."""
    shape = known.shape if random.random() < 0.5 else (*known.shape[:2], 1)
    noise = random.normal(0, 1, shape).astype(np.float32)
    if random.random() < 0.5:
        noise = cv2.GaussianBlur(noise, (0, 0), float(random.uniform(1, 12))).reshape(shape)
    noise = noise / noise.std() * random.uniform(15, 70) + random.uniform(60, 190)
    return np.broadcast_to(noise, known.shape).clip(0, 255).astype(np.uint8)


def _text(random: np.random.Generator, known: Pixels) -> Pixels:
    """A page of words."""
    paper = random.integers(200, 256, 3) if random.random() < 0.8 else random.integers(0, 60, 3)
    ink = 255 - paper if random.random() < 0.5 else np.full(3, 0 if paper.mean() > 128 else 255)
    page = np.full((512, 512, 3), paper, np.uint8)
    size, bottom = float(random.uniform(0.4, 1.2)), 0.0
    letters = np.array(list(string.ascii_letters + "     ,."))
    while bottom < 512:
        bottom += 30 * size
        line = "".join(random.choice(letters, 70))
        font = cv2.FONT_HERSHEY_TRIPLEX if random.random() < 0.5 else cv2.FONT_HERSHEY_SIMPLEX
        color = [int(value) for value in ink]
        cv2.putText(page, line, (8, int(bottom)), font, size, color, 1, cv2.LINE_AA)
    return _resized(page, known)


def _map(random: np.random.Generator, known: Pixels) -> Pixels:
    """A street map: flat areas, roads with casings, houses and names."""
    ground = random.integers(225, 250, 3)
    page = np.full((512, 512, 3), ground, np.uint8)
    palette = [(200, 230, 190), (170, 210, 235), (240, 230, 200), (225, 225, 225)]
    for _ in range(int(random.integers(2, 7))):
        corners = random.integers(-60, 572, (int(random.integers(3, 7)), 2)).astype(np.int32)
        cv2.fillPoly(page, [corners], palette[int(random.integers(4))], cv2.LINE_AA)
    for _ in range(int(random.integers(10, 60))):
        left, top = (int(v) for v in random.integers(0, 500, 2))
        wide, tall = (int(v) for v in random.integers(6, 30, 2))
        cv2.rectangle(page, (left, top), (left + wide, top + tall), (205, 195, 185), -1)
    for _ in range(int(random.integers(5, 14))):
        line = random.integers(-20, 532, (int(random.integers(2, 5)), 2)).astype(np.int32)
        width = int(random.integers(4, 14))
        fill = (255, 255, 255) if random.random() < 0.7 else (250, 205, 110)
        cv2.polylines(page, [line], False, (160, 160, 160), width + 2, cv2.LINE_AA)
        cv2.polylines(page, [line], False, fill, width, cv2.LINE_AA)
    for _ in range(int(random.integers(3, 9))):
        name = "".join(random.choice(list(string.ascii_lowercase), 8)).capitalize()
        place = tuple(int(v) for v in random.integers(0, 460, 2))
        cv2.putText(page, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (60, 60, 60), 1, cv2.LINE_AA)
    return _resized(page, known)


def _false_colour(random: np.random.Generator, known: Pixels) -> Pixels:
    """A known image with infrared as red (high where it is green), or with its bands turned."""
    if random.random() < 0.5:
        return np.ascontiguousarray(known[..., [1, 2, 0] if random.random() < 0.5 else [2, 0, 1]])
    red, green, blue = np.moveaxis(known.astype(np.float32), 2, 0)
    infrared = green + 3 * np.maximum(green - (red + blue) / 2, 0) + 20
    return np.stack([infrared, red, green], 2).clip(0, 255).astype(np.uint8)


def _night(random: np.random.Generator, known: Pixels) -> Pixels:
    """A known image in the dark, with lamps and the noise of the sensor."""
    dark = 40 * (known.astype(np.float32) / 255) ** 2
    lamps = np.zeros(known.shape[:2], np.float32)
    count = int(random.integers(5, 60))
    lamps[tuple(random.integers(0, side, count) for side in lamps.shape)] = 255
    glow = cv2.GaussianBlur(lamps, (0, 0), float(random.uniform(1, 4)))
    glow *= 255 / max(float(glow.max()), 1)
    dark += glow[..., None] * np.array([1, 0.85, 0.55], np.float32)
    return (dark + random.normal(0, 4, known.shape)).clip(0, 255).astype(np.uint8)


def _resized(picture: NDArray[Any], known: Pixels) -> Pixels:
    size = known.shape[1], known.shape[0]
    return np.asarray(
        cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA), np.uint8
    )


KINDS: dict[str, Callable[..., Pixels]] = {
    "photographs": _photograph,
    "noise": _noise,
    "text": _text,
    "maps": _map,
    "false colour": _false_colour,
    "night": _night,
}


def strangers(
    known: Sequence[Pixels], count: int, seed: int = 0, folder: Path | None = None
) -> dict[str, list[Pixels]]:
    """Makes images of none of the classes.

    Args:
        known: Images as the network sees them (rows, columns, 3), which some kinds are made of.
        count: Images of each kind.
        seed: Seed.
        folder: Photographs; by default those of installed packages.
    """
    made: dict[str, list[Pixels]] = {}
    for kind, make in KINDS.items():
        random = np.random.default_rng([seed, *kind.encode()])
        more = (folder,) if kind == "photographs" else ()
        made[kind] = [make(random, known[i % len(known)], *more) for i in range(count)]
    return made
