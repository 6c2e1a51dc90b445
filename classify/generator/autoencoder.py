"""Convolutional autoencoders, plain and variational."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from classify.generator.config import AutoencoderSettings

_GRID = 8  # edge of the grid on which the values of a latent are arranged
_WIDEST = 8  # most filters of a stage, as a multiple of those of the first
_BATCH = 64

Pictures = NDArray[np.uint8]
"""RGB pictures (count, size, size, 3)."""


@keras.saving.register_keras_serializable(package="classify")
class Latent(keras.layers.Layer):
    """Latent of a variational autoencoder.

    Source: Kingma and Welling (2014), "Auto-encoding variational Bayes". In training the latent is
    drawn from its posterior; otherwise it is the mean of the posterior.

    Training adds the Kullback-Leibler divergence from the prior N(0, I) to the loss. Its weight
    rises linearly from 0 at the first step to `kl_weight` after `warmup_steps` steps (Bowman et al.
    2016, "Generating sentences from a continuous space"). The number of steps is stored as a weight
    of the layer, so that a resumed training continues from it.

    The input is mean and log variance, (batch, latent) each; the output is (batch, latent) float32.

    Args:
        kl_weight: Final weight of the divergence.
        warmup_steps: Training steps until the weight is reached.
        seed: Seed of the draws.
        **options: Options of a Keras layer.
    """

    def __init__(self, kl_weight: float, warmup_steps: int, seed: int = 0, **options: Any):
        super().__init__(**{"dtype": "float32", **options})
        self.kl_weight, self.warmup_steps, self.seed = kl_weight, warmup_steps, seed
        self._random = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        """Creates the counter of training steps.

        Args:
            input_shape: Shapes of the inputs. Not used.
        """
        self._step = self.add_weight(
            (), "zeros", trainable=False, aggregation="only_first_replica", name="step"
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Returns the latent and, in training, adds the divergence to the loss.

        Args:
            inputs: Mean and log variance of the posterior, (batch, latent) each.
            training: Whether to draw from the posterior.

        Returns:
            The latent (batch, latent).
        """
        mean, log_variance = inputs
        if not training:
            return mean
        self._step.assign_add(1.0)
        risen = ops.minimum(self._step / max(self.warmup_steps, 1), 1.0)
        self.add_loss(self.kl_weight * risen * ops.mean(kullback_leibler(mean, log_variance)))
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(
            ops.shape(mean), seed=self._random
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the configuration from which Keras restores the layer.

        Returns:
            Arguments of the layer by name.
        """
        own = {"kl_weight": self.kl_weight, "warmup_steps": self.warmup_steps, "seed": self.seed}
        return {**super().get_config(), **own}


def kullback_leibler(mean: Any, log_variance: Any) -> Any:
    """Computes the Kullback-Leibler divergence of N(mean, exp(log_variance)) from N(0, I).

    Source: Kingma and Welling (2014), appendix B.

    Args:
        mean: Means (batch, latent).
        log_variance: Logarithms of the variances (batch, latent).

    Returns:
        Divergence (batch,) in nats.
    """
    return 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0, axis=-1)


def build_autoencoder(
    settings: AutoencoderSettings,
    *,
    size: int,
    classes: int,
    kl_weight: float = 0.0,
    warmup_steps: int = 0,
    seed: int = 0,
) -> keras.Model:
    """Builds a network that encodes pictures of known classes as latents and reconstructs them.

    Inputs are "pixels" (batch, size, size, 3) uint8 and "label" (batch, classes) float32, one-hot.
    The output is (batch, size, size, 3) float32, 0 to 1.

    The models inside it, "encoder" and "decoder", can be used alone. The encoder returns mean and
    log variance of the posterior, (batch, latent) float32 each, or the latent of a plain
    autoencoder. The decoder takes latent and label. The values of a latent are arranged on a grid
    of 8 x 8, and each point of the grid describes its part of the picture.

    Args:
        settings: Settings of the network.
        size: Edge of the pictures in pixels, a power of two above 8.
        classes: Number of classes.
        kl_weight: Weight of the divergence, see `Latent`.
        warmup_steps: Training steps until the weight is reached, see `Latent`.
        seed: Seed of the draws in training.

    Returns:
        The network.
    """
    widths = [
        min(settings.filters * 2**stage, _WIDEST * settings.filters)
        for stage in range((size // _GRID).bit_length() - 1)
    ]
    pixels = keras.Input((size, size, 3), dtype="uint8", name="pixels")
    label = keras.Input((classes,), name="label")
    encoder = _encoder(settings, size, classes, widths)
    decoder = _decoder(settings, classes, widths)
    latent, name = encoder([pixels, label]), "autoencoder"
    if settings.kind == "variational":
        latent = Latent(kl_weight, warmup_steps, seed, name="latent")(latent)
        name = "variational_autoencoder"
    return keras.Model({"pixels": pixels, "label": label}, decoder([latent, label]), name=name)


def _encoder(
    settings: AutoencoderSettings, size: int, classes: int, widths: list[int]
) -> keras.Model:
    pixels = keras.Input((size, size, 3), dtype="uint8", name="pixels")
    label = keras.Input((classes,), name="label")
    x = keras.layers.Rescaling(1 / 255)(pixels)
    for width in widths:
        x = _activated(keras.layers.Conv2D(width, 4, 2, "same", use_bias=False)(x))
    x = _add_class(x, label, widths[-1]) if settings.conditional else x
    x = _residual(x, widths[-1])

    def values(name: str) -> Any:
        channels = settings.latent // _GRID**2
        grid = keras.layers.Conv2D(channels, 1, dtype="float32", name=f"{name}_grid")(x)
        return keras.layers.Flatten(dtype="float32", name=name)(grid)

    is_plain = settings.kind == "plain"
    posterior = values("mean") if is_plain else [values("mean"), values("log_variance")]
    return keras.Model([pixels, label], posterior, name="encoder")


def _decoder(settings: AutoencoderSettings, classes: int, widths: list[int]) -> keras.Model:
    """The decoder. It enlarges before convolutions and bilinearly.

    Transposed convolutions leave a checkerboard (Odena et al. 2016), and nearest neighbours leave a
    grid.
    """
    latent = keras.Input((settings.latent,), name="latent")
    label = keras.Input((classes,), name="label")
    x = keras.layers.Reshape((_GRID, _GRID, settings.latent // _GRID**2))(latent)
    x = keras.layers.Conv2D(widths[-1], 3, padding="same", use_bias=False)(x)
    x = _activated(_add_class(x, label, widths[-1]) if settings.conditional else x)
    x = _residual(x, widths[-1])
    for width in [*widths[-2::-1], widths[0]]:
        x = keras.layers.UpSampling2D(interpolation="bilinear")(x)
        x = _activated(keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x))
    x = keras.layers.Conv2D(
        3, 3, padding="same", activation="sigmoid", dtype="float32", name="reconstruction"
    )(x)
    return keras.Model([latent, label], x, name="decoder")


def _add_class(x: Any, label: Any, width: int) -> Any:
    """Adds a vector of the class to feature maps, the same at every pixel."""
    embedded = keras.layers.Dense(width, use_bias=False)(label)
    return keras.layers.Add()([x, keras.layers.Reshape((1, 1, width))(embedded)])


def _residual(x: Any, width: int) -> Any:
    """Two convolutions with a skip connection (He et al. 2016), linking adjacent grid points."""
    y = _activated(keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x))
    y = _activated(keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(y))
    return keras.layers.Add()([x, y])


def _activated(x: Any) -> Any:
    return keras.layers.LeakyReLU(0.2)(keras.layers.BatchNormalization(momentum=0.9)(x))


def encode(
    network: keras.Model, pictures: Pictures, classes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Encodes pictures, batch by batch.

    Args:
        network: Network from `build_autoencoder`.
        pictures: Pictures (count, size, size, 3) uint8.
        classes: One-hot classes (count, classes).

    Returns:
        Mean and variance of the posterior, (count, latent) float32 each; the variance of a plain
        autoencoder is 0.
    """
    batches = _run(network.get_layer("encoder"), pictures, classes)
    mean, *log_variance = map(np.concatenate, zip(*batches, strict=True))
    return mean, np.exp(log_variance[0]) if log_variance else np.zeros_like(mean)


def decode(
    network: keras.Model, latents: NDArray[np.float32], classes: NDArray[np.float32]
) -> Pictures:
    """Decodes latents, batch by batch.

    Args:
        network: Network from `build_autoencoder`.
        latents: Latents (count, latent).
        classes: Classes (count, classes), one-hot or shares of several classes, 0 to 1.

    Returns:
        Pictures (count, size, size, 3) uint8.
    """
    batches = _run(network.get_layer("decoder"), latents, classes)
    return np.concatenate([np.rint(shares * 255).astype(np.uint8) for (shares,) in batches])


def _run(network: keras.Model, *inputs: NDArray[Any]) -> Iterator[list[NDArray[np.float32]]]:
    """All outputs of a network, batch by batch."""
    for first in range(0, len(inputs[0]), _BATCH):
        outputs = network.predict_on_batch([array[first : first + _BATCH] for array in inputs])
        yield outputs if isinstance(outputs, list) else [outputs]
