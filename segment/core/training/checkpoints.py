"""Checkpoints of a training."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from segment.core.errors import DAMAGE, InputError
from segment.core.model.weight_files import require_small_zip
from segment.core.outputs import staged
from segment.core.training.history import Row

CHECKPOINT = Path("checkpoints") / "last.npz"


def save_checkpoint(path: Path, trainer: keras.Model, history: list[Row], data: str) -> None:
    """Writes all that training needs to resume: weights, random states, optimiser, history.

    Args:
        path: File to write, in a folder that is made if it does not exist.
        trainer: Compiled model.
        history: Rows of the epochs so far.
        data: Fingerprint of the training data.
    """
    path.parent.mkdir(exist_ok=True)
    arrays = {f"variable_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_state(trainer))}
    with staged(path, overwrite=True) as partial, partial.open("wb") as file:
        np.savez(file, history=np.array(json.dumps(history)), data=np.array(data), **arrays)


def load_history(path: Path, data: str) -> list[Row]:
    """Reads the history in a checkpoint.

    Args:
        path: Checkpoint.
        data: Fingerprint of the training data.

    Returns:
        Rows of the epochs.

    Raises:
        InputError: If there is no checkpoint, it is broken, or it belongs to other data.
    """
    if not path.is_file():
        raise InputError(f"{path}: no checkpoint to resume from. Train without --resume.")
    with _whole(path) as arrays:
        history: list[Row] = json.loads(str(arrays["history"]))
        known = str(arrays["data"])
    if not known or not data.startswith(known):  # earlier versions kept less of it
        raise InputError(
            f"{path}: data and split are not those of the run to resume. Restore them, or train"
            " without --resume."
        )
    return history


def load_checkpoint(path: Path, trainer: keras.Model) -> None:
    """Loads the state in a checkpoint into a compiled model.

    Args:
        path: Checkpoint.
        trainer: Compiled model with a built optimiser.

    Raises:
        InputError: If the checkpoint is broken, or belongs to another model or optimiser.
    """
    state = _state(trainer)
    with _whole(path) as arrays:
        stored = [arrays[f"variable_{i}"] for i in range(len(arrays.files) - 2)]
    if [s.shape for s in stored] != [tuple(v.shape) for v in state]:
        raise InputError(
            f"{path}: the run to resume does not have the same model and optimiser. Leave them"
            " unchanged."
        )
    for variable, value in zip(state, stored, strict=True):
        variable.assign(value)


@contextmanager
def _whole(path: Path) -> Iterator[Any]:
    try:
        require_small_zip(path)
        with np.load(path) as arrays:
            yield arrays
    except DAMAGE as error:
        problem = str(error) or type(error).__name__
        raise InputError(
            f"{path}: not a complete checkpoint: {problem}. Train again with --overwrite."
        ) from error


def _state(trainer: keras.Model) -> list[Any]:
    return [*trainer.variables, *trainer.optimizer.variables]
