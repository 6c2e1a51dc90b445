import cv2
import numpy as np
import pytest

from segment.core.pixels import near_duplicates as duplicates
from segment.core.pixels.near_duplicates import Duplicate, find_duplicates, fingerprint


def scene(seed: int, bands: int = 3, size: int = 128) -> np.ndarray:
    """A patchwork of fields under noise, (size, size, bands) uint8."""
    random = np.random.default_rng(seed)
    fields = cv2.resize(
        random.uniform(40, 200, (6, 6)).astype(np.float32),
        (size, size),
        interpolation=cv2.INTER_NEAREST,
    )
    tint = random.uniform(0.7, 1.2, bands)
    return np.clip(
        fields[..., None] * tint + random.normal(0, 8, (size, size, bands)), 0, 255
    ).astype(np.uint8)


def water(seed: int, size: int = 64) -> np.ndarray:
    """Nearly uniform, as a JPEG leaves it."""
    random = np.random.default_rng(seed)
    slope = random.uniform(-5, 5, 2) @ (np.mgrid[:size, :size].reshape(2, -1) / size)
    pixels = (
        np.array([20, 40, 80]) + slope.reshape(size, size, 1) + random.normal(0, 1, (size, size, 3))
    )
    return reencoded(np.clip(pixels, 0, 255).astype(np.uint8), 90)


def reencoded(pixels: np.ndarray, quality: int = 70) -> np.ndarray:
    return cv2.imdecode(
        cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
    )


def halved(pixels: np.ndarray) -> np.ndarray:
    return cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def brighter(pixels: np.ndarray) -> np.ndarray:
    return np.clip(pixels * 1.1 + 5, 0, 255).astype(np.uint8)


def restored(pixels: np.ndarray) -> np.ndarray:
    return cv2.resize(halved(pixels), pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize(
    "change", [reencoded, halved, restored, brighter, lambda p: reencoded(brighter(restored(p)))]
)
def test_changed_copies_are_found_and_nothing_else(change):
    originals = [fingerprint(scene(seed)) for seed in range(40)]
    copies = [fingerprint(change(scene(seed))) for seed in range(39, 29, -1)]
    assert find_duplicates(originals, copies) == [
        Duplicate(k, 39 - k, False) for k in range(30, 40)
    ]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("bands", [1, 2, 13])
def test_exact_copies_of_any_bands_and_depth(dtype, bands):
    pixels = [scene(seed, bands, 32).astype(dtype) * 3 for seed in range(4)]
    strided = np.asfortranarray(pixels[2])
    found = find_duplicates(
        [fingerprint(p) for p in pixels], [fingerprint(p) for p in (pixels[3], strided)]
    )
    assert found == [Duplicate(2, 1, True), Duplicate(3, 0, True)]


def test_the_same_bytes_in_another_shape_or_type_are_not_exact():
    pixels = scene(0, 2, 32)
    digests = {
        fingerprint(p).exact for p in (pixels, pixels.reshape(16, 64, 2), pixels.view(np.int8))
    }
    assert len(digests) == 3


def test_an_exact_copy_wins_over_a_near_one():
    pixels = scene(0)
    found = find_duplicates(
        [fingerprint(pixels)], [fingerprint(reencoded(pixels)), fingerprint(pixels)]
    )
    assert found == [Duplicate(0, 1, True)]


def test_flat_images_are_not_duplicates_of_each_other():
    prints = [fingerprint(water(seed)) for seed in range(200)]
    assert find_duplicates(prints[:100], prints[100:]) == []


def test_uniform_images_are_duplicates_only_when_they_are_the_same():
    black, grey = (fingerprint(np.full((32, 32, 3), value, np.uint8)) for value in (0, 77))
    assert find_duplicates([black], [grey]) == []
    assert find_duplicates([black, grey], [grey]) == [Duplicate(1, 0, True)]


def test_chunks_do_not_change_what_is_found(monkeypatch):
    first = [fingerprint(scene(seed, 1, 32)) for seed in range(11)]
    second = [fingerprint(reencoded(scene(seed, 1, 32), 95)[..., :1]) for seed in (0, 4, 10)]
    whole = find_duplicates(first, second)
    assert [(d.first, d.second) for d in whole] == [(0, 0), (4, 1), (10, 2)]
    monkeypatch.setattr(duplicates, "_AT_A_TIME", 3)
    assert find_duplicates(first, second) == whole


def test_nothing_to_compare():
    assert find_duplicates([], []) == find_duplicates([fingerprint(scene(0))], []) == []
