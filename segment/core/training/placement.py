"""Choice of the devices that a training runs on."""

import keras

from segment.core.common_settings import TrainingSettings
from segment.core.errors import InputError
from segment.core.model.backend import MACHINES, count_machines
from segment.core.training.devices import OneDevice, SeveralDevices


def take_devices(settings: TrainingSettings) -> OneDevice:
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
        return OneDevice()
    if backend == "torch":
        raise InputError(
            "training.devices: torch trains on one device of one machine. Received"
            f" {settings.devices} of {machines}. Set KERAS_BACKEND to tensorflow or jax."
        )
    if backend == "tensorflow" and machines > 1:
        raise InputError(
            f"{MACHINES}: several machines train with JAX. Received tensorflow. Set"
            " KERAS_BACKEND=jax."
        )
    kind = _kind_of_devices(backend)
    found = kind.find()
    if len(found) != machines:
        raise InputError(
            f"{MACHINES}: machines must be joined before Keras starts. Received {machines}, joined"
            f" {len(found)}. Call keras.distribution.initialize() first."
        )
    fewest = min(found, key=len)
    if len(fewest) < settings.devices:
        raise InputError(
            f"training.devices: there must be as many. Received {settings.devices}, found"
            f" {len(fewest)} ({', '.join(fewest)}). Set at most {len(fewest)}."
        )
    chosen = [device for machine in found for device in machine[: settings.devices]]
    if settings.batch_size % len(chosen):
        raise InputError(
            f"training.batch_size: must be a multiple of all machines' devices, {len(chosen)}."
            f" Received {settings.batch_size}. Change it."
        )
    return kind(chosen)


def _kind_of_devices(backend: str) -> "type[SeveralDevices]":
    if backend == "tensorflow":
        from segment.core.training.mirrored_devices import MirroredDevices

        return MirroredDevices
    from segment.core.training.distributed_devices import DistributedDevices

    return DistributedDevices
