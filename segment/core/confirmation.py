"""What the best settings of a study are worth: trained again with other seeds, beside the defaults.

The best of many trials owes some of its score to luck; these trainings were not chosen by theirs.
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
from segment.core.report import REPORT_FILE
from segment.core.study import fail_dead_trials, run_one
from segment.core.trials import Task, TrialFailed

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

DEFAULTS = -1
"""Stands where the number of a trial would."""
_PAIR, _PART, _POLL = "pair", "part", 2.0


@dataclass(frozen=True)
class Confirmation:
    """Scores of the defaults and of the best settings, a pair for each seed, on the part of the data that is named.

    problems: what came of trainings that failed; their seeds are left out.
    """

    part: str
    seeds: list[int]
    defaults: list[float]
    best: list[float]
    problems: list[str]

    @property
    def gain(self) -> float:
        """Mean difference."""
        return sum(self._differences) / len(self.best)

    @property
    def error(self) -> float | None:
        """Standard error of the gain; None with fewer than two seeds."""
        count = len(self.best)
        if count < 2:
            return None
        variance = sum((difference - self.gain) ** 2 for difference in self._differences) / (count - 1)
        return math.sqrt(variance / count)

    @property
    def _differences(self) -> list[float]:
        return [best - default for best, default in zip(self.best, self.defaults, strict=True)]

    def __str__(self) -> str:
        error = "" if self.error is None else f" ± {self.error:.3f} (standard error, {len(self.best)} seeds)"
        means = (sum(scores) / len(scores) for scores in (self.defaults, self.best))
        return "gain on {}: {:+.3f}{}, from {:.3f} to {:.3f}".format(self.part, round(self.gain, 3) + 0.0, error, *means)


def confirm(
    study: "Study", best: int, seeds: Sequence[int], train: Callable[[int, int], tuple[str, float]], tell: Callable[[str], None]
) -> Confirmation | None:
    """Trains the defaults and the settings of trial `best` with each seed, unless that has been done; processes share the work.

    study: where the scores are kept, one of its own. train: of a trial's number, or DEFAULTS, and a seed, gives the part that
    was scored and the score. tell: called with a line for each training. None where no seed has both its scores.
    """
    pairs, problems = [[number, seed] for seed in seeds for number in (DEFAULTS, best)], dict[str, str]()
    while missing := [pair for pair in pairs if not _scored(study, pair) and str(pair) not in problems]:
        running = [trial.user_attrs.get(_PAIR) for trial in fail_dead_trials(study)]
        free = [pair for pair in missing if pair not in running]
        if free:
            run_one(study, partial(_train_pair, study, free[0], train, tell, problems))
        else:
            time.sleep(_POLL)
    found = [(seed, _scored(study, [DEFAULTS, seed]), _scored(study, [best, seed])) for seed in seeds]
    both = [(seed, default, tuned) for seed, default, tuned in found if default and tuned]
    if not both:
        return None
    part = str(both[0][1].user_attrs[_PART])
    return Confirmation(
        part,
        seeds=[seed for seed, _, _ in both],
        defaults=[float(default.value or 0) for _, default, _ in both],
        best=[float(tuned.value or 0) for _, _, tuned in both],
        problems=list(problems.values()),
    )


def _train_pair(
    study: "Study",
    pair: list[int],
    train: Callable[[int, int], tuple[str, float]],
    tell: Callable[[str], None],
    problems: dict[str, str],
    trial: "Trial",
) -> float:
    """The score of a pair; no training where another process began with it first. Raises TrialFailed."""
    trial.set_user_attr(_PAIR, pair)
    if any(other.user_attrs.get(_PAIR) == pair and other.number < trial.number for other in fail_dead_trials(study)):
        raise TrialFailed("another process is at it")
    what = f"{'defaults' if pair[0] == DEFAULTS else f'trial {pair[0]}'} with seed {pair[1]}"
    try:
        part, score = train(*pair)
    except (TrialFailed, InputError) as error:
        problems[str(pair)] = f"{what} failed: {error}"
        tell(problems[str(pair)])
        raise TrialFailed(str(error)) from error
    trial.set_user_attr(_PART, part)
    tell(f"{what}: {part} {score:.3f}")
    return score


def _scored(study: "Study", pair: list[int]) -> "FrozenTrial | None":
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((trial for trial in ended if trial.user_attrs.get(_PAIR) == pair), None)


def final_score(folder: Path, task: Task) -> tuple[str, float]:
    """Of a finished run folder: the test's score, or, where there is no test part, that of validation; the part first."""
    found: dict[str, Any] = json.loads((folder / REPORT_FILE).read_text())
    part, figures = ("test", found["test"]) if found["test"] else ("validation", found)
    return part, next(figures[key] for key in task.scores.values() if key in figures)
