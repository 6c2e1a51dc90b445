"""Reruns of a tuning: its best settings and the defaults, trained with other seeds.

The best of many trials owes some of its score to chance. These trainings were not chosen by their
score.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from optuna import Study, Trial, TrialPruned
from optuna.trial import FrozenTrial, TrialState

from segment.core.tuning.loop import POLL, run_one, run_trials
from segment.core.tuning.search import Plan
from segment.core.tuning.study import running_trials
from segment.core.tuning.trainer import DEFAULTS, Trainer
from segment.core.tuning.trials import PROBLEM

Pair = tuple[int, int]
"""Number of a trial, or DEFAULTS, and a seed."""
Train = Callable[[int, int], tuple[str, float]]
"""Function that trains a pair. It returns the part that was scored, and the score."""
_PAIR, _PART = "pair", "part"  # user attributes


@dataclass(frozen=True)
class Reruns:
    """Scores of the defaults and of the best settings, a pair for each seed.

    Attributes:
        part: Part of the data that was scored, "test" or "validation".
        seeds: Seeds for which both trainings succeeded.
        defaults: Score of the defaults for each seed.
        best: Score of the best settings for each seed.
        problems: Messages about trainings that failed. Their seeds are left out.
    """

    part: str
    seeds: list[int]
    defaults: list[float]
    best: list[float]
    problems: list[str]

    @property
    def gain(self) -> float:
        """Mean difference between the scores of the best settings and of the defaults."""
        return sum(self._differences) / len(self.best)

    @property
    def error(self) -> float | None:
        """Standard error of the gain; None with fewer than two seeds."""
        count = len(self.best)
        if count < 2:
            return None
        squares = sum((difference - self.gain) ** 2 for difference in self._differences)
        return math.sqrt(squares / (count - 1) / count)

    @property
    def _differences(self) -> list[float]:
        return [best - default for best, default in zip(self.best, self.defaults, strict=True)]

    def __str__(self) -> str:
        """Returns the gain, its standard error, and the mean scores."""
        error = (
            ""
            if self.error is None
            else f" ± {self.error:.3f} (standard error, {len(self.best)} seeds)"
        )
        means = (sum(scores) / len(scores) for scores in (self.defaults, self.best))
        return "gain on {}: {:+.3f}{}, from {:.3f} to {:.3f}".format(
            self.part, round(self.gain, 3) + 0.0, error, *means
        )


def confirmation_of(name: str) -> str:
    """Returns the name of the study that confirms the best trial of another study.

    Args:
        name: Name of the other study.

    Returns:
        Name of the confirming study.
    """
    return f"{name}/confirmation"


@dataclass(frozen=True)
class Confirmation:
    """Trainings that confirm a trial: the defaults and its settings, with each seed.

    Attributes:
        study: Study that keeps these trainings, separate from that of the trial.
        best: Number of the trial.
        seeds: Seeds to train with.
        since: Number of trainings that the study had when the command began. Earlier ones that
            failed are tried again.
    """

    study: Study
    best: int
    seeds: Sequence[int]
    since: int = 0

    @classmethod
    def of(cls, study: Study, runs: Study, plan: Plan) -> "Confirmation | None":
        """Returns the confirmation of the best trial of a study.

        Args:
            study: The study.
            runs: Study that keeps the reruns.
            plan: What is trained, and how often.

        Returns:
            The confirmation; None if none is wanted or no trial is complete.
        """
        count, first = plan.search.confirmations, plan.task.seed + plan.search.repeats
        if not count or not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            return None
        return cls(runs, study.best_trial.number, range(first, first + count), plan.reruns)

    @property
    def pairs(self) -> list[Pair]:
        """All trainings."""
        return [(number, seed) for seed in self.seeds for number in (DEFAULTS, self.best)]

    @property
    def missing(self) -> list[Pair]:
        """Trainings that have neither a score nor failed."""
        done = self._scored.keys() | {_pair_of(trial) for trial in self._failed}
        return [pair for pair in self.pairs if pair not in done]

    @property
    def free(self) -> list[Pair]:
        """Missing trainings that no process is running."""
        running = [_pair_of(trial) for trial in running_trials(self.study)]  # before the missing
        return [pair for pair in self.missing if pair not in running]

    def conclude(self) -> Reruns | None:
        """Collects the scores of all seeds.

        Returns:
            The scores; None if no seed has both its scores.
        """
        scored = self._scored
        seeds = [s for s in self.seeds if {(DEFAULTS, s), (self.best, s)} <= scored.keys()]
        if not seeds:
            return None
        return Reruns(
            part=str(scored[DEFAULTS, seeds[0]].user_attrs[_PART]),
            seeds=seeds,
            defaults=[float(scored[DEFAULTS, seed].value or 0) for seed in seeds],
            best=[float(scored[self.best, seed].value or 0) for seed in seeds],
            problems=[describe_rerun(trial) for trial in self._failed],
        )

    @property
    def _scored(self) -> dict[Pair, FrozenTrial]:
        ended = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return {pair: trial for trial in reversed(ended) if (pair := _pair_of(trial))}

    @property
    def _failed(self) -> list[FrozenTrial]:
        return [
            trial
            for trial in self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
            if trial.number >= self.since
            and PROBLEM in trial.user_attrs
            and _pair_of(trial) in self.pairs
        ]


def run_study(trainer: Trainer, runs: Study, watch: Callable[[], None]) -> None:
    """Runs the trials of a study and the reruns of the best of them, until all have ended.

    Several processes can share the work.

    Args:
        trainer: Trains for the study.
        runs: Study that keeps the reruns.
        watch: Called before each training and while other processes are waited for. An exception
            that it raises ends the work.
    """
    run_trials(trainer, watch)
    if confirmation := Confirmation.of(trainer.study, runs, trainer.plan):
        confirm(confirmation, trainer.rerun, watch)


def confirm(confirmation: Confirmation, train: Train, watch: Callable[[], None]) -> None:
    """Trains what is missing of a confirmation. Several processes can share the work.

    Args:
        confirmation: The trainings.
        train: Trains a pair.
        watch: Called as in `run_study`.
    """
    study = confirmation.study
    while True:
        watch()
        if confirmation.free:
            run_one(study, partial(_train_pair, confirmation, train))
        elif confirmation.missing:
            time.sleep(POLL)
        else:
            return


def describe_rerun(trial: FrozenTrial) -> str:
    """Describes a training of a confirmation that has ended.

    Args:
        trial: Trial of the confirming study.

    Returns:
        A line; empty if the training was stopped, or skipped because another process runs it.
    """
    if not (pair := _pair_of(trial)):
        return ""
    number, seed = pair
    what = f"{'defaults' if number == DEFAULTS else f'trial {number}'} with seed {seed}"
    if PROBLEM in trial.user_attrs:
        return f"{what} failed: {trial.user_attrs[PROBLEM]}"
    if trial.state == TrialState.COMPLETE:
        return f"{what}: {trial.user_attrs[_PART]} {trial.value:.3f}"
    return ""


def _train_pair(confirmation: Confirmation, train: Train, trial: Trial) -> float:
    free, pairs = confirmation.free, confirmation.pairs
    turn = (trial.number - confirmation.since) % len(
        pairs
    )  # not all processes begin with the first
    pair = next((pair for pair in pairs[turn:] + pairs[:turn] if pair in free), None)
    if pair is None:  # other processes began all that was missing
        raise TrialPruned
    trial.set_user_attr(_PAIR, list(pair))
    earlier = [t for t in running_trials(confirmation.study) if t.number < trial.number]
    if pair in map(_pair_of, earlier):
        raise TrialPruned
    part, score = train(*pair)
    trial.set_user_attr(_PART, part)
    return score


def _pair_of(trial: FrozenTrial) -> Pair | None:
    pair = trial.user_attrs.get(_PAIR)
    return pair and (pair[0], pair[1])
