import numpy as np
import pytest

from segment.core.errors import InputError
from segment.core.pixels.normalise import (
    BandStatistics,
    BandStatisticsMeter,
    imagenet_statistics,
    normalisation,
    resolve_auto,
    scaling,
)

pytestmark = pytest.mark.heavy


def test_pieces_add_up_to_the_whole_at_large_offsets():
    pixels = np.random.default_rng(0).normal(1e6, 2, (40, 30, 4)).astype(np.float32)
    valid = np.random.default_rng(1).random((40, 30)) > 0.3
    meter = BandStatisticsMeter(4, "float32")
    for start in range(0, 40, 7):
        meter.add(pixels[start : start + 7], valid[start : start + 7])
    meter.add(pixels[:2], np.zeros((2, 30), bool))
    found, chosen = meter.statistics(), pixels[valid].astype(float)
    assert (found.count, found.bands) == (valid.sum(), 4)
    np.testing.assert_allclose(found.mean, chosen.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.deviation, chosen.std(axis=0), rtol=1e-9)
    np.testing.assert_array_equal(found.minimum, chosen.min(axis=0))
    np.testing.assert_array_equal(found.maximum, chosen.max(axis=0))


def test_pixels_that_are_not_finite_do_not_count():
    pixels = np.array([[[1.0], [np.nan], [3.0], [np.inf]]])
    meter = BandStatisticsMeter(1, "float64")
    meter.add(pixels, np.ones((1, 4), bool))
    assert (meter.count, meter.statistics().mean.tolist()) == (2, [2.0])


def made(
    mode: str, pixels: np.ndarray, affine=imagenet_statistics, deviation: float = 50
) -> np.ndarray:
    ones = np.ones(pixels.shape[-1])
    statistics = BandStatistics(
        pixels.dtype.name, 1, 20 * ones, 220 * ones, 100 * ones, deviation * ones
    )
    return np.asarray(normalisation(statistics, mode, affine)(pixels))


def test_pixels_are_brought_into_range():
    pixels = np.random.default_rng(0).integers(0, 60_000, (2, 4, 4, 5)).astype(np.uint16)
    np.testing.assert_allclose(made("minmax", pixels), (pixels - 20.0) / 200, rtol=1e-5)
    np.testing.assert_allclose(made("standardise", pixels), (pixels - 100.0) / 50, rtol=1e-5)
    np.testing.assert_allclose(made("standardise", pixels, deviation=0), pixels - 100.0, rtol=1e-5)


def test_imagenet_statistics_are_those_of_pytorch():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 4)).astype(np.uint8)
    found = made("imagenet_statistics", pixels, lambda: scaling(1 / 128, -1))
    np.testing.assert_allclose(
        found[..., :3],
        (pixels[..., :3] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
        atol=1e-5,
    )
    assert found[..., 3].min() > -2.2 and found[..., 3].max() < 2.7


def test_imagenet_is_the_preprocessing_of_the_backbone():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 4)).astype(np.uint8)
    np.testing.assert_allclose(
        made("imagenet", pixels, lambda: scaling(1 / 128, -1)), pixels / 128 - 1, atol=1e-5
    )
    caffe = (np.eye(3)[::-1], np.array([-103.939, -116.779, -123.68]))
    np.testing.assert_allclose(
        made("imagenet", pixels[..., :3], lambda: caffe), pixels[..., 2::-1] + caffe[1], atol=1e-4
    )


@pytest.mark.parametrize("mode", ["imagenet", "imagenet_statistics"])
@pytest.mark.parametrize("bands, dtype", [(2, "uint8"), (3, "uint16")])
def test_imagenet_is_for_rgb_of_8_bits(mode, bands, dtype):
    with pytest.raises(
        InputError,
        match=f"data.normalise: {mode} needs 8-bit RGB, .* {bands} bands of {dtype}",
    ):
        made(mode, np.zeros((1, 2, 2, bands), dtype))


@pytest.mark.parametrize(
    "source, bands, dtype, rgb_first, expected",
    [
        ("imagenet", 3, "uint8", True, "imagenet"),
        ("bundled", 3, "uint8", True, "imagenet_statistics"),
        ("bundled", 4, "uint8", True, "imagenet_statistics"),
        ("bundled", 3, "uint8", False, "standardise"),
        ("bundled", 3, "uint16", True, "standardise"),
        ("bundled", 1, "uint8", True, "standardise"),
        ("none", 3, "uint8", True, "standardise"),
        ("weights.npz", 3, "uint8", True, "standardise"),
    ],
)
def test_auto_is_what_the_weights_expect(source, bands, dtype, rgb_first, expected):
    zeros = np.zeros(bands)
    statistics = BandStatistics(dtype, 1, zeros, zeros + 1, zeros, zeros + 1)
    assert resolve_auto("auto", source, statistics, rgb_first) == expected
    assert resolve_auto("minmax", source, statistics, rgb_first) == "minmax"
