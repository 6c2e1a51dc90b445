"""Keras and its backend, which start loudly and slowly."""

import os
import sys
from typing import Any

from segment.core.errors import InputError

MACHINES, _NUMBER = "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"
"""Environment variables by which Keras knows how many machines train together, and which of them this is."""


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

        if join and MACHINES in os.environ and keras.backend.backend() == "jax":
            _join_machines(keras)
        keras.ops.zeros(())  # starts the backend, which is when it speaks
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(silence)
    return keras


def machine_number() -> int:
    """Which of the machines that train together this one is, from 0: the first one writes the run."""
    return int(os.environ.get(_NUMBER) or 0) if MACHINES in os.environ else 0


def _join_machines(keras: Any) -> None:
    try:
        keras.distribution.initialize()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"KERAS_DISTRIBUTION_...: all machines must be named and started. Received: {' '.join(str(error).split())[:200]}. "
            "See docs/cluster.md."
        ) from error
