"""Training for a study: its trials, and the reruns of the best of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from optuna import Study, Trial, TrialPruned

from segment.core.config import change_settings
from segment.core.progress import Progress
from segment.core.tuning.search import Plan, Task, training_of
from segment.core.tuning.trials import (
    Conditions,
    TrialFailed,
    best_score,
    final_score,
    run_trial,
)

DEFAULTS = -1
"""Used in place of the number of a trial for the default settings."""
WORKER = "worker"
"""User attribute of a trial: the name of its command, and the address of its worker."""
T = TypeVar("T")


@dataclass(frozen=True)
class Trainer:
    """Runs the trainings of a study.

    Attributes:
        study: Study of the trials.
        plan: What to train, and how to search.
        folder: Folder for what trainings write, which is removed when they end.
        progress: Where progress is reported.
        conditions: Conditions under which trainings run.
        worker: Address of the worker of a cluster, which its trials keep.
    """

    study: Study
    plan: Plan
    folder: Path
    progress: Progress
    conditions: Conditions = field(default_factory=Conditions)
    worker: str = ""

    @property
    def task(self) -> Task:
        """What trials train."""
        return self.plan.task

    def attempt(self, trial: Trial, values: Mapping[str, Any]) -> float:
        """Trains with the values of a trial.

        Args:
            trial: Trial that epochs are reported to.
            values: Values of settings, by "part.key".

        Returns:
            The validation score, the mean of all repeats.

        Raises:
            TrialPruned: If earlier trials had better scores at the same epoch of their first
                repeat.
            TrialFailed: If a training does not end well.
            InputError: If the settings do not take the values.
        """

        def report(epoch: int, score: float) -> None:
            trial.report(score, epoch)
            if epoch < epochs_of(self.task, values) and trial.should_prune():
                raise TrialPruned

        scores = [self._run(f"{trial.number}", values, best_score, report)]
        for repeat in range(1, self.plan.search.repeats):
            seeds = self._seeds(self.task.seed + repeat)
            seeds[self.task.val_seed] = self.task.split_seed + repeat
            scores.append(self._run(f"{trial.number}-{repeat}", {**values, **seeds}, best_score))
        return sum(scores) / len(scores)

    def rerun(self, number: int, seed: int) -> tuple[str, float]:
        """Trains with the values of a trial, or the defaults, and another seed.

        The split is that of the study, so that no image of the test part has been used to choose
        the settings.

        Args:
            number: Number of the trial, or DEFAULTS.
            seed: Seed of the training.

        Returns:
            The part that was scored, and its final score.

        Raises:
            TrialFailed: If the training does not end well.
            InputError: If the settings do not take the values.
        """
        values = {} if number == DEFAULTS else self.study.get_trials(deepcopy=False)[number].params
        name = f"{'defaults' if number == DEFAULTS else number}-seed{seed}"
        return self._run(name, {**values, **self._seeds(seed)}, final_score)

    def _seeds(self, seed: int) -> dict[str, int]:
        return {"training.seed": seed, "data.split_seed": self.task.split_seed}

    def _run(
        self,
        name: str,
        values: Mapping[str, Any],
        score: Callable[[Path, Task], T],
        report: Callable[[int, float], None] = lambda epoch, score: None,
    ) -> T:
        epochs = epochs_of(self.task, values)

        def on_epoch(epoch: int, score: float) -> None:
            self.progress.advance(f"trial {name}", epoch, epochs, f"{score:.3f}")
            report(epoch, score)

        try:
            found: T = run_trial(
                self.task,
                values,
                self.folder / f"{self.study.study_name}-{name}",
                on_epoch=on_epoch,
                keep=lambda folder: score(folder, self.task),
                conditions=self.conditions,
            )
            return found
        except TrialFailed:
            self.conditions.check()
            raise
        finally:
            self.progress.advance(f"trial {name}", epochs, epochs)


def epochs_of(task: Task, values: Mapping[str, Any]) -> int:
    """Returns the number of epochs of a training.

    Args:
        task: What is trained.
        values: Values of settings, by "part.key".

    Returns:
        The number of epochs.

    Raises:
        InputError: If the settings do not take the values.
    """
    return int(training_of(change_settings(task.defaults, values))["epochs"])
