import tracemalloc

import numpy as np
import pytest
from scipy.linalg import sqrtm

from classify.generator.frechet import frechet_distance


def features(count, seed, shift=0.0, scale=1.0):
    random = np.random.default_rng(seed)
    return (
        random.standard_normal((count, 6))
        @ np.random.default_rng(9).standard_normal((6, 6))
        * scale
        + shift
    ).astype(np.float32)


@pytest.mark.parametrize("second", [(80, 1), (200, 2, 1.0, 2.0), (3, 3, -4.0)])
def test_it_is_that_of_the_textbook(second):
    a, b = features(100, 0), features(*second)
    s, t = np.cov(a.T), np.cov(b.T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s + t - 2 * np.real(sqrtm(s @ t)))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-3)


def test_a_set_lies_at_no_distance_from_itself_and_at_the_square_of_a_shift():
    a = features(100, 0)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-4)
    assert frechet_distance(a, a + np.float32(2)) == pytest.approx(24, rel=1e-3)


def test_fewer_images_than_features_will_do():
    wide = np.random.default_rng(0).standard_normal((2, 5, 300)).astype(np.float32)
    assert frechet_distance(wide[0], wide[1]) > 0


def test_many_images_take_no_more_memory_than_their_features():
    many = np.random.default_rng(0).standard_normal((2, 5000, 8)).astype(np.float32)
    tracemalloc.start()
    distance = frechet_distance(many[0], many[1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert distance == pytest.approx(0, abs=0.05) and peak < 5e6  # 5000 x 5000 are 200 MB
