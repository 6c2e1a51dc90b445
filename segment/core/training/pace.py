"""Pace of a training: how long its steps and validations take on this machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from segment.core.common_settings import TrainingSettings
from segment.core.training.devices import Devices
from segment.core.training.optimizers import Phase, compile_phase
from segment.core.training.session import Training
from segment.core.training.shared_batches import FixedSteps

Clock = Callable[[], float]
"""Returns seconds, as `time.monotonic` does."""

_STEPS, _UNMEASURED = 10, 2  # the first steps are slower, as they compile the network
_SHARE = 0.05  # of the minutes, for the measured steps of a phase, or for a second validation


@dataclass(frozen=True)
class Pace:
    """How long a training takes on this machine, seconds.

    Attributes:
        step: One step, the mean over the epochs of all phases.
        validation: One validation.
        spent: What the measurement itself took.
    """

    step: float
    validation: float
    spent: float = 0.0


def measure_pace(
    training: Training,
    phases: Sequence[Phase],
    settings: TrainingSettings,
    devices: Devices,
    clock: Clock,
) -> Pace:
    """Measures steps of each phase and a validation, and restores the weights afterwards.

    Args:
        training: What is trained, on what.
        phases: Phases of the training.
        settings: Settings of the training.
        devices: Devices that compute the gradients.
        clock: Returns seconds.

    Returns:
        The pace.
    """
    network = training.network
    before = [keras.ops.convert_to_numpy(variable) for variable in network.variables]
    began, step = clock(), 0.0
    for phase in phases:
        phase.freeze()
        steps = len(training.dataset)
        model = compile_phase(network, training.loss, phase, settings, steps, devices)
        seconds = _time_steps(model, training.dataset, devices, settings.minutes, clock)
        step += seconds * phase.epochs / settings.epochs
        devices.copy_back(model, network)
    validation = _time_validation(training, settings.minutes, clock)
    ended = clock()
    for variable, value in zip(network.variables, before, strict=True):
        variable.assign(value)
    return Pace(step, validation, ended - began)


def _time_validation(training: Training, minutes: float, clock: Clock) -> float:
    """Returns seconds of a validation: of a second one, since the first compiles the network.

    It is not repeated where it is so long that compiling hardly counts.
    """
    seconds = list[float]()
    for _ in range(2):
        began = clock()
        training.validate()
        seconds.append(clock() - began)
        if seconds[0] > 60 * minutes * _SHARE:
            break
    return min(seconds)


def _time_steps(
    model: keras.Model, batches: Any, devices: Devices, minutes: float, clock: Clock
) -> float:
    """Returns seconds of a step, without those that compile the network. Changes the weights."""
    timer = _Timer(clock, clock() + 60 * minutes * _SHARE)
    devices.fit(model, FixedSteps(batches, _STEPS), 0, timer)
    ends = timer.ends[min(_UNMEASURED, len(timer.ends) - 1) - 1 :]
    return (ends[-1] - ends[0]) / (len(ends) - 1)


class _Timer(keras.callbacks.Callback):
    """Notes when steps end, and ends the training at the second step after a time."""

    def __init__(self, clock: Clock, latest: float):
        super().__init__()
        self._clock, self._latest, self.ends = clock, latest, list[float]()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        float((logs or {}).get("loss", 0))  # waits for the device
        self.ends.append(self._clock())
        if self.ends[-1] > self._latest and len(self.ends) >= 2:
            self.model.stop_training = True
