"""Start of Keras: its backend, its GPUs, and the machines that train together.

Environment variables name the machines for Keras, see `keras.distribution.initialize`.
"""

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from segment.core.errors import InputError, brief

MACHINES = "KERAS_DISTRIBUTION_NUM_PROCESSES"
"""Environment variable from which Keras reads the number of machines."""


def load_keras(join: bool = False) -> Any:
    """Imports Keras and starts its backend, without what the backend prints to stderr.

    The backend prints from C++ too, so the file descriptor itself is redirected. The import takes
    seconds.

    Args:
        join: Whether to join the other machines that the environment names, see `join_machines`.

    Returns:
        The module `keras`.

    Raises:
        InputError: If the other machines do not respond.
    """
    # Before TensorFlow, whose SQLite would replace that of GDAL and cannot make spatial indexes.
    import pyogrio  # noqa: F401

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").addFilter(_is_for_users)
    sys.stderr.flush()
    saved, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        import keras

        if join:
            join_machines()
        keras.ops.zeros(())  # starts the backend, which prints only then
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(silence)
    return keras


def _is_for_users(record: logging.LogRecord) -> bool:
    """Keeps back advice on code: several networks in one process are each traced once or twice."""
    return "tf.function retracing" not in record.getMessage()


def may_have_gpu() -> bool:
    """Checks for a GPU driver, without starting Keras, which takes seconds.

    Returns:
        Whether there may be a GPU, so that `has_gpu` should be called.
    """
    return any(Path(driver).exists() for driver in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))


def has_gpu() -> bool:
    """Checks whether the Keras backend in use finds a GPU.

    Returns:
        Whether it finds one.
    """
    keras = load_keras()
    if keras.backend.backend() == "torch":  # Keras has no list of its devices
        import torch

        return bool(torch.cuda.is_available())
    try:
        return bool(keras.distribution.list_devices("gpu"))
    except RuntimeError:  # JAX without a GPU
        return False


def count_machines() -> int:
    """Counts the machines that train together.

    Returns:
        The number of machines; 1 if the environment does not state it.

    Raises:
        InputError: If the environment variable is not a number above 0.
    """
    count = os.environ.get(MACHINES) or "1"
    if not count.isdecimal() or count == "0":
        raise InputError(f"{MACHINES}: {count!r} is not a number of machines. Set it to e.g. 2.")
    return int(count)


def join_machines() -> None:
    """Joins this machine to the others, if there are some and the backend of Keras is JAX.

    Raises:
        InputError: If the other machines do not respond, or as `count_machines` does.
    """
    import keras

    if count_machines() == 1 or keras.backend.backend() != "jax":
        return
    try:
        keras.distribution.initialize()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"The other machines do not respond: {brief(error)}. Name all of"
            " them in KERAS_DISTRIBUTION_... and start each, see docs/cluster.md."
        ) from error


def machine_number() -> int:
    """Returns the number of this machine among those that train together.

    Returns:
        The number, from 0. Machine 0 writes the run.

    Raises:
        InputError: As `count_machines` does.
    """
    import keras

    if count_machines() == 1 or keras.backend.backend() != "jax":
        return 0
    import jax

    return int(jax.process_index())


@contextmanager
def own_folder(output: Path, resume: bool) -> Iterator[Path]:
    """Provides a temporary run folder for a machine that does not write the run.

    Args:
        output: Run folder of the machine that writes the run.
        resume: Whether the temporary folder begins as a copy of `output`.

    Yields:
        Path of the temporary folder, which is removed at the end.
    """
    with TemporaryDirectory() as folder:
        place = Path(folder) / output.resolve().name
        if resume:
            shutil.copytree(output, place)
        yield place
