"""Batches of an epoch, of a fixed number of steps, shared among devices and machines."""

from copy import copy
from typing import Any

import keras
import numpy as np


class SharedBatches(keras.utils.PyDataset):
    """Batches of an epoch of another dataset, adapted to the devices and machines.

    Each machine gets its share of a batch. If the last batch cannot be divided evenly among the
    devices, its first samples occur twice.
    """

    def __init__(
        self, batches: keras.utils.PyDataset, count: int, machine: int = 0, machines: int = 1
    ):
        """Wraps a dataset.

        Args:
            batches: Dataset of whole batches.
            count: Number of devices of all machines.
            machine: Number of this machine, from 0.
            machines: Number of machines.
        """
        super().__init__(batches.workers, batches.use_multiprocessing, batches.max_queue_size)
        self._batches, self._count = batches, count
        self._machine, self._machines = machine, machines
        self._first: dict[int, tuple[Any, ...]] = {}

    def __len__(self) -> int:
        """Returns the number of batches."""
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Returns this machine's share of a batch."""
        if index in self._first:
            return self._first.pop(index)
        batch = tuple(keras.tree.map_structure(self._share, part) for part in self._batches[index])
        if index < 2 and keras.backend.backend() == "tensorflow":
            self._first[index] = batch  # Keras asks for the first two once more, for their shapes
        return batch

    def _share(self, samples: Any) -> Any:
        rows = -(-len(samples) // self._count) * self._count
        if rows > len(samples):
            samples = np.resize(samples, (rows, *samples.shape[1:]))
        share = rows // self._machines
        return samples[self._machine * share : (self._machine + 1) * share]


class FixedSteps(keras.utils.PyDataset):
    """Batches of another dataset in epochs of a fixed number of steps.

    Each epoch continues where the one before ended, so that all data are seen equally often.

    Attributes:
        epoch: Number of the current epoch.
    """

    def __init__(self, batches: Any, steps: int):
        """Wraps a dataset.

        Args:
            batches: PyDataset with an attribute `epoch`, on whose number alone its batches depend.
            steps: Number of batches in an epoch.
        """
        super().__init__(batches.workers, batches.use_multiprocessing, batches.max_queue_size)
        self._batches, self._steps, self.epoch = batches, steps, 0

    def __len__(self) -> int:
        """Returns the number of batches in an epoch."""
        return self._steps

    def __getitem__(self, index: int) -> Any:
        """Returns a batch of the current epoch."""
        step = self.epoch * self._steps + index
        # a copy, since threads may be in the next pass over the data already
        batches = copy(self._batches)
        batches.epoch, position = divmod(step, len(batches))
        return batches[position]
