"""Where the trainings of a study are done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from segment.core.tuning.reruns import Confirmation, confirm
from segment.core.tuning.study import run_study
from segment.core.tuning.trainer import Trainer

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial


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
