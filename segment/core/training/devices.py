"""The devices that share each batch of a training: every one has a copy of the network, and sees a part of the batch.

Figures are those of one device, within rounding: losses and batch normalisation see whole batches. Two things differ: what
layers draw at random, and a last batch that cannot be shared evenly, see `SharedBatches`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import numpy as np

from segment.core.model.backbones import weighted_layers

Loss = Callable[[Any, Any], Any]
Optimizer = Callable[..., keras.Optimizer]


class OneDevice:
    """The device that Keras chooses. Its trainers have the layers of the network itself.

    count: of devices, those of all machines.
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


class SeveralDevices(OneDevice, ABC):
    """Devices whose trainers are copies of the network."""

    @staticmethod
    @abstractmethod
    def find() -> list[list[str]]:
        """The names of each machine's devices."""

    @abstractmethod
    def __init__(self, devices: Sequence[str]):
        """devices: by their names."""

    def trainer(self, network: keras.Model) -> keras.Model:
        copy = keras.models.clone_model(network)
        for mine, its in zip(network.variables, copy.variables, strict=True):  # states of what draws at random, too
            its.assign(keras.ops.convert_to_numpy(mine))  # a copy: JAX gives the memory of what it trains away
        for ours, its in zip(weighted_layers(network), weighted_layers(copy), strict=True):
            its.trainable = ours.trainable
        return copy

    def bring_back(self, trainer: keras.Model, network: keras.Model) -> None:
        network.set_weights(trainer.get_weights())

    def fit(self, trainer: keras.Model, dataset: keras.utils.PyDataset, **options: Any) -> None:
        super().fit(trainer, SharedBatches(dataset, self.count), **options)


class SharedBatches(keras.utils.PyDataset):
    """Batches of another dataset, of which each of several machines sees its part; where the last one cannot be shared evenly
    by `count` devices, its first examples are in it twice."""

    def __init__(self, dataset: keras.utils.PyDataset, count: int, machine: int = 0, machines: int = 1):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self._dataset, self._count, self._machine, self._machines = dataset, count, machine, machines

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return tuple(keras.tree.map_structure(self._share, part) for part in self._dataset[index])

    def on_epoch_end(self) -> None:
        self._dataset.on_epoch_end()

    def _share(self, examples: Any) -> Any:
        rows = -(-len(examples) // self._count) * self._count
        if rows != len(examples):
            examples = np.resize(examples, (rows, *examples.shape[1:]))
        part = rows // self._machines
        return examples[self._machine * part : (self._machine + 1) * part]
