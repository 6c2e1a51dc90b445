"""Machines that train together, as the environment names them for Keras (see `keras.distribution.initialize`)."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from segment.core.errors import InputError

MACHINES = "KERAS_DISTRIBUTION_NUM_PROCESSES"
"""The environment variable by which Keras knows how many there are."""


def count_machines() -> int:
    """How many they are. Raises InputError when the environment says what is no number."""
    told = os.environ.get(MACHINES) or "1"
    if not told.isdecimal() or told == "0":
        raise InputError(f"{MACHINES}: a number of machines. Received {told!r}. Write e.g. 2.")
    return int(told)


def join_machines() -> None:
    """Joins this machine to the others, if there are some, with the backend of Keras that can.

    Raises InputError when they do not answer.
    """
    import keras

    if count_machines() == 1 or keras.backend.backend() != "jax":
        return
    try:
        keras.distribution.initialize()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"KERAS_DISTRIBUTION_...: all machines must be named and started. Received: {' '.join(str(error).split())[:200]}. "
            "See docs/cluster.md."
        ) from error


def machine_number() -> int:
    """Which of them this one is, from 0: the first one writes the run."""
    import keras

    if count_machines() == 1 or keras.backend.backend() != "jax":
        return 0
    import jax

    return int(jax.process_index())


@contextmanager
def own_folder(output: Path, resume: bool) -> Iterator[Path]:
    """Where a machine that does not write the run writes instead: a folder that goes away at the end.

    resume: it begins as a copy of `output`.
    """
    with TemporaryDirectory() as folder:
        place = Path(folder) / output.resolve().name
        if resume:
            shutil.copytree(output, place)
        yield place
