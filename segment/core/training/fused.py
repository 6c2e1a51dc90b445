"""Batch normalisation and Adam in one operation each, where TensorFlow computes on the CPU.

Keras writes both as a dozen operations over whole tensors, each a pass through memory. XLA would
join them, but its convolutions are slow on a CPU. TensorFlow has one operation for each, with the
same result within rounding. The layers stay those of Keras: they are replaced only during a fit, so
that saved models do not depend on this module.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras

from segment.core.model.backend import has_gpu
from segment.core.networks.layers import weighted_layers

Optimizer = type[keras.Optimizer]


def fuses() -> bool:
    """Checks whether operations are joined here: on TensorFlow without a GPU.

    Returns:
        Whether they are. Elsewhere the compiler of the backend does it.
    """
    return keras.backend.backend() == "tensorflow" and not has_gpu()


@contextmanager
def fused_normalisation(model: keras.Model) -> Iterator[None]:
    """Computes batch normalisation of a model in one operation, inside the context.

    Args:
        model: Model to fit.
    """
    fused = [layer for layer in weighted_layers(model) if fuses() and _can_be_fused(layer)]
    for layer in fused:
        layer.call = partial(_normalise, layer)
    try:
        yield
    finally:
        for layer in fused:
            del layer.call


def _can_be_fused(layer: Any) -> bool:
    """Checks for batch normalisation of pictures over their last axis, as Keras has it."""
    return (
        type(layer) is keras.layers.BatchNormalization
        and not (layer.synchronized or layer.renorm)
        and layer.input_spec.ndim == 4
        and set(layer.input_spec.axes) <= {-1, 3}
    )


def _normalise(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    """Takes the place of `BatchNormalization.call`."""
    if not (training and layer.trainable) or mask is not None:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    import tensorflow as tf

    shape = layer.moving_mean.shape
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(layer.gamma) if layer.scale else tf.ones(shape),
        offset=tf.convert_to_tensor(layer.beta) if layer.center else tf.zeros(shape),
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=layer.epsilon,
        is_training=True,
    )
    # TensorFlow returns the variance of a sample, Keras keeps that of the batch
    count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
    found = {"moving_mean": mean, "moving_variance": variance * (1.0 - 1.0 / count)}
    for name, new in found.items():
        kept = getattr(layer, name)
        kept.assign(kept * layer.momentum + new * (1.0 - layer.momentum))
    return outputs


def fused_adam(kind: Optimizer) -> Optimizer:
    """Returns Adam or AdamW whose update of a variable is one operation.

    Args:
        kind: `keras.optimizers.Adam` or `AdamW`.

    Returns:
        A subclass with the same settings and variables; `kind` itself where nothing is joined.
    """
    if not fuses():
        return kind

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        import tensorflow as tf

        index, step = self._get_variable_index(variable), tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )

    return type(kind.__name__, (kind,), {"update_step": update_step})
