"""Devices that share batches through the distribution interface of Keras, which JAX supports.

They may belong to several machines.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import jax
import keras

from segment.core.training.devices import SeveralDevices, SharedBatches


class DistributedDevices(SeveralDevices):
    """Devices of the distribution interface of Keras.

    The backend computes as if they were one device.

    Attributes:
        count: Number of devices of all machines.
    """

    @staticmethod
    def find() -> list[list[str]]:
        """Lists the devices of each machine, in the order of the machines."""
        found: dict[int, list[str]] = {}
        for device in jax.devices():
            found.setdefault(device.process_index, []).append(f"{device.platform}:{device.id}")
        return [found[machine] for machine in sorted(found)]

    def __init__(self, devices: Sequence[str]):
        """Uses the given devices.

        Args:
            devices: Names of the devices of all machines, as `find` returns them.
        """
        self.count = len(devices)
        self._distribution = keras.distribution.DataParallel(
            devices=list(devices), auto_shard_dataset=False
        )

    def scope(self) -> AbstractContextManager[Any]:
        """Returns the context in which trainers must be made: that of the distribution."""
        scope: AbstractContextManager[Any] = self._distribution.scope()
        return scope

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Switches the distribution off for what one device computes during a fit."""
        before = keras.distribution.distribution()
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(before)

    def fit(self, trainer: keras.Model, dataset: keras.utils.PyDataset, **options: Any) -> None:
        """Fits a trainer on this machine's share of each batch, see `OneDevice.fit`."""
        with self.scope():
            trainer.fit(
                SharedBatches(dataset, self.count, jax.process_index(), jax.process_count()),
                **options,
            )
