"""Devices that share each batch of a training.

Every device has a copy of the network and processes a share of the batch. The results equal those
of one device, within rounding: losses and batch normalisation see whole batches. Two things differ:
the random numbers that layers draw, and a last batch that cannot be divided evenly, see
`SharedBatches`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import numpy as np

from segment.core.networks.pretrained import weighted_layers

Loss = Callable[[Any, Any], Any]
Optimizer = Callable[..., keras.Optimizer]


class OneDevice:
    """The device that Keras chooses.

    Trainers share the layers of the network itself.

    Attributes:
        count: Number of devices of all machines.
    """

    count = 1

    def scope(self) -> AbstractContextManager[Any]:
        """Returns the context in which trainers must be made."""
        return nullcontext()

    def apart(self) -> AbstractContextManager[Any]:
        """Returns the context for what one device computes while a trainer is being fitted."""
        return nullcontext()

    def trainer(self, network: keras.Model) -> keras.Model:
        """Makes a second model, so that the network and its file stay free of optimiser and loss.

        Args:
            network: Network to train.

        Returns:
            A model to compile and fit.
        """
        return keras.Model(network.inputs, network.outputs)

    def bring_back(self, trainer: keras.Model, network: keras.Model) -> None:
        """Copies what a trainer has learned into the network.

        Args:
            trainer: Model made by `trainer`.
            network: Network that it was made from.
        """

    def optimizer(self, kind: type[keras.Optimizer]) -> Optimizer:
        """Adapts an optimiser class to the devices.

        Args:
            kind: Optimiser class.

        Returns:
            A callable that takes the arguments of the class and makes the optimiser.
        """
        return kind

    def loss(self, loss: Loss) -> Loss:
        """Adapts a loss to the devices.

        Args:
            loss: Loss of whole batches, of reference and predictions.

        Returns:
            The loss to compile trainers with.
        """
        return loss

    def fit(self, trainer: keras.Model, dataset: keras.utils.PyDataset, **options: Any) -> None:
        """Fits a trainer as `keras.Model.fit` does.

        Args:
            trainer: Compiled model made by `trainer`.
            dataset: Whole batches.
            **options: Further arguments of `keras.Model.fit`.
        """
        trainer.fit(dataset, **options)


class SeveralDevices(OneDevice, ABC):
    """Devices whose trainers are copies of the network."""

    @staticmethod
    @abstractmethod
    def find() -> list[list[str]]:
        """Lists the devices that exist.

        Returns:
            For each machine, the names of its devices.
        """

    @abstractmethod
    def __init__(self, devices: Sequence[str]):
        """Uses the given devices.

        Args:
            devices: Names of the devices.
        """

    def trainer(self, network: keras.Model) -> keras.Model:
        """Copies the network with its variables and the choice of layers to train."""
        copy = keras.models.clone_model(network)
        for mine, its in zip(network.variables, copy.variables, strict=True):  # random states, too
            # A copy, because JAX gives away the memory of the variables that it trains.
            its.assign(keras.ops.convert_to_numpy(mine))
        for ours, its in zip(weighted_layers(network), weighted_layers(copy), strict=True):
            its.trainable = ours.trainable
        return copy

    def bring_back(self, trainer: keras.Model, network: keras.Model) -> None:
        """Copies the weights of the trainer into the network."""
        network.set_weights(trainer.get_weights())

    def fit(self, trainer: keras.Model, dataset: keras.utils.PyDataset, **options: Any) -> None:
        """Fits a trainer on batches that can be divided evenly, see `OneDevice.fit`."""
        super().fit(trainer, SharedBatches(dataset, self.count), **options)


class SharedBatches(keras.utils.PyDataset):
    """Batches of another dataset, adapted to several devices and machines.

    Each machine sees its share of a batch. If the last batch cannot be divided evenly among the
    devices, its first samples occur twice.
    """

    def __init__(
        self, dataset: keras.utils.PyDataset, count: int, machine: int = 0, machines: int = 1
    ):
        """Wraps a dataset.

        Args:
            dataset: Dataset of whole batches.
            count: Number of devices of all machines.
            machine: Number of this machine, from 0.
            machines: Number of machines.
        """
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self._dataset, self._count, self._machine, self._machines = (
            dataset,
            count,
            machine,
            machines,
        )

    def __len__(self) -> int:
        """Returns the number of batches."""
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Returns this machine's share of a batch."""
        return tuple(keras.tree.map_structure(self._share, part) for part in self._dataset[index])

    def on_epoch_end(self) -> None:
        """Passes the end of an epoch on to the wrapped dataset."""
        self._dataset.on_epoch_end()

    def _share(self, examples: Any) -> Any:
        rows = -(-len(examples) // self._count) * self._count
        if rows != len(examples):
            examples = np.resize(examples, (rows, *examples.shape[1:]))
        part = rows // self._machines
        return examples[self._machine * part : (self._machine + 1) * part]
