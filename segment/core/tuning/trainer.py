"""What trains for a study: its trials, and those that confirm the best of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from segment.core.config import change_settings
from segment.core.progress import Progress
from segment.core.tuning.reruns import DEFAULTS, Confirmation, confirm, final_score
from segment.core.tuning.search import Search
from segment.core.tuning.study import run_study
from segment.core.tuning.trials import Conditions, Task, best_score, run_trial, training_of

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Trainer:
    """Trains for a study. folder: for what trainings write, which is removed after them. conditions: that they run under."""

    study: "Study"
    task: Task
    folder: Path
    search: Search
    progress: Progress
    conditions: Conditions = field(default_factory=Conditions)

    def attempt(self, trial: "Trial", values: Mapping[str, Any]) -> float:
        """The validation score of a trial's values, the mean of all repeats.

        Raises TrialPruned when those of earlier trials were better by then, in the first of their repeats.
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
            scores.append(self._run(f"{trial.number}-{repeat}", {**values, **seeds}, _look_on, self._best_score))
        mean: float = sum(scores) / len(scores)
        return mean

    def repeat(self, number: int, seed: int) -> tuple[str, float]:
        """The final score of the values of trial `number`, or the DEFAULTS, with another seed, and the part that was scored.

        The split is that of the study: no image of the test has chosen the settings.
        """
        values = {} if number == DEFAULTS else self.study.get_trials(deepcopy=False)[number].params
        seeds = {"training.seed": seed, "data.split_seed": self._split_seed}
        name = f"{'defaults' if number == DEFAULTS else number}-seed{seed}"
        found: tuple[str, float] = self._run(name, {**values, **seeds}, _look_on, lambda folder: final_score(folder, self.task))
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

    def _run(self, name: str, values: Mapping[str, Any], watch: Callable[[int, float], None], keep: Callable[[Path], Any]) -> Any:
        epochs, told = self._epochs(values), f"trial {name}"

        def show(epoch: int, score: float) -> None:
            self.progress.advance(told, epoch, epochs, f"{score:.3f}")
            watch(epoch, score)

        folder = self.folder / f"{self.study.study_name}-{name}"
        try:
            memory = self.search.memory_mb
            return run_trial(self.task, values, folder, on_epoch=show, memory_mb=memory, keep=keep, conditions=self.conditions)
        finally:
            self.progress.advance(told, epochs, epochs)


def _look_on(epoch: int, score: float) -> None:
    """Does nothing."""


class Workplace(Protocol):
    """Does what a study needs done."""

    def run_trials(self, trials: int, hours: float | None, tell: Callable[["FrozenTrial"], None]) -> None:
        """Runs trials until so many of the study have ended, or the time is over; see `run_study`."""

    def confirm(self, runs: "Study", best: int, seeds: Sequence[int], tell: Callable[[str], None]) -> Confirmation | None:
        """Trains the defaults and the settings of trial `best` with each seed; see `segment.core.tuning.reruns.confirm`."""


@dataclass(frozen=True)
class OneMachine:
    """One training after the other, started by this process."""

    study: "Study"
    distributions: Mapping[str, "BaseDistribution"]
    trainer: Trainer

    def run_trials(self, trials: int, hours: float | None, tell: Callable[["FrozenTrial"], None]) -> None:
        run_study(self.study, self.distributions, self.trainer.attempt, trials=trials, hours=hours, tell=tell)

    def confirm(self, runs: "Study", best: int, seeds: Sequence[int], tell: Callable[[str], None]) -> Confirmation | None:
        return confirm(runs, best, seeds, self.trainer.repeat, tell)
