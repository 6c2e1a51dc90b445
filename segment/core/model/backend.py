"""Import of Keras and start of its backend, without the messages that this prints."""

import os
import sys
from typing import Any

from segment.core.model.machines import join_machines


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
