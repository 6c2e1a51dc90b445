import numpy as np

from segment.core.normalise import BandStatisticsMeter


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
