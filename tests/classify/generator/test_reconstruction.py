"""The parts of the loss against numpy, and the figures of reconstructions."""

import keras
import numpy as np
import pytest

from classify.generator.reconstruction import (
    Reconstruction,
    perceptual_distance,
    reconstruction_loss,
    second_moments,
)

pytestmark = pytest.mark.heavy


def pictures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (2, 8, 8, 3), np.uint8), random.random((2, 8, 8, 3), np.float32)


def feature_maps() -> keras.Model:
    """Two maps, one of half the size, of random filters."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((None, None, 3))
    fine = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(pixels)
    return keras.Model(pixels, [fine, keras.layers.Conv2D(5, 3, 2, "same")(fine)])


def expected_perception(features: keras.Model, first: np.ndarray, second: np.ndarray) -> float:
    def relative(a: np.ndarray, b: np.ndarray) -> float:
        return ((a - b) ** 2).sum() / (a**2).sum()

    def moments(maps: np.ndarray) -> np.ndarray:
        return np.einsum("nrci,nrcj->nij", maps, maps) / (maps.shape[1] * maps.shape[2])

    pairs = zip(
        features.predict_on_batch(first * 255), features.predict_on_batch(second * 255), strict=True
    )
    return float(np.mean([relative(a, b) + relative(moments(a), moments(b)) for a, b in pairs]))


def test_the_error_is_that_of_numpy_on_pixels_of_0_to_1():
    pixels, found = pictures(0)
    expected = ((pixels / 255 - found) ** 2).mean()
    assert float(reconstruction_loss()(pixels, found)) == pytest.approx(expected, rel=1e-5)


def test_the_perceptual_term_is_that_of_numpy():
    pixels, found = pictures(1)
    features = feature_maps()
    perception = expected_perception(features, pixels / np.float32(255), found)
    distance = perceptual_distance(features)
    assert float(distance(pixels / np.float32(255), found)) == pytest.approx(perception, rel=1e-4)
    whole = float(reconstruction_loss(0.3, distance)(pixels, found))
    assert whole == pytest.approx(((pixels / 255 - found) ** 2).mean() + 0.3 * perception, rel=1e-4)


def test_a_picture_looks_like_itself():
    pixels = pictures(2)[1]
    assert float(perceptual_distance(feature_maps())(pixels, pixels)) == pytest.approx(0, abs=1e-6)


def test_a_black_picture_beside_others_does_not_outweigh_them():
    pixels, found = pictures(3)
    pixels[0] = 0
    assert float(perceptual_distance(feature_maps())(pixels / np.float32(255), found)) < 10


def test_second_moments_do_not_ask_where():
    maps = np.random.default_rng(0).random((1, 4, 4, 3), np.float32)
    turned = np.rot90(maps, axes=(1, 2))
    np.testing.assert_allclose(
        second_moments(maps.copy()), second_moments(turned.copy()), rtol=1e-5
    )


def test_the_share_explained_is_against_the_mean_image():
    found = Reconstruction(loss=0.02, error=0.01, mean_image_error=0.04, divergence=12.0, images=5)
    assert found.explained == 0.75
    assert found.report["explained"] == 0.75 and found.report["kullback_leibler"] == 12
    assert "75.0% of the variance" in str(found)
