"""The devices that share each batch of a training: every one has a copy of the network, and sees a part of the batch.

Figures are those of one device, within rounding: losses and batch normalisation see whole batches.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import keras
import numpy as np

from segment.core.backbones import weighted_layers
from segment.core.errors import InputError

Loss = Callable[[Any, Any], Any]
Optimizer = Callable[..., keras.Optimizer]


class OneDevice:
    """The device that Keras chooses. Its trainers have the layers of the network itself.

    count: of devices.
    """

    count = 1

    def scope(self) -> AbstractContextManager[Any]:
        """Trainers are made within."""
        return nullcontext()

    def apart(self) -> AbstractContextManager[Any]:
        """What one device computes while a trainer is fitted is computed within."""
        return nullcontext()

    def trainer(self, network: keras.Model) -> keras.Model:
        """A second model, for optimiser and loss, of which the network itself and its file stay free."""
        return keras.Model(network.inputs, network.outputs)

    def bring_back(self, trainer: keras.Model, network: keras.Model) -> None:
        """Puts what a trainer has learned into the network."""

    def optimizer(self, kind: type[keras.Optimizer]) -> Optimizer:
        """What makes such an optimiser."""
        return kind

    def loss(self, loss: Loss) -> Loss:
        """A loss of whole batches, as trainers see it."""
        return loss

    def fit(self, trainer: keras.Model, dataset: keras.utils.PyDataset, **options: Any) -> None:
        """As `keras.Model.fit`."""
        trainer.fit(dataset, **options)


def take_devices(count: int) -> OneDevice:
    """So many devices of this machine: GPUs, or where it has none what stands for one processor each.

    Raises InputError when there are fewer, or the backend of Keras trains on one only.
    """
    if count == 1:
        return OneDevice()
    backend = keras.backend.backend()
    if backend == "torch":
        raise InputError(
            f"training.devices: torch trains on one device here. Received {count}. Set KERAS_BACKEND to tensorflow or jax."
        )
    found = _mirrored_devices() if backend == "tensorflow" else keras.distribution.list_devices()
    if len(found) < count:
        raise InputError(
            f"training.devices: there must be as many. Received {count}, found {len(found)} ({', '.join(found)}). "
            f"Set at most {len(found)}."
        )
    return _Mirrored(found[:count]) if backend == "tensorflow" else _Distributed(found[:count])


class _Several(OneDevice):
    """Devices whose trainers are copies of the network."""

    def trainer(self, network: keras.Model) -> keras.Model:
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
        for ours, its in zip(weighted_layers(network), weighted_layers(copy), strict=True):
            its.trainable = ours.trainable
        return copy

    def bring_back(self, trainer: keras.Model, network: keras.Model) -> None:
        network.set_weights(trainer.get_weights())

    def fit(self, trainer: keras.Model, dataset: keras.utils.PyDataset, **options: Any) -> None:
        super().fit(trainer, _FilledUp(dataset, self.count), **options)


class _Distributed(_Several):
    """Devices of Keras' own distribution interface: the backend computes as if they were one."""

    def __init__(self, devices: list[str]):
        self.count, self._distribution = len(devices), keras.distribution.DataParallel(devices=devices)

    def scope(self) -> AbstractContextManager[Any]:
        scope: AbstractContextManager[Any] = self._distribution.scope()
        return scope

    @contextmanager
    def apart(self) -> Iterator[None]:
        before = keras.distribution.distribution()
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(before)

    def fit(self, trainer: keras.Model, dataset: keras.utils.PyDataset, **options: Any) -> None:
        with self.scope():
            super().fit(trainer, dataset, **options)


class _Mirrored(_Several):
    """Devices of TensorFlow's mirrored strategy, to which a loss and a gradient are those of a part of the batch."""

    def __init__(self, devices: list[str]):
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

    def optimizer(self, kind: type[keras.Optimizer]) -> Optimizer:
        return type(f"Mirrored{kind.__name__}", (_ClipsTogether, kind), {})

    def loss(self, loss: Loss) -> Loss:
        """Each device computes it of the whole batch: its gradients, which are added up, are then those of the whole."""
        import tensorflow

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
    import tensorflow

    return tensorflow.distribute.MirroredStrategy(devices)


class _ClipsTogether:
    """An optimiser that clips the norm of the gradient that the devices have together: Keras would clip that of each."""

    def __init__(self, *, global_clipnorm: float = 0.0, **options: Any):
        super().__init__(**options)
        self._norm = global_clipnorm

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        import tensorflow

        if self._norm:
            replica = tensorflow.distribute.get_replica_context()
            together = replica.all_reduce(tensorflow.distribute.ReduceOp.SUM, list(grads))
            clipped, _ = tensorflow.clip_by_global_norm(together, self._norm)
            grads = [gradient / replica.num_replicas_in_sync for gradient in clipped]  # Keras adds them up
        super().apply(grads, trainable_variables)  # type: ignore[misc]


def _mirrored_devices() -> list[str]:
    import tensorflow

    found = tensorflow.config.list_logical_devices("GPU") or tensorflow.config.list_logical_devices("CPU")
    return [device.name.removeprefix("/device:") for device in found]


class _FilledUp(keras.utils.PyDataset):
    """Batches of another dataset; where the last one cannot be shared evenly, its first examples are in it twice."""

    def __init__(self, dataset: keras.utils.PyDataset, count: int):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self._dataset, self._count = dataset, count

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return tuple(self._fill_up(part) for part in self._dataset[index])

    def on_epoch_end(self) -> None:
        self._dataset.on_epoch_end()

    def _fill_up(self, part: Any) -> Any:
        rows = -(-len(part) // self._count) * self._count
        return part if rows == len(part) else np.resize(part, (rows, *part.shape[1:]))
