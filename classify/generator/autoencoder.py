"""Networks that learn to draw: convolutional autoencoders, plain and variational."""

from typing import Any

import keras
from keras import ops

GRID = 8
"""Edge of the grid on which a latent's numbers lie."""
_WIDEST = 8  # times the filters of the first stage


@keras.saving.register_keras_serializable(package="classify")
class Latent(keras.layers.Layer):
    """The latent of a variational autoencoder: drawn from its posterior while training, its mean otherwise.

    Kingma and Welling (2014), "Auto-encoding variational Bayes". Training adds the Kullback-Leibler divergence from the
    prior N(0, I) to the loss, with a weight that rises in a line from 0 at the first step to `kl_weight` after
    `warmup_steps` of them (Bowman et al. 2016, "Generating sentences from a continuous space"); how many have passed is a
    weight, so that a resumed training goes on where it was.

    Input: mean and log variance (batch, latent) each; output (batch, latent) float32. seed: of the draws.
    """

    def __init__(self, kl_weight: float, warmup_steps: int, seed: int = 0, **options: Any):
        super().__init__(**{"dtype": "float32", **options})
        self.kl_weight, self.warmup_steps, self.seed = kl_weight, warmup_steps, seed
        self._random = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        self._step = self.add_weight((), "zeros", trainable=False, aggregation="only_first_replica", name="step")

    def call(self, inputs: Any, training: bool = False) -> Any:
        mean, log_variance = inputs
        if not training:
            return mean
        self._step.assign_add(1.0)
        risen = ops.minimum(self._step / max(self.warmup_steps, 1), 1.0)
        self.add_loss(self.kl_weight * risen * ops.mean(kullback_leibler(mean, log_variance)))
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self._random)

    def get_config(self) -> dict[str, Any]:
        own = {"kl_weight": self.kl_weight, "warmup_steps": self.warmup_steps, "seed": self.seed}
        return {**super().get_config(), **own}


def kullback_leibler(mean: Any, log_variance: Any) -> Any:
    """Divergence of N(mean, exp(log_variance)) from N(0, I), (batch,) nats, of (batch, latent) each (Kingma and Welling 2014,
    appendix B)."""
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0, axis=-1)


def build_autoencoder(
    *,
    size: int,
    classes: int,
    filters: int,
    latent: int,
    conditional: bool,
    variational: bool,
    kl_weight: float = 0.0,
    warmup_steps: int = 0,
    seed: int = 0,
) -> keras.Model:
    """A network from pictures and their classes to reconstructions, by way of a latent.

    size: edge of the pictures, pixels, a power of two above 8. filters: of the finest stage; coarser ones have up to eight
    times as many. latent: numbers that tell of a picture, a multiple of 64: they lie on a grid of 8 x 8, of which each point
    tells of its surroundings. conditional: encoder and decoder are told the class. variational: see `Latent`; else a plain
    autoencoder.

    Inputs "pixels" (batch, size, size, 3) uint8 and "label" (batch, classes) float32, one-hot; output (batch, size, size, 3)
    float32 of 0 to 1. The models within it, "encoder" and "decoder", are of use alone: the one gives mean and log variance
    of the posterior, (batch, latent) float32 each, of a plain one the latent; the other takes latent and label.
    """
    widths = [min(filters * 2**stage, _WIDEST * filters) for stage in range((size // GRID).bit_length() - 1)]
    pixels = keras.Input((size, size, 3), dtype="uint8", name="pixels")
    label = keras.Input((classes,), name="label")
    encoder = _encoder(size, classes, widths, latent, conditional, variational)
    decoder = _decoder(classes, widths, latent, conditional)
    told = encoder([pixels, label])
    drawn = Latent(kl_weight, warmup_steps, seed, name="latent")(told) if variational else told
    name = "variational_autoencoder" if variational else "autoencoder"
    return keras.Model({"pixels": pixels, "label": label}, decoder([drawn, label]), name=name)


def _encoder(size: int, classes: int, widths: list[int], latent: int, conditional: bool, variational: bool) -> keras.Model:
    pixels = keras.Input((size, size, 3), dtype="uint8", name="pixels")
    label = keras.Input((classes,), name="label")
    x = keras.layers.Rescaling(1 / 255)(pixels)
    for width in widths:
        x = _activated(keras.layers.Conv2D(width, 4, 2, "same", use_bias=False)(x))
    x = _told(x, label, widths[-1]) if conditional else x
    x = _residual(x, widths[-1])

    def numbers(name: str) -> Any:
        grid = keras.layers.Conv2D(latent // GRID**2, 1, dtype="float32", name=f"{name}_grid")(x)
        return keras.layers.Flatten(dtype="float32", name=name)(grid)

    told = [numbers("mean"), numbers("log_variance")] if variational else numbers("mean")
    return keras.Model([pixels, label], told, name="encoder")


def _decoder(classes: int, widths: list[int], latent: int, conditional: bool) -> keras.Model:
    """Enlarges before convolutions: transposed ones leave a checkerboard (Odena et al. 2016), nearest neighbours a grid."""
    drawn, label = keras.Input((latent,), name="latent"), keras.Input((classes,), name="label")
    x = keras.layers.Reshape((GRID, GRID, latent // GRID**2))(drawn)
    x = keras.layers.Conv2D(widths[-1], 3, padding="same", use_bias=False)(x)
    x = _activated(_told(x, label, widths[-1]) if conditional else x)
    x = _residual(x, widths[-1])
    for width in [*widths[-2::-1], widths[0]]:
        x = keras.layers.UpSampling2D(interpolation="bilinear")(x)
        x = _activated(keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x))
    x = keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid", dtype="float32", name="reconstruction")(x)
    return keras.Model([drawn, label], x, name="decoder")


def _told(x: Any, label: Any, width: int) -> Any:
    """Feature maps to which a vector of their class is added, everywhere the same."""
    embedded = keras.layers.Dense(width, use_bias=False)(label)
    return keras.layers.Add()([x, keras.layers.Reshape((1, 1, width))(embedded)])


def _residual(x: Any, width: int) -> Any:
    """Two convolutions beside the identity (He et al. 2016), by which points of the grid learn of their neighbours."""
    y = _activated(keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x))
    y = _activated(keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(y))
    return keras.layers.Add()([x, y])


def _activated(x: Any) -> Any:
    return keras.layers.LeakyReLU(0.2)(keras.layers.BatchNormalization(momentum=0.9)(x))
