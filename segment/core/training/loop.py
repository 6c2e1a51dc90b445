"""Training loop of both packages: optimiser, epochs, the best model, checkpoints to resume from."""

import math
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from segment.core.errors import InputError, counted
from segment.core.training.checkpoints import (
    CHECKPOINT,
    load_checkpoint,
    load_history,
    save_checkpoint,
)
from segment.core.training.duration import choose_duration
from segment.core.training.history import HISTORY, Row, best_row, mean_loss, write_history
from segment.core.training.optimizers import Phase, compile_phase
from segment.core.training.pace import Clock
from segment.core.training.session import Session, Training
from segment.core.training.shared_batches import FixedSteps


def fit(training: Training, session: Session[Any], clock: Clock = time.monotonic) -> list[Row]:
    """Trains a network.

    Training ends after the epochs of the settings, or when the validation score has not improved
    for `early_stopping` epochs. The run folder gets `history.csv` and a checkpoint after each
    epoch. A training that is resumed ends as it would have without the interruption.

    Args:
        training: What is trained, on what, and how it is scored.
        session: Settings, run folder and devices.
        clock: Returns seconds, by which `training.minutes` are turned into steps.

    Returns:
        The history, one row per epoch.

    Raises:
        InputError: If a score or the loss is not finite, if a run cannot be resumed from its
            checkpoint, if minutes cannot be turned into steps on these devices, or if TensorBoard
            is asked for and not installed.
    """
    settings, devices, network = session.settings, session.devices, training.network
    checkpoint = session.folder / CHECKPOINT
    board = _tensorboard(session.folder) if settings.tensorboard else None
    history = load_history(checkpoint, training.fingerprint) if session.resume else []
    resumed, end = len(history), 0
    only = Phase(settings.epochs, settings.learning_rate)
    phases = [phase for phase in training.phases or [only] if phase.epochs]
    dataset, steps_per_epoch = training.dataset, settings.steps_per_epoch
    if settings.minutes:
        duration = choose_duration(training, phases, session, clock)
        settings, phases = duration.settings(settings), duration.shorten(phases)
        steps_per_epoch = duration.steps
    if steps_per_epoch:
        dataset = FixedSteps(dataset, steps_per_epoch)
    for phase in phases:
        start, end = end, end + phase.epochs
        if end < resumed:
            continue
        phase.freeze()
        model = compile_phase(
            training.network,
            training.loss,
            phase,
            settings,
            len(dataset),
            devices,
            training.scored,
        )
        if start < resumed:
            load_checkpoint(checkpoint, model)
            write_history(session.folder / HISTORY, history)
        if board:
            board.set_model(model)
        patience = settings.early_stopping if phase is phases[-1] else 0
        started, first = time.monotonic(), len(history)
        while len(history) < end and not _has_stalled(history, training.monitor, start, patience):
            epoch = dataset.epoch = len(history)
            steps = _Steps(session, epoch, settings.epochs, len(dataset))
            loss = devices.fit(model, dataset, epoch, steps)
            devices.copy_back(model, network)
            row = {
                "epoch": epoch + 1.0,
                "loss": loss,
                "learning_rate": float(model.optimizer.learning_rate),
                **training.validate(),
            }
            _require_finite(row)
            history.append(row)
            is_best = best_row(history, training.monitor) is row
            if is_best:
                training.save_best(row)
            steps.restore_weights()
            save_checkpoint(checkpoint, model, history, training.fingerprint)
            write_history(session.folder / HISTORY, history)
            if board:
                board.on_epoch_end(epoch, {k: v for k, v in row.items() if k != "epoch"})
            each = (time.monotonic() - started) / (len(history) - first)
            left = each * (settings.epochs - len(history))
            best = "  best so far" if is_best else ""
            session.progress.say(_describe(row, settings.epochs, left) + best)
        if _has_stalled(history, training.monitor, start, patience):
            session.progress.say(
                f"no better {training.monitor} for {counted(patience, 'epoch')}: done"
            )
        # as Keras ends a training: the next phase starts from the moving average, if there is one
        model.optimizer.finalize_variable_values(model.trainable_variables)
        devices.copy_back(model, network)
    dataset.epoch = len(history)
    if board:
        board.on_train_end()
    return history


def _has_stalled(history: Sequence[Row], monitor: str, start: int, patience: int) -> bool:
    """Checks if the best epoch and the start of the phase are `patience` epochs ago."""
    if not patience or not history:
        return False
    best = history.index(best_row(history, monitor)) + 1
    return len(history) - max(best, start) >= patience


def _require_finite(row: Row) -> None:
    for name, value in row.items():
        if not math.isfinite(value):
            raise InputError(
                f"Training diverged: {name} is {value} in epoch {row['epoch']:g}. Lower"
                " training.learning_rate, or set training.clip_norm=1."
            )


def _tensorboard(folder: Path) -> keras.callbacks.TensorBoard:
    if find_spec("tensorboard") is None:
        raise InputError(
            "training.tensorboard: tensorboard is not installed. Run: pip install"
            " 'aerial-segment[tensorboard]'"
        )
    return keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False)


class _Steps(keras.callbacks.Callback):
    """Reports the steps of an epoch, and keeps the weights behind their moving average.

    When a fit ends, Keras replaces the weights by their moving average, if the optimiser has one.
    """

    def __init__(self, session: Session[Any], epoch: int, epochs: int, steps: int):
        super().__init__()
        self._progress, self._epochs = session.progress, epochs
        self._epoch, self._steps, self._weights = epoch, steps, list[NDArray[Any]]()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        done, note = batch + 1, f"loss {mean_loss(logs or {'loss': math.nan}):.3f}"
        whole = self._epoch * self._steps + done
        self._progress.advance("training", whole, self._epochs * self._steps, note)
        self._progress.advance(f"epoch {self._epoch + 1}/{self._epochs}", done, self._steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.model.optimizer.use_ema:
            variables = self.model.trainable_variables
            self._weights = [keras.ops.convert_to_numpy(variable) for variable in variables]

    def restore_weights(self) -> None:
        """Puts the weights back that the moving average has replaced."""
        for variable, weight in zip(self.model.trainable_variables, self._weights, strict=False):
            variable.assign(weight)


def _describe(row: Row, epochs: int, seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    scores = (f"{k} {v:.3f}" for k, v in row.items() if k not in ("epoch", "learning_rate"))
    return f"epoch {row['epoch']:g}/{epochs}  {'  '.join(scores)}  ({minutes}:{seconds:02} left)"
