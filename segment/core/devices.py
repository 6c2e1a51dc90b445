"""The devices that share each batch of a training: every one has a copy of the network, and sees a part of the batch.

Figures are those of one device, within rounding: losses and batch normalisation see whole batches.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import keras
import numpy as np

from segment.core.backbones import weighted_layers
from segment.core.config import TrainingSettings
from segment.core.errors import InputError
from segment.core.keras_backend import MACHINES

Loss = Callable[[Any, Any], Any]
Optimizer = Callable[..., keras.Optimizer]


class OneDevice:
    """The device that Keras chooses. Its trainers have the layers of the network itself.

    count: of devices, those of all machines. is_first: whether this process is the one that writes the run.
    """

    count, is_first = 1, True

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


def take_devices(settings: TrainingSettings) -> OneDevice:
    """`settings.devices` devices of this machine: GPUs, or where it has none what stands for one processor each; and as many of
    each other machine that `keras.distribution.initialize` has joined.

    Raises InputError when there are fewer, when batches cannot be shared evenly, and where the backend of Keras cannot.
    """
    backend, machines = keras.backend.backend(), int(os.environ.get(MACHINES) or 1)
    if settings.devices == 1 and machines == 1:
        return OneDevice()
    if backend == "torch":
        raise InputError(
            f"training.devices: torch trains on one device here. Received {settings.devices}. "
            "Set KERAS_BACKEND to tensorflow or jax."
        )
    if backend == "tensorflow" and machines > 1:
        raise InputError(f"{MACHINES}: several machines train with JAX. Received tensorflow. Set KERAS_BACKEND=jax.")
    found = _mirrored_devices() if backend == "tensorflow" else _distributed_devices()
    fewest = min(found, key=len)
    if len(fewest) < settings.devices:
        raise InputError(
            f"training.devices: there must be as many. Received {settings.devices}, found {len(fewest)} ({', '.join(fewest)}). "
            f"Set at most {len(fewest)}."
        )
    chosen = [device for machine in found for device in machine[: settings.devices]]
    if settings.batch_size % len(chosen):
        raise InputError(
            f"training.batch_size: must be a multiple of all machines' devices, {len(chosen)}. Received {settings.batch_size}. "
            "Change it."
        )
    return _Mirrored(chosen) if backend == "tensorflow" else _Distributed(chosen, len(found))


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
        super().fit(trainer, _Shared(dataset, self.count), **options)


class _Distributed(_Several):
    """Devices of Keras' own distribution interface: the backend computes as if they were one."""

    def __init__(self, devices: Sequence[str], machines: int):
        import jax

        self.count, self._machine, self._machines = len(devices), jax.process_index(), machines
        self.is_first = self._machine == 0
        self._distribution = keras.distribution.DataParallel(devices=list(devices), auto_shard_dataset=False)

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
            trainer.fit(_Shared(dataset, self.count, self._machine, self._machines), **options)


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


def _mirrored_devices() -> list[list[str]]:
    """As `_distributed_devices`, of the one machine."""
    import tensorflow

    found = tensorflow.config.list_logical_devices("GPU") or tensorflow.config.list_logical_devices("CPU")
    return [[device.name.removeprefix("/device:") for device in found]]


def _distributed_devices() -> list[list[str]]:
    """The devices of each machine by the names that Keras' distribution interface has for them."""
    import jax

    found: dict[int, list[str]] = {}
    for device in jax.devices():
        found.setdefault(device.process_index, []).append(f"{device.platform}:{device.id}")
    return [found[machine] for machine in sorted(found)]


class _Shared(keras.utils.PyDataset):
    """Batches of another dataset, of which each of several machines sees its part; where the last one cannot be shared evenly
    by `count` devices, its first examples are in it twice."""

    def __init__(self, dataset: keras.utils.PyDataset, count: int, machine: int = 0, machines: int = 1):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self._dataset, self._count, self._machine, self._machines = dataset, count, machine, machines

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return tuple(self._share(examples) for examples in self._dataset[index])

    def on_epoch_end(self) -> None:
        self._dataset.on_epoch_end()

    def _share(self, examples: Any) -> Any:
        rows = -(-len(examples) // self._count) * self._count
        if rows != len(examples):
            examples = np.resize(examples, (rows, *examples.shape[1:]))
        part = rows // self._machines
        return examples[self._machine * part : (self._machine + 1) * part]
