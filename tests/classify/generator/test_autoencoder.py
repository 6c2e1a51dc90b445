"""Autoencoders reconstruct, their parts can be used alone, and the divergence joins the loss with a
weight that rises.
"""

import keras
import numpy as np
import pytest

from classify.generator.autoencoder import Latent, build_autoencoder, kullback_leibler
from classify.generator.config import AutoencoderSettings
from segment.core.training.optimizers import dtype_policy

pytestmark = pytest.mark.heavy


def build(kind="variational", conditional=True, **options):
    settings = AutoencoderSettings(kind=kind, conditional=conditional, filters=2, latent=64)
    return build_autoencoder(settings, **{"size": 64, "classes": 3} | options)


def feed(size: int = 64, count: int = 2) -> dict[str, np.ndarray]:
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    return {"pixels": pixels, "label": np.eye(3, dtype=np.float32)[np.arange(count) % 3]}


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("kind", ["variational", "plain"])
def test_pictures_come_back_at_their_size(size, kind):
    network = build(kind, size=size)
    answer = network.predict_on_batch(feed(size))
    assert (
        answer.shape == (2, size, size, 3)
        and answer.dtype == np.float32
        and 0 <= answer.min() <= answer.max() <= 1
    )
    posterior = network.get_layer("encoder").predict_on_batch(list(feed(size).values()))
    mean = posterior[0] if kind == "variational" else posterior
    assert mean.shape == (2, 64)
    again = network.get_layer("decoder").predict_on_batch([mean, feed(size)["label"]])
    np.testing.assert_allclose(again, answer, atol=1e-5)  # the mean of the posterior, not a draw


@pytest.mark.parametrize("conditional", [True, False])
def test_the_class_matters_where_it_is_used(conditional):
    network, inputs = build(conditional=conditional), feed()
    other = inputs | {"label": np.roll(inputs["label"], 1, axis=1)}
    assert (
        np.allclose(network.predict_on_batch(inputs), network.predict_on_batch(other))
        != conditional
    )


def test_it_reloads_in_safe_mode(tmp_path):
    network = build(kl_weight=0.5, warmup_steps=7, seed=3)
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    latent = again.get_layer("latent")
    assert (latent.kl_weight, latent.warmup_steps, latent.seed) == (0.5, 7, 3)
    np.testing.assert_array_equal(again.predict_on_batch(feed()), network.predict_on_batch(feed()))


def test_the_divergence_is_that_of_numpy():
    random = np.random.default_rng(0)
    mean, log_variance = random.normal(size=(2, 5, 8)).astype(np.float32)
    expected = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(axis=1)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(kullback_leibler(mean, log_variance)), expected, rtol=1e-5
    )
    assert (
        float(kullback_leibler(np.zeros((1, 4), np.float32), np.zeros((1, 4), np.float32))[0]) == 0
    )


def test_the_weight_of_the_divergence_rises_and_stays():
    layer = Latent(kl_weight=2.0, warmup_steps=4)
    mean = np.ones((3, 8), np.float32)
    log_variance = np.zeros_like(mean)  # 4 nats
    found = []
    for _ in range(6):
        layer([mean, log_variance], training=True)
        found.append(float(layer.losses[0]))
    assert found == pytest.approx([2, 4, 6, 8, 8, 8])


def test_draws_scatter_as_the_posterior_says_while_training_only():
    layer = Latent(kl_weight=0.0, warmup_steps=0, seed=1)
    mean, log_variance = (
        np.full((2000, 2), 3, np.float32),
        np.full((2000, 2), np.log(0.25), np.float32),
    )
    drawn = keras.ops.convert_to_numpy(layer([mean, log_variance], training=True))
    assert drawn.mean() == pytest.approx(3, abs=0.05) and drawn.std() == pytest.approx(
        0.5, abs=0.05
    )
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer([mean, log_variance])), mean)


def test_in_bfloat16_latents_and_pictures_stay_float32():
    with dtype_policy("mixed_bfloat16"):
        network = build()
    assert network.predict_on_batch(feed()).dtype == np.float32
    assert {tensor.dtype for tensor in network.get_layer("encoder").outputs} == {"float32"}
