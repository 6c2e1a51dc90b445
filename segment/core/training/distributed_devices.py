"""Devices that share batches through Keras' distribution interface, which JAX has; those of several machines, too."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import jax
import keras

from segment.core.training.devices import SeveralDevices, SharedBatches


class DistributedDevices(SeveralDevices):
    """Devices of Keras' own distribution interface: the backend computes as if they were one."""

    @staticmethod
    def find() -> list[list[str]]:
        found: dict[int, list[str]] = {}
        for device in jax.devices():
            found.setdefault(device.process_index, []).append(f"{device.platform}:{device.id}")
        return [found[machine] for machine in sorted(found)]

    def __init__(self, devices: Sequence[str]):
        self.count = len(devices)
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
            trainer.fit(SharedBatches(dataset, self.count, jax.process_index(), jax.process_count()), **options)
