"""Reruns of a tuning: its best settings and the defaults, trained with other seeds.

The best of many trials owes some of its score to chance. These trainings were not chosen by their
score.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segment.core.errors import InputError
from segment.core.reports.page import REPORT_FILE
from segment.core.tuning.study import fail_dead_trials, run_one
from segment.core.tuning.trials import PROBLEM, Task, TrialFailed

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

DEFAULTS = -1
"""Used in place of the number of a trial for the default settings."""
Pair = tuple[int, int]
"""Number of a trial, or DEFAULTS, and a seed."""
Train = Callable[[int, int], tuple[str, float]]
"""Function that trains a pair. It returns the part that was scored, and the score."""
POLL = 2.0
"""Seconds between checks of what other processes do."""
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
        variance = sum((difference - self.gain) ** 2 for difference in self._differences) / (
            count - 1
        )
        return math.sqrt(variance / count)

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


class Pairs:
    """Trainings that confirm a trial: the defaults and its settings, with each seed.

    Args:
        study: Study that keeps these trainings, separate from that of the trial.
        best: Number of the trial.
        seeds: Seeds to train with.
        tell: Called with a line for each training that ended in this process.
    """

    def __init__(
        self, study: "Study", best: int, seeds: Sequence[int], tell: Callable[[str], None]
    ):
        self._study, self._best, self._seeds, self._tell = study, best, seeds, tell
        self._problems: dict[Pair, str] = {}

    def __len__(self) -> int:
        """Returns the number of trainings."""
        return 2 * len(self._seeds)

    @property
    def missing(self) -> list[Pair]:
        """Trainings that have neither a score nor failed in this process."""
        pairs = [(number, seed) for seed in self._seeds for number in (DEFAULTS, self._best)]
        return [
            pair for pair in pairs if not _scored(self._study, pair) and pair not in self._problems
        ]

    @property
    def free(self) -> list[Pair]:
        """Missing trainings that no process is running."""
        running = [_pair_of(trial) for trial in fail_dead_trials(self._study)]
        return [pair for pair in self.missing if pair not in running]

    def note(self, trial: "FrozenTrial") -> None:
        """Reports the result of a training. One that failed no longer counts as missing.

        Args:
            trial: Trial of the confirming study that has ended.
        """
        if not (pair := _pair_of(trial)):
            return
        what = f"{'defaults' if pair[0] == DEFAULTS else f'trial {pair[0]}'} with seed {pair[1]}"
        if PROBLEM in trial.user_attrs:
            self._problems[pair] = f"{what} failed: {trial.user_attrs[PROBLEM]}"
            self._tell(self._problems[pair])
        elif _PART in trial.user_attrs:
            self._tell(f"{what}: {trial.user_attrs[_PART]} {trial.value:.3f}")

    def conclude(self) -> Reruns | None:
        """Collects the scores of all seeds.

        Returns:
            The scores; None if no seed has both its scores.
        """
        found = [
            (seed, _scored(self._study, (DEFAULTS, seed)), _scored(self._study, (self._best, seed)))
            for seed in self._seeds
        ]
        both = [(seed, default, tuned) for seed, default, tuned in found if default and tuned]
        if not both:
            return None
        return Reruns(
            part=str(both[0][1].user_attrs[_PART]),
            seeds=[seed for seed, _, _ in both],
            defaults=[float(default.value or 0) for _, default, _ in both],
            best=[float(tuned.value or 0) for _, _, tuned in both],
            problems=list(self._problems.values()),
        )


def confirm(
    study: "Study", best: int, seeds: Sequence[int], train: Train, tell: Callable[[str], None]
) -> Reruns | None:
    """Trains the defaults and the settings of trial `best` with each seed.

    Trainings that have a score already are not repeated. Several processes can share the work.

    Args:
        study: Study that keeps the scores, separate from that of the trial.
        best: Number of the trial.
        seeds: Seeds to train with.
        train: Trains a pair.
        tell: Called with a line for each training.

    Returns:
        The scores; None if no seed has both its scores.
    """
    pairs = Pairs(study, best, seeds, tell)
    while pairs.missing:
        if free := pairs.free:
            run_one(study, partial(train_pair, study, free[0], train), pairs.note)
        else:
            time.sleep(POLL)
    return pairs.conclude()


def train_pair(study: "Study", pair: Pair, train: Train, trial: "Trial") -> float:
    """Trains a pair as a trial of the confirming study.

    Args:
        study: Study that keeps the scores.
        pair: Number of the trial to confirm, or DEFAULTS, and a seed.
        train: Trains the pair.
        trial: Trial of the confirming study.

    Returns:
        The score.

    Raises:
        TrialFailed: If another process began the same pair first, or the training fails.
    """
    trial.set_user_attr(_PAIR, list(pair))
    if any(
        _pair_of(other) == pair and other.number < trial.number for other in fail_dead_trials(study)
    ):
        raise TrialFailed("another process is at it")
    try:
        part, score = train(*pair)
    except (TrialFailed, InputError) as error:
        trial.set_user_attr(PROBLEM, str(error))
        raise TrialFailed(str(error)) from error
    trial.set_user_attr(_PART, part)
    return score


def _pair_of(trial: "FrozenTrial") -> Pair | None:
    number, seed = trial.user_attrs.get(_PAIR, (None, None))
    return None if number is None else (number, seed)


def _scored(study: "Study", pair: Pair) -> "FrozenTrial | None":
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((trial for trial in ended if _pair_of(trial) == pair), None)


def final_score(folder: Path, task: Task) -> tuple[str, float]:
    """Reads the final score of a finished run folder.

    Args:
        folder: Run folder.
        task: What was trained; it names the scores.

    Returns:
        The part and its score. The part is "test", or "validation" if there is no test part.

    Raises:
        TrialFailed: If there is no score because no image of the part has a label.
    """
    found: dict[str, Any] = json.loads((folder / REPORT_FILE).read_text())
    part, figures = ("test", found["test"]) if found["test"] else ("validation", found)
    score = next(figures[key] for key in task.scores.values() if key in figures)
    if score is None:
        raise TrialFailed(f"no image of its {part} has any label")
    return part, score
