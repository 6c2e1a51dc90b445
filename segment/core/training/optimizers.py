"""Precision, phases, learning rates and optimizers of a training."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from segment.core.common_settings import TrainingSettings
from segment.core.model.backend import has_gpu
from segment.core.training.devices import Devices
from segment.core.training.fused import fused_adam
from segment.core.training.history import SCORED


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Sets the dtype policy of the layers that are made inside the context.

    Args:
        name: Name of a Keras dtype policy.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def keep_float32(
    network: keras.Model, policy: str, build: Callable[[], keras.Model]
) -> Callable[[], keras.Model]:
    """Prepares a float32 copy of a network that is trained in another precision.

    The saved network is then computed in float32 wherever it is used, whatever the precision of
    the training.

    Args:
        network: Network that is trained.
        policy: Dtype policy of the training.
        build: Makes another network of the same structure.

    Returns:
        A function that returns the network to save, with its current weights.
    """
    if policy == "float32":
        return lambda: network
    with dtype_policy("float32"):
        other = build()

    def kept() -> keras.Model:
        other.set_weights(network.get_weights())
        return other

    return kept


@dataclass(frozen=True)
class Phase:
    """A phase of a training with its own learning rate.

    Attributes:
        epochs: Number of epochs.
        learning_rate: Highest learning rate of the phase.
        freeze: Called before the phase to choose the layers that are trained.
    """

    epochs: int
    learning_rate: float
    freeze: Callable[[], None] = lambda: None


class RateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate by step: a linear rise, then constant, or a half cosine down to 0.

    With the one-cycle schedule, the rise takes three tenths of the steps, unless a warm-up is set
    (Smith and Topin, 2019).
    """

    def __init__(self, settings: TrainingSettings, steps_per_epoch: int):
        """Computes the schedule of a training or of a phase of it.

        Args:
            settings: Learning rate, schedule, epochs and warm-up.
            steps_per_epoch: Number of batches in an epoch.
        """
        self._peak, self._falls = settings.learning_rate, settings.schedule != "constant"
        self._steps = settings.epochs * steps_per_epoch
        self._rise = settings.warmup_epochs * steps_per_epoch
        if settings.schedule == "one_cycle" and not self._rise:
            self._rise = 0.3 * self._steps

    def __call__(self, step: Any) -> Any:
        """Returns the learning rate of a step, counted from 0."""
        step = keras.ops.cast(step, "float32")
        rising = (step + 1) / max(self._rise, 1)
        passed = keras.ops.clip((step - self._rise) / max(self._steps - self._rise, 1), 0, 1)
        falling = (
            0.5 * (1 + keras.ops.cos(math.pi * passed))
            if self._falls
            else keras.ops.ones_like(passed)
        )
        return self._peak * keras.ops.where(step < self._rise, rising, falling)


def build_optimizer(
    settings: TrainingSettings,
    steps_per_epoch: int,
    devices: Devices = Devices(),  # noqa: B008 - it cannot change
) -> keras.Optimizer:
    """Builds Adam or AdamW with the schedule, clipping and weight averaging of the settings.

    Args:
        settings: Settings of the training.
        steps_per_epoch: Number of batches in an epoch.
        devices: Devices that compute the gradients.

    Returns:
        The optimiser.
    """
    kind = keras.optimizers.AdamW if settings.optimizer == "adamw" else keras.optimizers.Adam
    options: dict[str, Any] = {"learning_rate": RateSchedule(settings, steps_per_epoch)}
    if settings.optimizer == "adamw":
        options["weight_decay"] = settings.weight_decay
    if settings.average:
        options |= {"use_ema": True, "ema_momentum": settings.average}
    if settings.clip_norm:
        options["global_clipnorm"] = settings.clip_norm
    # an optimiser of several devices has its own operations
    kind = fused_adam(kind) if devices.count == 1 else devices.optimizer(kind)
    return kind(**options)


def compile_phase(
    network: keras.Model,
    loss: Callable[[Any, Any], Any],
    phase: Phase,
    settings: TrainingSettings,
    steps_per_epoch: int,
    devices: Devices,
    scored: Callable[[Any, Any], Any] | None = None,
) -> keras.Model:
    """Compiles a network for a phase of its training.

    Args:
        network: Network with the layers frozen that the phase does not train.
        loss: Loss of a batch, of reference and predictions.
        phase: Epochs and learning rate.
        settings: Settings of the training.
        steps_per_epoch: Number of batches in an epoch.
        devices: Devices that compute the gradients.
        scored: As in `Training`.

    Returns:
        The compiled model, with a built optimiser.
    """
    slow_xla = keras.backend.backend() == "tensorflow" and not has_gpu()
    rise = settings.warmup_epochs if settings.warmup_epochs < phase.epochs else phase.epochs / 2
    own = settings.model_copy(
        update={"epochs": phase.epochs, "learning_rate": phase.learning_rate, "warmup_epochs": rise}
    )
    with devices.scope():
        model = devices.replicate(network)
        optimizer = build_optimizer(own, steps_per_epoch, devices)
        metrics = scored and [keras.metrics.MeanMetricWrapper(scored, SCORED)]
        compiler = False if slow_xla else "auto"
        model.compile(optimizer, devices.loss(loss), metrics=metrics, jit_compile=compiler)
        model.optimizer.build(model.trainable_variables)
    return model
