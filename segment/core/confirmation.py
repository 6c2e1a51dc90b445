"""What the best settings of a study are worth: trained again with other seeds, beside the defaults.

The best of many trials owes some of its score to luck; these trainings were not chosen by theirs.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segment.core.errors import InputError
from segment.core.report import REPORT_FILE
from segment.core.study import PROBLEM, quiet_optuna
from segment.core.trials import Task, TrialFailed

if TYPE_CHECKING:
    from optuna import Study, Trial

DEFAULTS = -1
"""Stands where the number of a trial would."""
_PART, _POLL = "part", 2.0


@dataclass(frozen=True)
class Confirmation:
    """Scores of the defaults and of the best settings, a pair for each seed, on the part of the data that is named."""

    part: str
    defaults: list[float]
    best: list[float]

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
    was scored and the score. tell: called with a line for each training. None when a training failed.
    """
    from optuna.storages import fail_stale_trials
    from optuna.trial import TrialState

    def objective(trial: "Trial") -> float:
        number, seed = trial.suggest_int("trial", DEFAULTS, 10**6), trial.suggest_int("seed", 0, 2**32 - 1)
        what = "defaults" if number == DEFAULTS else f"trial {number}"
        try:
            part, score = train(number, seed)
        except (TrialFailed, InputError) as error:
            trial.set_user_attr(PROBLEM, str(error))
            tell(f"{what} with seed {seed}: failed: {error}")
            raise TrialFailed(str(error)) from error
        trial.set_user_attr(_PART, part)
        tell(f"{what} with seed {seed}: {part} {score:.3f}")
        return score

    wanted = [{"trial": number, "seed": seed} for seed in seeds for number in (DEFAULTS, best)]
    while True:
        trials = study.get_trials(deepcopy=False)
        ended = [t for t in trials if t.state == TrialState.COMPLETE or PROBLEM in t.user_attrs]
        missing = [pair for pair in wanted if all(t.params != pair for t in ended)]
        if not missing:
            break
        begun = [t.params for t in trials if t.state == TrialState.RUNNING]
        free = [pair for pair in missing if pair not in begun]
        if free:
            study.enqueue_trial(free[0])
            study.optimize(objective, n_trials=1, catch=(TrialFailed,))
        else:  # other processes are at it, unless they were killed
            with quiet_optuna():
                fail_stale_trials(study)
            time.sleep(_POLL)
    scores = {(t.params["trial"], t.params["seed"]): t for t in ended if t.value is not None}
    if len(scores.keys() & {(pair["trial"], pair["seed"]) for pair in wanted}) < len(wanted):
        return None
    found = [[scores[number, seed] for seed in seeds] for number in (DEFAULTS, best)]
    part = str(found[0][0].user_attrs[_PART])
    defaults, best_scores = ([float(t.value or 0) for t in trials] for trials in found)
    return Confirmation(part, defaults, best_scores)


def final_score(folder: Path, task: Task) -> tuple[str, float]:
    """Of a finished run folder: the test's score, or, where there is no test part, that of validation; the part first."""
    found: dict[str, Any] = json.loads((folder / REPORT_FILE).read_text())
    part, figures = ("test", found["test"]) if found["test"] else ("validation", found)
    return part, next(figures[key] for key in task.scores.values() if key in figures)
