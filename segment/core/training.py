"""The training loop of both packages: optimiser, epochs, the best model, checkpoints to go on from."""

import csv
import json
import math
import time
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from segment.core.config import TrainingSettings
from segment.core.errors import InputError
from segment.core.output import staged
from segment.core.progress import Progress
from segment.core.runtime import has_gpu

CHECKPOINT = Path("checkpoints") / "last.npz"
HISTORY = "history.csv"

Row = dict[str, float]
"""One epoch: "epoch" from 1, "loss", "learning_rate", and what validation returned."""


def dtype_policy(settings: TrainingSettings) -> str:
    """Keras' name for the precision of the computation: bfloat16 where asked for, or where a GPU profits."""
    mixed = settings.precision == "mixed" or (settings.precision == "auto" and has_gpu())
    return "mixed_bfloat16" if mixed else "float32"


class RateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate by step: a linear rise, then constant, or a half cosine to nothing.

    One-cycle: the rise takes three tenths of the steps, unless a warm-up is set (Smith and Topin, 2019).
    """

    def __init__(self, settings: TrainingSettings, steps_per_epoch: int):
        self._peak, self._falls = settings.learning_rate, settings.schedule != "constant"
        self._steps = settings.epochs * steps_per_epoch
        self._rise = settings.warmup_epochs * steps_per_epoch
        if settings.schedule == "one_cycle" and not self._rise:
            self._rise = 0.3 * self._steps

    def __call__(self, step: Any) -> Any:
        step = keras.ops.cast(step, "float32")
        rising = (step + 1) / max(self._rise, 1)
        passed = keras.ops.clip((step - self._rise) / max(self._steps - self._rise, 1), 0, 1)
        falling = 0.5 * (1 + keras.ops.cos(math.pi * passed)) if self._falls else keras.ops.ones_like(passed)
        return self._peak * keras.ops.where(step < self._rise, rising, falling)


def build_optimizer(settings: TrainingSettings, steps_per_epoch: int) -> keras.Optimizer:
    """Adam or AdamW with the schedule and the clipping that the settings name."""
    common: dict[str, Any] = {"learning_rate": RateSchedule(settings, steps_per_epoch)}
    if settings.clip_norm:
        common["global_clipnorm"] = settings.clip_norm
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(weight_decay=settings.weight_decay, **common)
    return keras.optimizers.Adam(**common)


def fit(
    network: keras.Model,
    dataset: Any,
    *,
    loss: Callable[[Any, Any], Any],
    validate: Callable[[], Row],
    monitor: str,
    save_best: Callable[[Row], None],
    settings: TrainingSettings,
    folder: Path,
    progress: Progress,
    data: str,
    resume: bool = False,
) -> list[Row]:
    """Trains for `settings.epochs`, or until validation has not improved for `settings.early_stopping` epochs.

    network: trained in place. dataset: a PyDataset with an `epoch`, on whose number alone its batches depend.
    validate: called after each epoch. monitor: which of its figures to maximise; `save_best` is called when it rises.
    data: tells the training data from others; a run is resumed on its own only.
    folder: gets `history.csv` and a checkpoint after each epoch; with `resume`, training goes on from there
    and ends as it would have without the break.

    Returns the history, a row per epoch.
    """
    # a second model over the same layers: `network` itself stays free of optimiser and loss, and so does its file
    trainer = keras.Model(network.inputs, network.outputs)
    steps = len(dataset)
    slow_xla = keras.backend.backend() == "tensorflow" and not has_gpu()
    trainer.compile(build_optimizer(settings, steps), loss, jit_compile=False if slow_xla else "auto")
    trainer.optimizer.build(trainer.trainable_variables)
    history: list[Row] = []
    if resume:
        history = load_checkpoint(folder / CHECKPOINT, trainer, data)
        write_history(folder / HISTORY, history)
        dataset.epoch = len(history)
    epochs = _Epochs(trainer, history, validate, monitor, save_best, settings, folder, progress, steps, data)
    if len(history) < settings.epochs and not epochs.has_stalled():
        callbacks: list[Any] = [epochs]
        if settings.tensorboard:
            callbacks.append(_tensorboard(folder))
        trainer.fit(dataset, initial_epoch=len(history), epochs=settings.epochs, shuffle=False, verbose=0, callbacks=callbacks)
    return history


def _tensorboard(folder: Path) -> Any:
    if find_spec("tensorboard") is None:
        raise InputError(
            "training.tensorboard: needs the package tensorboard. Received none. "
            "Install it: pip install 'aerial-segment[tensorboard]'."
        )
    return keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False)


class _Epochs(keras.callbacks.Callback):
    """What happens at the end of each epoch."""

    def __init__(
        self,
        trainer: keras.Model,
        history: list[Row],
        validate: Callable[[], Row],
        monitor: str,
        save_best: Callable[[Row], None],
        settings: TrainingSettings,
        folder: Path,
        progress: Progress,
        steps: int,
        data: str,
    ):
        super().__init__()
        self._trainer, self._history, self._validate, self._monitor = trainer, history, validate, monitor
        self._save_best, self._settings, self._folder, self._progress = save_best, settings, folder, progress
        self._steps, self._data, self._started, self._first = steps, data, time.monotonic(), len(history)

    def has_stalled(self) -> bool:
        """Whether the best epoch lies `early_stopping` epochs back."""
        scores = [row[self._monitor] for row in self._history]
        patience = self._settings.early_stopping
        return bool(patience and scores) and len(scores) - 1 - int(np.argmax(scores)) >= patience

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        done, note = batch + 1, f"loss {(logs or {}).get('loss', math.nan):.3f}"
        epoch = len(self._history)
        self._progress.advance("training", epoch * self._steps + done, self._settings.epochs * self._steps, note)
        self._progress.advance(f"epoch {epoch + 1}/{self._settings.epochs}", done, self._steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        rate = float(self._trainer.optimizer.learning_rate)
        figures = self._validate()
        row = {"epoch": float(epoch + 1), "loss": float((logs or {})["loss"]), "learning_rate": rate, **figures}
        for name, value in row.items():
            if not math.isfinite(value):
                raise InputError(
                    f"Training must stay finite. Received {name} {value} in epoch {epoch + 1}. "
                    "Lower training.learning_rate, or set training.clip_norm=1."
                )
        if logs is not None:
            logs.update(figures)  # for the callbacks that come after
        best = all(row[self._monitor] > earlier[self._monitor] for earlier in self._history)
        self._history.append(row)
        if best:
            self._save_best(row)
        save_checkpoint(self._folder / CHECKPOINT, self._trainer, self._history, self._data)
        write_history(self._folder / HISTORY, self._history)
        self._tell(row, best)
        if self.has_stalled():
            self._progress.say(f"no better {self._monitor} for {self._settings.early_stopping} epochs: done")
            self._trainer.stop_training = True

    def _tell(self, row: Row, best: bool) -> None:
        done = len(self._history)
        left = (time.monotonic() - self._started) / (done - self._first) * (self._settings.epochs - done)
        figures = "  ".join(f"{k} {v:.3f}" for k, v in row.items() if k not in ("epoch", "learning_rate"))
        mark = "  best so far" if best else ""
        minutes, seconds = divmod(round(left), 60)
        self._progress.say(f"epoch {done}/{self._settings.epochs}  {figures}  ({minutes}:{seconds:02} left){mark}")


def save_checkpoint(path: Path, trainer: keras.Model, history: list[Row], data: str) -> None:
    """Everything that training needs to go on, in one file: weights, random states, optimiser, history."""
    path.parent.mkdir(exist_ok=True)
    arrays = {f"variable_{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_state(trainer))}
    with staged(path, overwrite=True) as partial, partial.open("wb") as file:
        np.savez(file, history=np.array(json.dumps(history)), data=np.array(data), **arrays)


def load_checkpoint(path: Path, trainer: keras.Model, data: str) -> list[Row]:
    """Puts a checkpoint's state into a compiled model and returns the history.

    Raises InputError when there is none, when it is broken, or belongs to other data, another model or optimiser.
    """
    if not path.is_file():
        raise InputError(f"{path}: --resume needs a checkpoint. Received: no such file. Train without --resume.")
    state = _state(trainer)
    try:
        with np.load(path) as arrays:
            stored = [arrays[f"variable_{i}"] for i in range(len(arrays.files) - 2)]
            history: list[Row] = json.loads(str(arrays["history"]))
            known = str(arrays["data"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        problem = str(error) or type(error).__name__
        raise InputError(f"{path}: must be a whole checkpoint. Received: {problem}. Train anew with --overwrite.") from error
    if known != data:
        raise InputError(f"{path}: --resume needs the run's own tiles and split. Received others. Restore them, or train anew.")
    if [s.shape for s in stored] != [tuple(v.shape) for v in state]:
        raise InputError(f"{path}: --resume needs the same model and optimiser. Received another's. Leave them unchanged.")
    for variable, value in zip(state, stored, strict=True):
        variable.assign(value)
    return history


def _state(trainer: keras.Model) -> list[Any]:
    return [*trainer.variables, *trainer.optimizer.variables]


def write_history(path: Path, history: list[Row]) -> None:
    """The history as CSV, a line per epoch."""
    with staged(path, overwrite=True) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)
