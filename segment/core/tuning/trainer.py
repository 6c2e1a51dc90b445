"""Training for a study: its trials, and the trainings that confirm the best of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from segment.core.config import change_settings
from segment.core.progress import Progress
from segment.core.tuning.reruns import DEFAULTS, Reruns, confirm, final_score
from segment.core.tuning.search import Search
from segment.core.tuning.study import run_study
from segment.core.tuning.trials import Conditions, Task, best_score, run_trial, training_of

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Trainer:
    """Runs the trainings of a study.

    Attributes:
        study: Study of the trials.
        task: What trials train.
        folder: Folder for what trainings write, which is removed when they end.
        search: How the study searches.
        progress: Where progress is reported.
        conditions: Conditions under which trainings run.
    """

    study: "Study"
    task: Task
    folder: Path
    search: Search
    progress: Progress
    conditions: Conditions = field(default_factory=Conditions)

    def attempt(self, trial: "Trial", values: Mapping[str, Any]) -> float:
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
        from optuna import TrialPruned

        def watch(epoch: int, score: float) -> None:
            trial.report(score, epoch)
            if epoch < self._epochs(values) and trial.should_prune():
                raise TrialPruned

        scores = [self._run(f"{trial.number}", values, watch, self._best_score)]
        for repeat in range(1, self.search.repeats):
            seeds = {"training.seed": self._seed + repeat, "data.split_seed": self._split_seed}
            seeds[self.task.val_seed] = self._split_seed + repeat
            scores.append(
                self._run(
                    f"{trial.number}-{repeat}", {**values, **seeds}, _look_on, self._best_score
                )
            )
        mean: float = sum(scores) / len(scores)
        return mean

    def repeat(self, number: int, seed: int) -> tuple[str, float]:
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
        seeds = {"training.seed": seed, "data.split_seed": self._split_seed}
        name = f"{'defaults' if number == DEFAULTS else number}-seed{seed}"
        found: tuple[str, float] = self._run(
            name, {**values, **seeds}, _look_on, lambda folder: final_score(folder, self.task)
        )
        return found

    def _best_score(self, folder: Path) -> float:
        return best_score(folder, self.task)

    @property
    def _seed(self) -> int:
        return int(training_of(self.task.defaults)["seed"])

    @property
    def _split_seed(self) -> int:
        own: int | None = self.task.defaults.model_dump()["data"]["split_seed"]
        return self._seed if own is None else own

    def _epochs(self, values: Mapping[str, Any]) -> int:
        return int(training_of(change_settings(self.task.defaults, values))["epochs"])

    def _run(
        self,
        name: str,
        values: Mapping[str, Any],
        watch: Callable[[int, float], None],
        keep: Callable[[Path], Any],
    ) -> Any:
        epochs, told = self._epochs(values), f"trial {name}"

        def show(epoch: int, score: float) -> None:
            self.progress.advance(told, epoch, epochs, f"{score:.3f}")
            watch(epoch, score)

        folder = self.folder / f"{self.study.study_name}-{name}"
        try:
            memory = self.search.memory_mb
            return run_trial(
                self.task,
                values,
                folder,
                on_epoch=show,
                memory_mb=memory,
                keep=keep,
                conditions=self.conditions,
            )
        finally:
            self.progress.advance(told, epochs, epochs)


def _look_on(epoch: int, score: float) -> None:
    """Does nothing."""


class TrialExecutor(Protocol):
    """Interface for running the trainings of a study, on one machine or several."""

    def run_trials(
        self, trials: int, hours: float | None, tell: Callable[["FrozenTrial"], None]
    ) -> None:
        """Runs trials until enough of the study have ended, or the time is over.

        Args:
            trials: Number of trials that must have ended, whichever process ran them.
            hours: Hours after which no trial is begun; None for no limit.
            tell: Called with each trial that ended here.

        Raises:
            InputError: If the first trials all fail, see `run_study`.
        """

    def confirm(
        self, runs: "Study", best: int, seeds: Sequence[int], tell: Callable[[str], None]
    ) -> Reruns | None:
        """Trains the defaults and the settings of trial `best` with each seed.

        Args:
            runs: Study that keeps the scores of these trainings.
            best: Number of the best trial.
            seeds: Seeds to train with.
            tell: Called with a line for each training.

        Returns:
            The scores, see `segment.core.tuning.reruns.confirm`; None if no seed has both its
            scores.
        """


@dataclass(frozen=True)
class LocalExecutor:
    """Runs trainings one after the other, each in a child process of this one.

    Attributes:
        study: Study of the trials.
        distributions: Settings to tune, and their values.
        trainer: Runs the trainings.
    """

    study: "Study"
    distributions: Mapping[str, "BaseDistribution"]
    trainer: Trainer

    def run_trials(
        self, trials: int, hours: float | None, tell: Callable[["FrozenTrial"], None]
    ) -> None:
        """Runs trials until enough of the study have ended, or the time is over.

        Args:
            trials: Number of trials that must have ended, whichever process ran them.
            hours: Hours after which no trial is begun; None for no limit.
            tell: Called with each trial that ended here.

        Raises:
            InputError: If the first trials all fail, see `run_study`.
        """
        run_study(
            self.study,
            self.distributions,
            self.trainer.attempt,
            trials=trials,
            hours=hours,
            tell=tell,
        )

    def confirm(
        self, runs: "Study", best: int, seeds: Sequence[int], tell: Callable[[str], None]
    ) -> Reruns | None:
        """Trains the defaults and the settings of trial `best` with each seed.

        Args:
            runs: Study that keeps the scores of these trainings.
            best: Number of the best trial.
            seeds: Seeds to train with.
            tell: Called with a line for each training.

        Returns:
            The scores; None if no seed has both its scores.
        """
        return confirm(runs, best, seeds, self.trainer.repeat, tell)
