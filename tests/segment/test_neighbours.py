import cv2
import numpy as np
import pytest

from segment.neighbours import Neighbours, borders, find_neighbours


def ground(seed: int, height: int, width: int, dtype: str = "uint8", bands: int = 3) -> np.ndarray:
    """Blurred noise, as correlated from pixel to pixel as aerial images are."""
    random = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(random.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 4)
    scaled = 120 + 60 * noise / noise.std()
    return np.clip(scaled[..., None] + random.normal(0, 3, (height, width, bands)), 0, 255).astype(dtype)


@pytest.mark.parametrize("dtype, bands", [("uint8", 3), ("uint16", 1), ("float32", 5)])
def test_parts_of_a_scene_continue_each_other_and_others_do_not(dtype, bands):
    scene, other = ground(0, 300, 420, dtype, bands), ground(1, 100, 140, dtype, bands)
    parts = [scene[r : r + 100, c : c + 140] for r in (0, 100, 200) for c in (0, 140, 280)]
    found = find_neighbours([borders(image) for image in [*parts, other]])
    across = [Neighbours(3 * r + c, 3 * r + c + 1, "right") for r in range(3) for c in range(2)]
    down = [Neighbours(3 * r + c, 3 * r + c + 3, "below") for r in range(2) for c in range(3)]
    assert sorted(found, key=repr) == sorted(across + down, key=repr)


def test_cuts_of_uneven_size_and_calm_water_are_told_apart():
    scene = ground(2, 201, 141)
    upper, lower = scene[:100], np.pad(scene[100:], ((0, 0), (0, 1), (0, 0)), "edge")
    assert find_neighbours([borders(upper), borders(lower)]) == [Neighbours(0, 1, "below")]
    water = [np.full((64, 64, 3), 40, np.uint8) for _ in range(4)]
    assert find_neighbours([borders(image) for image in water]) == []
    assert find_neighbours([borders(upper), borders(cv2.resize(lower, (90, 90)))]) == [], "borders of other lengths do not touch"
