"""Devices that share batches through TensorFlow's mirrored strategy."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import keras
import tensorflow

from segment.core.model.backbones import weighted_layers
from segment.core.training.devices import Loss, Optimizer, SeveralDevices


class MirroredDevices(SeveralDevices):
    """Devices of TensorFlow's mirrored strategy, to which a loss and a gradient are those of a part of the batch."""

    @staticmethod
    def find() -> list[list[str]]:
        """As `SeveralDevices.find`, of the one machine."""
        found = tensorflow.config.list_logical_devices("GPU") or tensorflow.config.list_logical_devices("CPU")
        return [[device.name.removeprefix("/device:") for device in found]]

    def __init__(self, devices: Sequence[str]):
        self.count, self._strategy = len(devices), _mirrored_strategy(tuple(devices))

    def scope(self) -> AbstractContextManager[Any]:
        scope: AbstractContextManager[Any] = self._strategy.scope()
        return scope

    def trainer(self, network: keras.Model) -> keras.Model:
        copy = super().trainer(network)
        for layer in weighted_layers(copy):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
        return copy

    def fit(self, trainer: keras.Model, dataset: keras.utils.PyDataset, **options: Any) -> None:
        states = [variable.value for variable in trainer.variables if variable.path.endswith("seed_generator_state")]
        if states:
            self._strategy.run(_tell_apart, args=(states,))
        super().fit(trainer, dataset, **options)

    def optimizer(self, kind: type[keras.Optimizer]) -> Optimizer:
        return type(f"Mirrored{kind.__name__}", (_ClipsTogether, kind), {})

    def loss(self, loss: Loss) -> Loss:
        """Each device computes it of the whole batch: its gradients, which are added up, are then those of the whole."""

        def gather(part: Any) -> Any:
            whole = tensorflow.distribute.get_replica_context().all_gather(part, axis=0)
            return tensorflow.ensure_shape(whole, (None, *part.shape[1:]))

        def shared(truth: Any, answers: Any) -> Any:
            if not tensorflow.distribute.in_cross_replica_context():
                return loss(gather(truth), gather(answers)) / self.count
            return loss(truth, answers)  # Keras asks once for its shape, before it trains

        return shared


@cache
def _mirrored_strategy(devices: tuple[str, ...]) -> Any:
    """One for each process: two would take each other's messages for their own."""
    return tensorflow.distribute.MirroredStrategy(devices)


def _tell_apart(states: Sequence[Any]) -> None:
    """Lets each device draw numbers of its own at random; the first one draws those of one device alone."""
    number = tensorflow.distribute.get_replica_context().replica_id_in_sync_group
    for state in states:
        state.assign(state + tensorflow.cast([number, 0], state.dtype))


class _ClipsTogether:
    """An optimiser that clips the norm of the gradient that the devices have together: Keras would clip that of each."""

    def __init__(self, *, global_clipnorm: float = 0.0, **options: Any):
        super().__init__(**options)
        self._norm = global_clipnorm

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        if self._norm:
            replica = tensorflow.distribute.get_replica_context()
            together = replica.all_reduce(tensorflow.distribute.ReduceOp.SUM, list(grads))
            clipped, _ = tensorflow.clip_by_global_norm(together, self._norm)
            grads = [gradient / replica.num_replicas_in_sync for gradient in clipped]  # Keras adds them up
        super().apply(grads, trainable_variables)  # type: ignore[misc]
