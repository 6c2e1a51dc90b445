"""Keras and its backend, which start loudly and slowly."""

import os
import sys
from typing import Any

from segment.core.model.machines import join_machines


def load_keras(join: bool = False) -> Any:
    """Imports Keras without what its backend prints to stderr on the way (also from C++, hence the descriptor).

    join: the other machines that the environment names, see `join_machines`. Raises InputError when they do not answer.
    """
    import pyogrio  # noqa: F401 - before TensorFlow, whose SQLite would take the place of GDAL's and makes no spatial indexes

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        import keras

        if join:
            join_machines()
        keras.ops.zeros(())  # starts the backend, which is when it speaks
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(silence)
    return keras
