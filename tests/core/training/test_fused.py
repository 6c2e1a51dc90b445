"""Batch normalisation and Adam in one operation each compute what those of Keras compute."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest

from segment.core.training import fused
from segment.core.training.fused import fused_adam, fused_normalisation, fuses

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not fuses(), reason="only TensorFlow without a GPU joins operations"),
]


def network(**options) -> keras.Model:
    """A convolution and two normalisations, one of them inside another model."""
    keras.utils.set_random_seed(1)
    source = keras.Input((6, 6, 3))
    inside = keras.Input((6, 6, 4))
    model = keras.Model(inside, keras.layers.BatchNormalization(**options)(inside))
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(source)
    x = keras.layers.BatchNormalization(momentum=0.7, epsilon=0.01)(model(x))
    return keras.Model(source, keras.layers.Dense(2)(keras.layers.ReLU()(x)))


def batches() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return (
        random.normal(3, 2, (5, 6, 6, 3)).astype(np.float32),
        random.normal(size=(5, 6, 6, 2)).astype(np.float32),
    )


def train(model: keras.Model, optimizer: keras.Optimizer, joined: bool, steps: int = 6) -> list:
    model.compile(optimizer, "mse", jit_compile=False)
    with fused_normalisation(model) if joined else nullcontext():
        losses = [model.train_on_batch(*batches()) for _ in range(steps)]
    return losses


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"trainable": False}])
def test_normalisation_learns_and_keeps_the_same(options):
    ours, theirs = network(**options), network(**options)
    losses = [train(model, keras.optimizers.SGD(0.05), model is ours) for model in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert losses[0][-1] < losses[0][0]
    for weight, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-3, atol=1e-5)


def test_it_is_one_operation_and_the_layers_are_those_of_keras_again(monkeypatch):
    asked = []
    normalise = fused._normalise
    monkeypatch.setattr(
        fused, "_normalise", lambda layer, *a, **k: asked.append(layer) or normalise(layer, *a, **k)
    )
    model = network()
    train(model, keras.optimizers.SGD(0.05), joined=True, steps=1)
    assert len(set(map(id, asked))) == 2
    asked.clear()
    model(batches()[0], training=True)
    assert not asked


def test_other_axes_are_left_to_keras():
    for shape, options in [((8,), {}), ((6, 6, 4), {"axis": 1})]:
        source = keras.Input(shape)
        layer = keras.layers.BatchNormalization(**options)
        model = keras.Model(source, layer(source))
        with fused_normalisation(model):
            assert "call" not in vars(layer)


@pytest.mark.parametrize("kind", [keras.optimizers.Adam, keras.optimizers.AdamW])
def test_adam_takes_the_same_steps(kind):
    # a shift before another normalisation has no gradient but rounding, which Adam would enlarge
    models = [network(trainable=False), network(trainable=False)]
    options = {"learning_rate": 0.01, "global_clipnorm": 0.5}
    if kind is keras.optimizers.AdamW:
        options |= {"weight_decay": 0.1, "use_ema": True, "ema_momentum": 0.9}
    optimizers = [fused_adam(kind)(**options), kind(**options)]
    losses = [train(model, one, False) for model, one in zip(models, optimizers, strict=True)]
    assert type(optimizers[0]) is not kind
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for ours, theirs in zip(optimizers[0].variables, optimizers[1].variables, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-3, atol=1e-6)
    for ours, theirs in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
