"""Devices that share each batch of a training.

Every device has a copy of the network and processes a share of the batch. The results equal those
of one device, within rounding: losses and batch normalisation see whole batches. Two things differ:
the random numbers that layers draw, and a last batch that cannot be divided evenly, see
`SharedBatches`.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras

from segment.core.common_settings import TrainingSettings
from segment.core.errors import InputError
from segment.core.model.backend import MACHINES, count_machines
from segment.core.networks.layers import weighted_layers
from segment.core.training.fused import fused_normalisation
from segment.core.training.history import mean_loss
from segment.core.training.shared_batches import SharedBatches

Loss = Callable[[Any, Any], Any]
Optimizer = type[keras.Optimizer]


@dataclass(frozen=True, kw_only=True)
class Devices:
    """Devices that train together; by default the one that Keras chooses.

    Attributes:
        count: Number of devices of all machines.
        machine: Number of this machine, from 0.
        machines: Number of machines.
        scope: Returns the context in which models are made and fitted.
        prepare: Changes a model before it is fitted.
        loss: Adapts a loss of whole batches, of reference and predictions.
        optimizer: Adapts an optimiser class.
    """

    count: int = 1
    machine: int = 0
    machines: int = 1
    scope: Callable[[], AbstractContextManager[Any]] = nullcontext
    prepare: Callable[[keras.Model], None] = lambda model: None
    loss: Callable[[Loss], Loss] = lambda loss: loss
    optimizer: Callable[[Optimizer], Optimizer] = lambda kind: kind

    def replicate(self, network: keras.Model) -> keras.Model:
        """Makes a model to compile, so that the network stays free of optimiser and loss.

        Args:
            network: Network to train.

        Returns:
            On one device a model of the same layers. On several a copy of the network, with its
            variables and the choice of layers to train.
        """
        if self.count == 1:
            return keras.Model(network.inputs, network.outputs)
        model = keras.models.clone_model(network)
        for ours, its in zip(network.variables, model.variables, strict=True):  # random states, too
            # A copy, because JAX gives away the memory of the variables that it trains.
            its.assign(keras.ops.convert_to_numpy(ours))
        for ours, its in zip(weighted_layers(network), weighted_layers(model), strict=True):
            its.trainable = ours.trainable
        return model

    def copy_back(self, model: keras.Model, network: keras.Model) -> None:
        """Copies what a model has learned into the network.

        Args:
            model: Model made by `replicate`.
            network: Network that it was made from.
        """
        if self.count > 1:
            network.set_weights(model.get_weights())

    def fit(
        self,
        model: keras.Model,
        batches: keras.utils.PyDataset,
        epoch: int,
        callback: keras.callbacks.Callback,
    ) -> float:
        """Fits a model for an epoch.

        Args:
            model: Compiled model made by `replicate`.
            batches: Whole batches.
            epoch: Number of the epoch, from 0.
            callback: Called by Keras.

        Returns:
            Mean loss of the epoch.
        """
        with self.scope():
            self.prepare(model)
            with fused_normalisation(model):
                fitted = model.fit(
                    SharedBatches(batches, self.count, self.machine, self.machines),
                    initial_epoch=epoch,
                    epochs=epoch + 1,
                    shuffle=False,
                    verbose=0,
                    callbacks=[callback],
                )
        return mean_loss({name: values[0] for name, values in fitted.history.items()})


def take_devices(settings: TrainingSettings) -> Devices:
    """Selects the devices that the settings ask for.

    Args:
        settings: Settings of the training.

    Returns:
        `settings.devices` devices of this machine, and as many of each other machine that
        `keras.distribution.initialize` has joined. They are GPUs, or CPU devices where there are
        none.

    Raises:
        InputError: If there are fewer devices, if batches cannot be divided evenly among them, if
            machines are not joined, or if the backend of Keras does not support several.
    """
    backend, machines = keras.backend.backend(), count_machines()
    if settings.devices == 1 and machines == 1:
        return Devices()
    if backend == "torch" or (backend == "tensorflow" and machines > 1):
        raise InputError(
            f"training.devices: {settings.devices} on {machines} machines (see {MACHINES}), but"
            f" {backend} trains on {'one device' if backend == 'torch' else 'one machine'}. Set"
            " KERAS_BACKEND=jax."
        )
    found = _tensorflow_devices() if backend == "tensorflow" else _jax_devices()
    if len(found) != machines:
        raise InputError(
            f"{MACHINES}: {machines} machines, but {len(found)} are joined. Call"
            " keras.distribution.initialize() before Keras starts."
        )
    fewest = min(found, key=len)
    if len(fewest) < settings.devices:
        raise InputError(
            f"training.devices: {settings.devices}, but there are {len(fewest)}"
            f" ({', '.join(fewest)}). Set at most {len(fewest)}."
        )
    chosen = tuple(device for machine in found for device in machine[: settings.devices])
    if settings.batch_size % len(chosen):
        raise InputError(
            f"training.batch_size: {settings.batch_size} is not a multiple of the {len(chosen)}"
            " devices of all machines. Change it."
        )
    return _mirrored(chosen) if backend == "tensorflow" else _data_parallel(chosen)


def _jax_devices() -> list[list[str]]:
    """Lists the devices of each machine, in the order of the machines."""
    import jax

    found: dict[int, list[str]] = {}
    for device in jax.devices():
        found.setdefault(device.process_index, []).append(f"{device.platform}:{device.id}")
    return [found[machine] for machine in sorted(found)]


def _data_parallel(names: Sequence[str]) -> Devices:
    """Returns devices of Keras' own distribution, with which JAX computes as if they were one."""
    import jax

    distribution = keras.distribution.DataParallel(devices=list(names), auto_shard_dataset=False)
    return Devices(
        count=len(names),
        machine=jax.process_index(),
        machines=jax.process_count(),
        scope=distribution.scope,
    )


def _tensorflow_devices() -> list[list[str]]:
    """Lists the GPUs of this machine, or its CPU devices if it has no GPU."""
    from tensorflow import config

    found = config.list_logical_devices("GPU") or config.list_logical_devices("CPU")
    return [[device.name.removeprefix("/device:") for device in found]]


@cache  # two strategies in a process would receive each other's messages
def _mirrored(names: Sequence[str]) -> Devices:
    """Returns devices of TensorFlow's mirrored strategy.

    Within it, loss, gradient and random state are those of one device: here they are made those of
    the whole batch. Keras adds up the gradients of the devices.
    """
    import tensorflow as tf

    strategy, count = tf.distribute.MirroredStrategy(names), len(names)

    def prepare(model: keras.Model) -> None:
        for layer in weighted_layers(model):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
        for variable in model.variables:
            if variable.path.endswith("seed_generator_state"):
                first = keras.ops.convert_to_numpy(variable)
                strategy.run(draw_apart, args=(variable.value, first))

    def draw_apart(state: Any, first: Any) -> None:
        """Gives a device its own random numbers; the first one draws those of a single device."""
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        state.assign(first + tf.cast([number, 0], state.dtype))

    def share(loss: Loss) -> Loss:
        def gather(part: Any) -> Any:
            whole = tf.distribute.get_replica_context().all_gather(part, axis=0)
            return tf.ensure_shape(whole, (None, *part.shape[1:]))

        def shared(reference: Any, answers: Any) -> Any:
            if tf.distribute.in_cross_replica_context():  # once before training, for its shape
                return loss(reference, answers)
            return loss(gather(reference), gather(answers)) / count

        return shared

    def clip_together(kind: Optimizer) -> Optimizer:
        def apply(self: Any, grads: Any, trainable_variables: Any = None) -> None:
            if self.global_clipnorm:
                replica = tf.distribute.get_replica_context()
                together = replica.all_reduce(tf.distribute.ReduceOp.SUM, list(grads))
                clipped, _ = tf.clip_by_global_norm(together, self.global_clipnorm)
                grads = [gradient / count for gradient in clipped]  # not clipped again by Keras
            kind.apply(self, grads, trainable_variables)

        return type(f"Mirrored{kind.__name__}", (kind,), {"apply": apply})

    return Devices(
        count=count, scope=strategy.scope, prepare=prepare, loss=share, optimizer=clip_together
    )
