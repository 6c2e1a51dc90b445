"""Training loop of both packages: optimiser, epochs, the best model, checkpoints to resume from."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras

from segment.core.common_settings import TrainingSettings
from segment.core.errors import InputError
from segment.core.model.backend import has_gpu
from segment.core.progress import Progress
from segment.core.training.checkpoints import (
    CHECKPOINT,
    load_checkpoint,
    load_history,
    save_checkpoint,
)
from segment.core.training.devices import OneDevice
from segment.core.training.history import HISTORY, Row, best_row, write_history
from segment.core.training.optimizers import Phase, build_optimizer


def describe_network(network: keras.Model) -> str:
    """Describes a network in one line.

    Args:
        network: Any network.

    Returns:
        Its name, its number of weights and the Keras backend.
    """
    return f"model {network.name}, {network.count_params():,} weights, on {keras.backend.backend()}"


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
    phases: Sequence[Phase] | None = None,
    devices: OneDevice | None = None,
    resume: bool = False,
) -> list[Row]:
    """Trains a network.

    Training ends after `settings.epochs`, or when the validation score has not improved for
    `settings.early_stopping` epochs.

    Args:
        network: Network that is trained in place.
        dataset: PyDataset with an attribute `epoch`, on whose number alone its batches depend.
        loss: Loss of a batch, of reference and predictions.
        validate: Called after each epoch; returns "val_loss" and other scores.
        monitor: Name of the score that determines the best epoch, see `best_row`.
        save_best: Called with the row of an epoch that is the best so far.
        settings: Settings of the training.
        folder: Folder that gets `history.csv` and a checkpoint after each epoch.
        progress: Shows the steps, and prints the scores of each epoch.
        data: Fingerprint of the training data. A run is resumed only on its own data.
        phases: Phases that the epochs are divided into. Schedule and optimiser start again with
            each phase. Only the last phase stops early, and the epochs before it do not count
            against it. By default one phase.
        devices: Devices that share each batch, see `take_devices`. By default one.
        resume: Whether to continue from the checkpoint in `folder`. Training then ends as it would
            have without the interruption.

    Returns:
        The history, one row per epoch.

    Raises:
        InputError: If a score or the loss is not finite, if a run cannot be resumed from its
            checkpoint, or if TensorBoard is asked for and not installed.
    """
    phases = [
        phase
        for phase in phases or [Phase(settings.epochs, settings.learning_rate)]
        if phase.epochs
    ]
    history: list[Row] = load_history(folder / CHECKPOINT, data) if resume else []
    steps, resumed, end, devices = len(dataset), len(history), 0, devices or OneDevice()
    for number, phase in enumerate(phases, 1):
        start, end = end, end + phase.epochs
        if end < resumed:
            continue
        phase.freeze()
        trainer = _compile(network, phase, loss, settings, steps, devices)
        if start < resumed:
            load_checkpoint(folder / CHECKPOINT, trainer)
            # As Keras does at the end of a phase: the next one starts from the moving average.
            if resumed == end:
                trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
            devices.bring_back(trainer, network)
            write_history(folder / HISTORY, history)
        stops_after = start if number == len(phases) else None
        look = partial(_look, devices, trainer, network, validate)
        epochs = _Epochs(
            trainer,
            history,
            look,
            monitor,
            save_best,
            settings,
            folder,
            progress,
            steps,
            data,
            stops_after,
        )
        if len(history) < end and not epochs.has_stalled():
            dataset.epoch = len(history)
            callbacks = [epochs, *([_tensorboard(folder)] if settings.tensorboard else [])]
            devices.fit(
                trainer,
                dataset,
                initial_epoch=len(history),
                epochs=end,
                shuffle=False,
                verbose=0,
                callbacks=callbacks,
            )
    return history


def _look(
    devices: OneDevice, trainer: keras.Model, network: keras.Model, validate: Callable[[], Row]
) -> Row:
    with devices.apart():
        devices.bring_back(trainer, network)
        return validate()


def _compile(
    network: keras.Model,
    phase: Phase,
    loss: Callable[[Any, Any], Any],
    settings: TrainingSettings,
    steps: int,
    devices: OneDevice,
) -> keras.Model:
    slow_xla = keras.backend.backend() == "tensorflow" and not has_gpu()
    rise = settings.warmup_epochs if settings.warmup_epochs < phase.epochs else phase.epochs / 2
    own = settings.model_copy(
        update={"epochs": phase.epochs, "learning_rate": phase.learning_rate, "warmup_epochs": rise}
    )
    with devices.scope():
        trainer = devices.trainer(network)
        optimizer = build_optimizer(own, steps, devices)
        trainer.compile(optimizer, devices.loss(loss), jit_compile=False if slow_xla else "auto")
        trainer.optimizer.build(trainer.trainable_variables)
    return trainer


def _tensorboard(folder: Path) -> Any:
    if find_spec("tensorboard") is None:
        raise InputError(
            "training.tensorboard: needs the package tensorboard. Received none. "
            "Install it: pip install 'aerial-segment[tensorboard]'."
        )
    return keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False)


class _Epochs(keras.callbacks.Callback):
    """Callback that validates, saves and reports at the end of each epoch."""

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
        stops_after: int | None,
    ):
        """Prepares a phase.

        The first `stops_after` epochs do not count against `early_stopping`; with None, the phase
        does not stop early.
        """
        super().__init__()
        self._trainer, self._history, self._validate, self._monitor = (
            trainer,
            history,
            validate,
            monitor,
        )
        self._save_best, self._settings, self._folder, self._progress = (
            save_best,
            settings,
            folder,
            progress,
        )
        self._steps, self._data, self._started, self._first = (
            steps,
            data,
            time.monotonic(),
            len(history),
        )
        self._patience = 0 if stops_after is None else settings.early_stopping
        self._stops_after = stops_after or 0

    def has_stalled(self) -> bool:
        """Checks if the best epoch and the start of the phase are `early_stopping` epochs ago."""
        if not self._patience or not self._history:
            return False
        best = self._history.index(best_row(self._history, self._monitor)) + 1
        return len(self._history) - max(best, self._stops_after) >= self._patience

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Shows the progress of the training and of the epoch."""
        done, note = batch + 1, f"loss {(logs or {}).get('loss', math.nan):.3f}"
        epoch = len(self._history)
        self._progress.advance(
            "training", epoch * self._steps + done, self._settings.epochs * self._steps, note
        )
        self._progress.advance(f"epoch {epoch + 1}/{self._settings.epochs}", done, self._steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Scores the epoch, writes checkpoint and history, and stops a training that stalled."""
        rate = float(self._trainer.optimizer.learning_rate)
        with averaged_weights(self._trainer):
            row, best = self._score(epoch, logs, rate)
        save_checkpoint(self._folder / CHECKPOINT, self._trainer, self._history, self._data)
        write_history(self._folder / HISTORY, self._history)
        self._tell(row, best)
        if self.has_stalled():
            self._progress.say(f"no better {self._monitor} for {self._patience} epochs: done")
            self._trainer.stop_training = True

    def _score(self, epoch: int, logs: dict[str, float] | None, rate: float) -> tuple[Row, bool]:
        """Validates, adds the row of the epoch to the history, and saves the model if it is best.

        Returns the row, and whether it is the best.
        """
        figures = self._validate()
        row = {
            "epoch": float(epoch + 1),
            "loss": float((logs or {})["loss"]),
            "learning_rate": rate,
            **figures,
        }
        for name, value in row.items():
            if not math.isfinite(value):
                raise InputError(
                    f"Training must stay finite. Received {name} {value} in epoch {epoch + 1}. "
                    "Lower training.learning_rate, or set training.clip_norm=1."
                )
        if logs is not None:
            logs.update(figures)  # for later callbacks
        self._history.append(row)
        best = best_row(self._history, self._monitor) is row
        if best:
            self._save_best(row)
        return row, best

    def _tell(self, row: Row, best: bool) -> None:
        done = len(self._history)
        left = (
            (time.monotonic() - self._started)
            / (done - self._first)
            * (self._settings.epochs - done)
        )
        figures = "  ".join(
            f"{k} {v:.3f}" for k, v in row.items() if k not in ("epoch", "learning_rate")
        )
        mark = "  best so far" if best else ""
        minutes, seconds = divmod(round(left), 60)
        self._progress.say(
            f"epoch {done}/{self._settings.epochs}  {figures}  ({minutes}:{seconds:02} left){mark}"
        )


@contextmanager
def averaged_weights(trainer: keras.Model) -> Iterator[None]:
    """Replaces the weights by their moving average inside the context, if the optimiser has one.

    Args:
        trainer: Compiled model.
    """
    if not trainer.optimizer.use_ema:
        yield
        return
    averages = trainer.optimizer._model_variables_moving_average
    kept = [keras.ops.convert_to_numpy(variable) for variable in trainer.trainable_variables]
    for variable, average in zip(trainer.trainable_variables, averages, strict=True):
        variable.assign(keras.ops.convert_to_numpy(average))
    try:
        yield
    finally:
        for variable, value in zip(trainer.trainable_variables, kept, strict=True):
            variable.assign(value)
