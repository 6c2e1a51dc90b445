"""Keras and its backend, which start loudly and slowly."""

import os
import sys
from typing import Any

from segment.core.errors import InputError

MACHINES = "KERAS_DISTRIBUTION_NUM_PROCESSES"
"""The environment variable by which Keras knows how many machines train together."""


def load_keras(join: bool = False) -> Any:
    """Imports Keras without what its backend prints to stderr on the way (also from C++, hence the descriptor).

    join: the other machines that the environment names, see `keras.distribution.initialize`, with the backend that can.
    Raises InputError when they do not answer.
    """
    import pyogrio  # noqa: F401 - before TensorFlow, whose SQLite would take the place of GDAL's and makes no spatial indexes

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        import keras

        if join and count_machines() > 1 and keras.backend.backend() == "jax":
            _join_machines(keras)
        keras.ops.zeros(())  # starts the backend, which is when it speaks
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(silence)
    return keras


def count_machines() -> int:
    """How many machines train together, as the environment says. Raises InputError when it is no number."""
    told = os.environ.get(MACHINES) or "1"
    if not told.isdecimal() or told == "0":
        raise InputError(f"{MACHINES}: a number of machines. Received {told!r}. Write e.g. 2.")
    return int(told)


def machine_number() -> int:
    """Which of the machines that train together this one is, from 0: the first one writes the run."""
    import keras

    if count_machines() == 1 or keras.backend.backend() != "jax":
        return 0
    import jax

    return int(jax.process_index())


def _join_machines(keras: Any) -> None:
    try:
        keras.distribution.initialize()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"KERAS_DISTRIBUTION_...: all machines must be named and started. Received: {' '.join(str(error).split())[:200]}. "
            "See docs/cluster.md."
        ) from error
