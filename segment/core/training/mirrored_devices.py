"""Devices that share batches through the mirrored strategy of TensorFlow."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import keras
import tensorflow

from segment.core.networks.pretrained import weighted_layers
from segment.core.training.devices import Loss, Optimizer, SeveralDevices


class MirroredDevices(SeveralDevices):
    """Devices of the mirrored strategy of TensorFlow.

    Within the strategy, loss and gradient are those of one device's share of the batch.

    Attributes:
        count: Number of devices.
    """

    @staticmethod
    def find() -> list[list[str]]:
        """Lists the GPUs of this machine, or its CPU devices if it has no GPU."""
        found = tensorflow.config.list_logical_devices(
            "GPU"
        ) or tensorflow.config.list_logical_devices("CPU")
        return [[device.name.removeprefix("/device:") for device in found]]

    def __init__(self, devices: Sequence[str]):
        """Uses the given devices.

        Args:
            devices: Names of the devices, as `find` returns them.
        """
        self.count, self._strategy = len(devices), _mirrored_strategy(tuple(devices))

    def scope(self) -> AbstractContextManager[Any]:
        """Returns the context in which trainers must be made: that of the strategy."""
        scope: AbstractContextManager[Any] = self._strategy.scope()
        return scope

    def trainer(self, network: keras.Model) -> keras.Model:
        """Copies the network, with batch normalisation over whole batches."""
        copy = super().trainer(network)
        for layer in weighted_layers(copy):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
        return copy

    def fit(self, trainer: keras.Model, dataset: keras.utils.PyDataset, **options: Any) -> None:
        """Fits a trainer after giving each device its own random state, see `OneDevice.fit`."""
        states = [
            variable.value
            for variable in trainer.variables
            if variable.path.endswith("seed_generator_state")
        ]
        if states:
            self._strategy.run(_tell_apart, args=(states,))
        super().fit(trainer, dataset, **options)

    def optimizer(self, kind: type[keras.Optimizer]) -> Optimizer:
        """Derives an optimiser class that clips the gradient of all devices together."""
        return type(f"Mirrored{kind.__name__}", (_ClipsTogether, kind), {})

    def loss(self, loss: Loss) -> Loss:
        """Makes a loss that each device computes on the whole batch.

        The gradients of the devices, which are added up, are then those of the whole batch.

        Args:
            loss: Loss of whole batches, of reference and predictions.

        Returns:
            The loss to compile trainers with.
        """

        def gather(part: Any) -> Any:
            whole = tensorflow.distribute.get_replica_context().all_gather(part, axis=0)
            return tensorflow.ensure_shape(whole, (None, *part.shape[1:]))

        def shared(truth: Any, answers: Any) -> Any:
            if not tensorflow.distribute.in_cross_replica_context():
                return loss(gather(truth), gather(answers)) / self.count
            return loss(truth, answers)  # Keras calls it once before training, for its shape

        return shared


@cache
def _mirrored_strategy(devices: tuple[str, ...]) -> Any:
    """Makes one strategy per process: two would receive each other's messages."""
    return tensorflow.distribute.MirroredStrategy(devices)


def _tell_apart(states: Sequence[Any]) -> None:
    """Gives each device its own random numbers; the first one draws those of a single device."""
    number = tensorflow.distribute.get_replica_context().replica_id_in_sync_group
    for state in states:
        state.assign(state + tensorflow.cast([number, 0], state.dtype))


class _ClipsTogether:
    """Optimiser that clips the norm of the gradient of all devices together.

    Keras would clip the gradient of each device by itself.
    """

    def __init__(self, *, global_clipnorm: float = 0.0, **options: Any):
        super().__init__(**options)
        self._norm = global_clipnorm

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Clips the gradients and applies them."""
        if self._norm:
            replica = tensorflow.distribute.get_replica_context()
            together = replica.all_reduce(tensorflow.distribute.ReduceOp.SUM, list(grads))
            clipped, _ = tensorflow.clip_by_global_norm(together, self._norm)
            # Divided, because Keras adds up the gradients of the devices.
            grads = [gradient / replica.num_replicas_in_sync for gradient in clipped]
        super().apply(grads, trainable_variables)  # type: ignore[misc]
