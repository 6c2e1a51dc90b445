"""What preprocessing makes of known pixels, of any bands and depth, whatever lies beyond them."""

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.pixels.preprocessing import preprocess

ALL = PreprocessSettings(denoise=3, clahe=64, sharpen=0.5)
KINDS = [(bands, dtype) for bands in (1, 3, 4, 13) for dtype in ("uint8", "uint16")]


def noise(
    bands: int = 3, dtype: str = "uint8", rows: int = 96, columns: int = 80, spread: float = 0.03
) -> np.ndarray:
    """Low contrast around a third of the range."""
    high = 255 if dtype == "uint8" else 1 if dtype.startswith("float") else 65535
    pixels = np.random.default_rng(0).normal(high / 3, high * spread, (rows, columns, bands))
    return pixels.clip(0, high).astype(dtype)


def test_off_is_the_same_array():
    pixels = noise()
    assert preprocess(pixels, PreprocessSettings()) is pixels
    assert PreprocessSettings(clahe_cell=8, sharpen_radius=2).is_off and not ALL.is_off
    assert str(ALL) == "denoise 3, clahe 64 (clahe_cell 32), sharpen 0.5 (sharpen_radius 1)"


@pytest.mark.heavy
@pytest.mark.parametrize(
    "bands, dtype", [*KINDS, (2, "int16"), (3, "float32"), (3, "float64"), (5, "int32")]
)
@pytest.mark.parametrize("edge", [3, 5])
def test_denoising_takes_the_median_of_each_band(bands, dtype, edge):
    pixels = noise(bands, dtype, 12, 10, spread=0.2)
    found = preprocess(pixels, PreprocessSettings(denoise=edge))
    assert found.dtype == pixels.dtype and found.shape == pixels.shape
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(pixels, [(edge // 2, edge // 2)] * 2 + [(0, 0)], "edge"), (edge, edge), (0, 1)
    )
    expected = np.median(around, axis=(3, 4))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.heavy
def test_denoising_removes_salt_and_keeps_edges():
    clean = np.repeat(
        np.where(np.arange(40) < 20, 50, 200).astype(np.uint8)[None, :, None], 30, axis=0
    )
    salted = clean.copy()
    salted[5, 7], salted[20, 33] = 255, 0
    np.testing.assert_array_equal(preprocess(salted, PreprocessSettings(denoise=3)), clean)


@pytest.mark.parametrize("bands, dtype", KINDS)
def test_contrast_grows_within_the_limit(bands, dtype):
    pixels = noise(bands, dtype)
    spread = []
    for limit in (64, 128, 256) if dtype == "uint16" else (1, 2, 4):
        found = preprocess(pixels, PreprocessSettings(clahe=limit))
        assert found.dtype == pixels.dtype and found.shape == pixels.shape
        spread.append(found.std(axis=(0, 1)).mean() / pixels.std(axis=(0, 1)).mean())
    assert 1.2 < spread[0] < spread[1] < spread[2]
    assert dtype == "uint16" or spread[1] < 3.1, (
        "a slope of the limit and of what is spread over all values"
    )


@pytest.mark.heavy
def test_contrast_of_rgb_is_that_of_its_lightness():
    pixels = (noise(1) * np.array([1.5, 1, 0.7])).astype(np.uint8)
    before, after = (
        cv2.cvtColor(p, cv2.COLOR_RGB2LAB).astype(int)
        for p in (pixels, preprocess(pixels, PreprocessSettings(clahe=3)))
    )
    assert after[..., 0].std() > 2 * before[..., 0].std()
    assert np.abs(after[..., 1:] - before[..., 1:]).mean() < 1.5, "colours stay"
    each = preprocess(
        np.concatenate([pixels, pixels[..., :1]], axis=2), PreprocessSettings(clahe=3)
    )
    np.testing.assert_array_equal(each[..., 3], each[..., 0])
    np.testing.assert_array_equal(
        each[..., :1], preprocess(pixels[..., :1], PreprocessSettings(clahe=3))
    )


@pytest.mark.heavy
def test_flat_ground_stays_flat():
    for dtype in ("uint8", "uint16"):
        flat = np.full((70, 50, 3), 90 if dtype == "uint8" else 9000, dtype)
        np.testing.assert_array_equal(
            preprocess(flat, PreprocessSettings(denoise=5, sharpen=2)), flat
        )
        enhanced = preprocess(flat, ALL)
        assert len(np.unique(enhanced.reshape(-1, 3), axis=0)) == 1
    assert (
        np.abs(
            preprocess(flat.astype(np.uint8) * 0 + 90, PreprocessSettings(clahe=2)).astype(int) - 90
        ).max()
        <= 3
    )


@pytest.mark.heavy
def test_sharpening_is_an_unsharp_mask_rounded_and_held_in_range():
    pixels = noise(4, "uint8", spread=0.4)
    blurred = cv2.GaussianBlur(pixels.astype(np.float64), (0, 0), 1.5)
    expected = pixels + 0.7 * (pixels - blurred)
    assert expected.min() < 0 and expected.max() > 255
    settings = PreprocessSettings(sharpen=0.7, sharpen_radius=1.5)
    found = preprocess(pixels, settings)
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found, expected.clip(0, 255), atol=0.51)
    for dtype in ("int16", "float32", "float64"):  # which reach beyond
        np.testing.assert_allclose(
            preprocess(pixels.astype(dtype), settings),
            expected,
            atol=0.51 if dtype == "int16" else 1e-3,
        )


@pytest.mark.heavy
def test_steps_come_one_after_the_other():
    pixels = noise(spread=0.1)
    denoised = preprocess(pixels, PreprocessSettings(denoise=3))
    enhanced = preprocess(denoised, PreprocessSettings(clahe=64))
    np.testing.assert_array_equal(
        preprocess(pixels, ALL), preprocess(enhanced, PreprocessSettings(sharpen=0.5))
    )


@pytest.mark.heavy
@pytest.mark.parametrize("bands, dtype", [(3, "uint8"), (4, "uint16")])
def test_tiles_of_any_size_are_treated_alike(bands, dtype):
    pixels = noise(bands, dtype, 256, 256, spread=0.2)
    whole = preprocess(pixels, ALL)
    for row, column, height, width in ((0, 0, 160, 192), (32, 64, 192, 160), (64, 32, 160, 164)):
        tile = preprocess(pixels[row : row + height, column : column + width], ALL)
        # the outermost cells see less of what is around
        inside = np.s_[56 : height - 56, 56 : width - 56]
        np.testing.assert_array_equal(
            tile[inside], whole[row : row + height, column : column + width][inside]
        )


def test_images_smaller_than_a_cell_are_continued_by_reflection():
    for rows, columns in ((1, 1), (5, 31), (33, 7)):
        assert preprocess(noise(rows=rows, columns=columns), ALL).shape == (rows, columns, 3)


@pytest.mark.heavy
@pytest.mark.parametrize("bands, dtype", [(3, "uint8"), (1, "uint8"), (13, "uint16")])
def test_nodata_stays_and_is_not_seen(bands, dtype):
    pixels = noise(bands, dtype, spread=0.1)
    valid = np.ones(pixels.shape[:2], bool)
    valid[:40, 20:60], valid[70, 3] = False, False
    found = []
    for value in (0, 255):
        pixels[~valid] = value
        kept = pixels.copy()
        found.append(preprocess(pixels, ALL, valid))
        np.testing.assert_array_equal(pixels, kept)
        assert (found[-1][~valid] == value).all() and (found[-1][valid] != pixels[valid]).any()
    np.testing.assert_array_equal(found[0][valid], found[1][valid])
    assert preprocess(pixels, ALL, np.zeros_like(valid)) is pixels
    np.testing.assert_array_equal(
        preprocess(pixels, ALL, np.ones_like(valid)), preprocess(pixels, ALL)
    )


@pytest.mark.heavy
def test_ground_beside_nodata_gets_no_rim():
    pixels = np.full((40, 40, 3), 120, np.uint8)
    pixels[:, :15] = 0
    sharp = preprocess(pixels, PreprocessSettings(denoise=5, sharpen=2), pixels[..., 0] > 0)
    np.testing.assert_array_equal(sharp, pixels)
    assert preprocess(pixels, PreprocessSettings(sharpen=2))[:, 15:].max() > 120, (
        "which it would have"
    )


@pytest.mark.heavy
def test_the_nearest_valid_pixel_stands_in():
    pixels = np.tile(np.arange(30, dtype=np.float32)[None, :, None], (20, 1, 1))
    valid = np.ones((20, 30), bool)
    valid[:, 10:] = False
    pixels[~valid] = -99
    found = preprocess(pixels, PreprocessSettings(denoise=3), valid)
    np.testing.assert_array_equal(found[:, :10, 0], np.tile(np.arange(10), (20, 1)))


@pytest.mark.parametrize(
    "dtype, settings, words",
    [
        ("float32", {"clahe": 2}, "8 or 16 bits, pixels are float32. Set it to 0"),
        ("int16", {"clahe": 2}, "pixels are int16"),
        (
            "uint16",
            {"clahe": 2},
            "2 is too low for cells of 32 x 32 pixels of uint16. Raise it to 64, or clahe_cell to"
            " 182",
        ),
        (
            "uint8",
            {"clahe": 1, "clahe_cell": 12},
            "1 is too low for cells of 12 x 12 pixels of uint8. Raise it to 2, or .* 16",
        ),
    ],
)
def test_contrast_that_cannot_be_limited_is_refused(dtype, settings, words):
    with pytest.raises(InputError, match=f"data.preprocess.clahe: .*{words}") as error:
        preprocess(noise(dtype=dtype), PreprocessSettings(**settings))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("cure", [{"clahe": 64}, {"clahe": 2, "clahe_cell": 182}])
def test_the_cure_works(cure):
    preprocess(noise(dtype="uint16"), PreprocessSettings(**cure))


@pytest.mark.parametrize(
    "wrong",
    [
        {"denoise": 4},
        {"clahe": -1},
        {"clahe": float("inf")},
        {"sharpen": -0.1},
        {"sharpen_radius": 0},
        {"blur": 1},
    ],
)
def test_settings_know_their_ranges(wrong):
    with pytest.raises(ValidationError):
        PreprocessSettings(**wrong)
