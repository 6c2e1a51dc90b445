"""Duration of a training: minutes turned into steps."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from segment.core.common_settings import TrainingSettings
from segment.core.errors import InputError, counted
from segment.core.outputs import staged
from segment.core.training.optimizers import Phase
from segment.core.training.pace import Clock, Pace, measure_pace
from segment.core.training.run_folder import DURATION_FILE
from segment.core.training.session import Session, Training

_FEWEST_STEPS = 20  # of an epoch, where minutes choose the number of epochs
_VALIDATION_SHARE = 0.25  # of the minutes, at most


@dataclass(frozen=True)
class Duration:
    """Minutes turned into steps.

    Attributes:
        minutes: Minutes that were asked for.
        of_epochs: Epochs of the settings, which divide the minutes if they are long enough.
        epochs: Epochs that are trained.
        steps: Steps of each.
        warmup_epochs: Warm-up, in epochs that are trained.
        phases: Epochs of each phase.
    """

    minutes: float
    of_epochs: int
    epochs: int
    steps: int
    warmup_epochs: float
    phases: list[int]

    @classmethod
    def of(cls, settings: TrainingSettings, phases: Sequence[int], pace: Pace) -> "Duration":
        """Turns minutes into epochs and steps.

        There are as many epochs as the settings have, unless they would be shorter than 20 steps or
        validation would take more than a quarter of the time: then there are fewer. Warm-up and
        phases keep their share of the training.

        Args:
            settings: Minutes, epochs and warm-up.
            phases: Epochs of each phase, 1 or more; their sum is the epochs of the settings.
            pace: Measured durations.

        Returns:
            The duration; an epoch has one step at least.
        """
        asked, minutes = settings.epochs, settings.minutes
        seconds = max(60 * minutes - pace.spent, 30 * minutes)
        step, validation = max(pace.step, 1e-9), max(pace.validation, 1e-9)
        for_steps = (1 - _VALIDATION_SHARE) * seconds
        most = min(_VALIDATION_SHARE * seconds / validation, for_steps / (_FEWEST_STEPS * step))
        epochs = int(min(asked, max(most, len(phases))))
        steps = max(1, int((seconds / epochs - validation) / step))
        lengths: list[int] = []
        for i, length in enumerate(phases[:-1]):
            spare = epochs - sum(lengths) - (len(phases) - 1 - i)
            lengths.append(min(max(1, round(length * epochs / asked)), spare))
        lengths.append(epochs - sum(lengths))
        return cls(minutes, asked, epochs, steps, settings.warmup_epochs * epochs / asked, lengths)

    def settings(self, settings: TrainingSettings) -> TrainingSettings:
        """Returns settings with these epochs and this warm-up.

        Args:
            settings: Settings of the training.

        Returns:
            The settings of a training of this duration.
        """
        changed = {"epochs": self.epochs, "warmup_epochs": self.warmup_epochs}
        return settings.model_copy(update=changed)

    def shorten(self, phases: Sequence[Phase]) -> list[Phase]:
        """Returns phases of these lengths.

        Args:
            phases: As many phases as `phases`.

        Returns:
            The phases.
        """
        return [replace(one, epochs=n) for one, n in zip(phases, self.phases, strict=True)]

    def save(self, folder: Path) -> None:
        """Writes the duration into a run folder.

        Args:
            folder: Run folder.
        """
        with staged(folder / DURATION_FILE, overwrite=True) as partial:
            partial.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def load_duration(folder: Path, settings: TrainingSettings, phases: int) -> Duration:
    """Reads the duration of a run that is resumed.

    Args:
        folder: Run folder.
        settings: Settings of the training.
        phases: Number of phases of the training.

    Returns:
        The duration.

    Raises:
        InputError: If the file is missing or broken, or the epochs of the settings are not those
            of the run.
    """
    path = folder / DURATION_FILE
    try:
        found = Duration(**json.loads(path.read_text(encoding="utf-8")))
        whole = all(isinstance(n, int) and n > 0 for n in (found.steps, *found.phases))
        if not whole or len(found.phases) != phases or sum(found.phases) != found.epochs:
            raise ValueError("its numbers do not fit together")
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(
            f"{path}: the steps of the run to resume cannot be read ({reason}). Restore the file,"
            " or train again with --overwrite."
        ) from error
    if found.of_epochs != settings.epochs:
        raise InputError(
            f"training.epochs: {settings.epochs}, but the run to resume has {found.of_epochs}, and"
            " its training.minutes are turned into steps already. Leave it unchanged."
        )
    return found


def choose_duration(
    training: Training, phases: Sequence[Phase], session: Session[Any], clock: Clock
) -> Duration:
    """Turns minutes into steps: by the file of a run that is resumed, else by measured steps.

    Args:
        training: What is trained, on what.
        phases: Phases of the training, none of them empty.
        session: Settings, run folder and devices.
        clock: Returns seconds.

    Returns:
        The duration, which is kept in the run folder.

    Raises:
        InputError: As `load_duration`, and if several machines train together.
    """
    settings, devices = session.settings, session.devices
    if session.resume:
        return load_duration(session.folder, settings, len(phases))
    if devices.machines > 1:
        raise InputError(
            f"training.minutes: {settings.minutes:g}, but {devices.machines} machines do not"
            " measure the same time. Set training.steps_per_epoch."
        )
    session.progress.say("measuring how long steps take")
    pace = measure_pace(training, phases, settings, devices, clock)
    duration = Duration.of(settings, [phase.epochs for phase in phases], pace)
    duration.save(session.folder)
    session.progress.say(
        f"training.minutes={settings.minutes:g}: {counted(duration.epochs, 'epoch')} of"
        f" {counted(duration.steps, 'step')}, at {pace.step:.2g} s a step and"
        f" {pace.validation:.2g} s a validation"
    )
    return duration
