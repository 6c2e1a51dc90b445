"""Machines that train together.

Environment variables name them for Keras, see `keras.distribution.initialize`.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from segment.core.errors import InputError

MACHINES = "KERAS_DISTRIBUTION_NUM_PROCESSES"
"""Environment variable from which Keras reads the number of machines."""


def count_machines() -> int:
    """Counts the machines that train together.

    Returns:
        The number of machines; 1 if the environment does not state it.

    Raises:
        InputError: If the environment variable is not a number above 0.
    """
    told = os.environ.get(MACHINES) or "1"
    if not told.isdecimal() or told == "0":
        raise InputError(f"{MACHINES}: a number of machines. Received {told!r}. Write e.g. 2.")
    return int(told)


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
            "KERAS_DISTRIBUTION_...: all machines must be named and started. Received:"
            f" {' '.join(str(error).split())[:200]}. See docs/cluster.md."
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
