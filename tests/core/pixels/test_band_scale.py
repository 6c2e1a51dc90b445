"""Scales of bands: pixels to 8 bits, and which scale is chosen for which pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose, assert_array_equal

from segment.core.pixels.band_scale import BandScale, Samples, without_fill


def choose(values: np.ndarray, percentages: tuple[float, float] | None = None) -> BandScale:
    return Samples(values.dtype.name, [values], [1.0]).choose(values.shape[1], percentages)


def noise(dtype: str, low: float, high: float, bands: int = 3, count: int = 5000) -> np.ndarray:
    return np.random.default_rng(0).uniform(low, high, (count, bands)).astype(dtype)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "float32", "float64"]
)
def test_a_straight_line_for_each_band(dtype: str) -> None:
    scale = BandScale((10.0, -20.0), (110.0, 80.0), dtype, "")
    start = -30 if np.dtype(dtype).kind in "if" else 0
    values = np.arange(start, 127).astype(dtype)
    found = scale.apply(np.stack([values, values], axis=1)[None])
    assert found.dtype == np.uint8
    assert found.shape == (1, len(values), 2)
    for band, (low, high) in enumerate(zip(scale.low, scale.high, strict=True)):
        expected = np.rint(((values.astype(float) - low) / (high - low)).clip(0, 1) * 255)
        assert_array_equal(found[0, :, band], expected)


@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64]),
        (3, 4, 2),
    )
)
def test_any_pixels_become_8_bits(pixels: np.ndarray) -> None:
    """Infinities and NaN too, without a warning; and in pieces as in one."""
    scale = BandScale((0.0, -1e30), (1e-3, 1e30), pixels.dtype.name, "")
    with np.errstate(all="raise"):
        found = scale.apply(pixels)
    assert found.dtype == np.uint8
    assert_array_equal(found[1:2, 1:], scale.apply(pixels[1:2, 1:]))
    is_nan = np.isnan(pixels.astype(np.float64))
    assert not found[is_nan].any()
    assert (found[..., 0][pixels[..., 0] >= 1] == 255).all()
    assert (found[..., 0][pixels[..., 0] <= 0] == 0).all()


def test_large_images_of_floats_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise("float32", 0, 1, count=40 * 7).reshape(40, 7, 3)
    scale = BandScale((0.1,) * 3, (0.9,) * 3, "float32", "")
    whole = scale.apply(pixels)
    monkeypatch.setattr("segment.core.pixels.band_scale._AT_A_TIME", 50)
    assert_array_equal(scale.apply(pixels), whole)


def test_values_of_a_byte_in_another_type_stay() -> None:
    for dtype in ("uint16", "int16", "int32", "float32"):
        scale = choose(noise(dtype, 0, 255))
        assert (scale.low, scale.high) == ((0.0,) * 3, (255.0,) * 3)
        pixels = np.arange(255, dtype=dtype).reshape(5, 17, 3)
        assert_array_equal(scale.apply(pixels), pixels)
        assert "taken as they are" in scale.note


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("uint16", 0, 4095),  # 12 bits in 16
        ("uint16", 150, 3200),  # reflectances of 0 to 10,000
        ("float32", 0, 1),
        ("float32", 0, 100),  # per cent
        ("int16", -2000, 9000),
        ("int8", -100, 100),
        ("float64", -1e20, 1e20),
        ("uint16", 1000, 1010),
        ("int32", 2_000_000_000, 2_000_000_090),
        ("float64", 1e9, 1e9 + 0.001),
    ],
)
def test_other_values_fill_the_range(dtype: str, low: float, high: float) -> None:
    scale = choose(noise(dtype, low, high))
    span = high - low
    step = 1 if np.dtype(dtype).kind in "iu" else 0
    assert (np.abs(np.subtract(scale.low, low)) <= 0.02 * span + step).all()
    assert (np.abs(np.subtract(scale.high, high)) <= 0.02 * span + step).all()
    assert scale.low < scale.high
    assert len(set(scale.low)) == len(set(scale.high)) == 1
    assert scale.dtype == dtype


def test_three_bands_share_their_ends_by_default_and_more_do_not() -> None:
    values = np.concatenate([noise("uint16", 300 * b, 300 * b + 900, 1) for b in range(4)], axis=1)
    shared, apart, asked = (choose(values[:, :3]), choose(values), choose(values[:, :3], (2, 98)))
    assert len(set(shared.low)) == len(set(shared.high)) == 1
    assert shared.low[0] < 20 and shared.high[0] > 1480
    assert_allclose(apart.low, [0, 300, 600, 900], atol=20)
    assert_allclose(asked.high, [882, 1182, 1482], atol=20)


def test_percentages_are_those_of_the_values() -> None:
    values = np.arange(1, 1001, dtype=np.uint16)[:, None]
    scale = choose(np.random.default_rng(0).permutation(values), (10, 90))
    assert (scale.low, scale.high) == ((100.0,), (900.0,))


def test_a_scene_counts_by_its_pixels() -> None:
    one, other = (np.full((100, 1), value, np.uint16) for value in (1000, 3000))
    one[:50], other[:50] = 1001, 3001
    samples = Samples("uint16", [one, other], [1.0, 99.0]).choose(1, (2, 98))
    assert (samples.low, samples.high) == ((3000.0,), (3001.0,))
    assert Samples("uint16", [one, other], [1.0, 1.0]).choose(1, (2, 98)).low == (1000.0,)


def test_fill_values_do_not_count() -> None:
    values = noise("int16", 200, 3000)
    expected = choose(values)
    for fill in (-9999, 0, -32768, 32767):
        filled = np.concatenate([values, np.full((5000, 3), fill, np.int16)])
        scale = choose(filled)
        assert (scale.low, scale.high) == (expected.low, expected.high)
        assert "without the 50% that hold a fill value in all bands" in scale.note
    dark = values.copy()
    dark[:, 0] = 0  # in one band alone it is a value
    assert without_fill(dark).all()
    floats = np.concatenate(
        [noise("float32", 0, 1), np.full((900, 3), np.finfo("f4").min, np.float32)]
    )
    assert choose(floats).low[0] >= 0


def test_constant_bands() -> None:
    values = noise("uint16", 200, 3000)
    values[:, 2] = 700
    shared, apart = choose(values), choose(values, (2, 98))
    assert shared.low[2] == shared.low[0] and shared.high[2] == shared.high[0]
    assert apart.low[2] == min(apart.low) and apart.high[2] == max(apart.high)
    rare = np.full((1000, 1), 500, np.uint16)
    rare[:3] = 900
    assert choose(rare, (2, 98)) == choose(rare, (2, 98))
    assert (choose(rare, (2, 98)).low, choose(rare, (2, 98)).high) == ((500.0,), (900.0,))
    for value in (1e20, -1e20, 0.25):
        same = choose(np.full((50, 1), value))
        assert same.low == (value,) and same.high > same.low
    constant = choose(np.full((50, 3), 1234, np.uint16))
    assert constant.low < constant.high
    assert not constant.apply(np.full((1, 1, 3), 1234, np.uint16)).any()


def test_numbers_without_a_range() -> None:
    values = np.array([[-1.7e308], [1.7e308]] * 50)
    scale = choose(values)
    assert scale.low < scale.high
    assert scale.apply(values[None]).dtype == np.uint8


def test_nothing_valid() -> None:
    for values in (np.empty((0, 3), np.uint16), np.zeros((9, 3), np.uint16)):
        scale = choose(values)
        assert (scale.low, scale.high) == ((0.0,) * 3, (255.0,) * 3)
        assert "no valid pixel" in scale.note
    assert Samples("float32", [], []).choose(2, None).high == (255.0, 255.0)


def test_notes_name_ends_and_origin() -> None:
    stretched = BandScale((10.0,), (200.0,), "uint8", "why").note
    assert stretched == "Pixels of uint8 are stretched: 10 to 200 become 0 to 255 (why)."
    scale = BandScale((209.0, 0.25), (1842.0, 0.75), "uint16", "why")
    assert scale.note == (
        "Pixels of uint16 are brought to 8 bits: 209 to 1,842, 0.25 to 0.75 become 0 to 255 (why)."
    )
