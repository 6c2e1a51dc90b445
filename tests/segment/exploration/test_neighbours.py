from functools import partial

import cv2
import numpy as np
import pytest

from segment.exploration.neighbours import Neighbours, borders, find_neighbours


def ground(
    seed: int, height: int, width: int, dtype: str = "uint8", bands: int = 3, blur: float = 2
) -> np.ndarray:
    """Blurred noise, as correlated from pixel to pixel as aerial images are."""
    random = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(random.normal(0, 1, (height, width)).astype(np.float32), (0, 0), blur)
    scaled = 120 + 60 * noise / noise.std()
    return np.clip(scaled[..., None] + random.normal(0, 3, (height, width, bands)), 0, 255).astype(
        dtype
    )


@pytest.mark.parametrize("dtype, bands", [("uint8", 3), ("uint16", 1), ("float32", 5)])
def test_parts_of_a_scene_continue_each_other_and_others_do_not(dtype, bands):
    scene, other = ground(0, 300, 420, dtype, bands), ground(1, 100, 140, dtype, bands)
    parts = [scene[r : r + 100, c : c + 140] for r in (0, 100, 200) for c in (0, 140, 280)]
    found = find_neighbours([borders(image) for image in [*parts, other]])
    across = [Neighbours(3 * r + c, 3 * r + c + 1, "right") for r in range(3) for c in range(2)]
    down = [Neighbours(3 * r + c, 3 * r + c + 3, "below") for r in range(2) for c in range(3)]
    assert sorted(found, key=repr) == sorted(across + down, key=repr)


def test_cuts_of_uneven_size_and_calm_water_are_distinguished():
    scene = ground(2, 201, 141)
    upper, lower = scene[:100], np.pad(scene[100:], ((0, 0), (0, 1), (0, 0)), "edge")
    assert find_neighbours([borders(upper), borders(lower)]) == [Neighbours(0, 1, "below")]
    water = [np.full((64, 64, 3), 40, np.uint8) for _ in range(4)]
    assert find_neighbours([borders(image) for image in water]) == []
    assert find_neighbours([borders(upper), borders(cv2.resize(lower, (90, 90)))]) == [], (
        "borders of other lengths do not touch"
    )


def fields(seed: int, size: int = 128) -> np.ndarray:
    """A patchwork of uniform fields with straight edges: borders with a few steps, which often meet
    by chance.
    """
    random = np.random.default_rng(seed)
    image = np.full((size, size, 3), random.integers(40, 200, 3), np.float32)
    rows, columns = np.mgrid[:size, :size]
    for _ in range(random.integers(2, 7)):
        (row, column), angle = random.integers(0, size, 2), random.uniform(0, np.pi)
        beyond = (rows - row) * np.cos(angle) + (columns - column) * np.sin(angle) > 0
        image[beyond] = 0.3 * image[beyond] + random.integers(20, 160, 3)
    return image + random.normal(0, 3, image.shape)


def blocks(seed: int, size: int = 128) -> np.ndarray:
    """Fields on a grid, whose steps stand at the same places in many images."""
    random = np.random.default_rng(seed)
    edge = int(random.integers(2, 6))
    levels = random.integers(30, 220, (edge, edge, 3)).astype(np.float32)
    return cv2.resize(levels, (size, size), interpolation=cv2.INTER_NEAREST) + random.normal(
        0, 3, (size, size, 3)
    )


@pytest.mark.parametrize(
    "draw", [fields, blocks, *(partial(ground, height=128, width=128, blur=b) for b in (4, 12, 30))]
)
def test_images_that_have_nothing_to_do_with_each_other_are_no_neighbours(draw):
    assert find_neighbours([borders(np.asarray(draw(seed), np.uint8)) for seed in range(100)]) == []
