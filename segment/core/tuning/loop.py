"""The loop of a study: trials, run one after the other until enough have ended.

Several processes run it on one database, which is Optuna's own way to share a study.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from optuna import Study, Trial, TrialPruned
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from segment.core.errors import InputError
from segment.core.tuning.study import SURPLUS, TWIN, ended_trials, has_ended, running_trials
from segment.core.tuning.trainer import WORKER, Trainer
from segment.core.tuning.trials import PROBLEM, TrialFailed

POLL = 1.0
"""Seconds between checks of what other processes do."""


class _Surplus(Exception):
    """Ends a trial when other processes have just begun all that are wanted."""


def run_trials(trainer: Trainer, watch: Callable[[], None]) -> None:
    """Runs trials until enough of the study have ended or the time is over, and none is running.

    Trials that other processes run are counted, too, so that no more are trained than are wanted.

    Args:
        trainer: Trains for the study.
        watch: Called before each trial and while other processes are waited for. An exception that
            it raises ends the work.
    """
    study, plan = trainer.study, trainer.plan
    while True:
        watch()
        running, ended = len(running_trials(study)), len(ended_trials(study))
        is_over = ended >= plan.search.trials or time.time() > plan.deadline
        if is_over and not running:
            return
        if not is_over and ended + running < plan.search.trials:
            run_one(study, partial(_score, trainer))
        else:
            time.sleep(POLL)


def run_one(study: Study, objective: Callable[[Trial], float]) -> None:
    """Runs one more trial of a study.

    Another process may fail it meanwhile, if this one sends no heartbeat for too long.

    Args:
        study: Study that the trial belongs to.
        objective: Returns the score of the trial. If it raises TrialFailed or InputError, the trial
            has failed.
    """

    def score(trial: Trial) -> float:
        try:
            return objective(trial)
        except (TrialFailed, InputError) as error:
            trial.set_user_attr(PROBLEM, str(error))
            raise TrialFailed from error

    try:
        study.optimize(score, n_trials=1, catch=(TrialFailed, _Surplus))
    except ValueError as error:
        if "Cannot tell" not in str(error):
            raise
    except (UnboundLocalError, AssertionError) as error:
        # raised by Optuna as it handles another error
        cause = error.__context__
        while isinstance(cause, UnboundLocalError | AssertionError):
            cause = cause.__context__
        raise cause or error from None


def _score(trainer: Trainer, trial: Trial) -> float:
    """Trains with the settings that are chosen for a trial, unless an earlier trial has them.

    The same settings and seeds would give the same score. Processes may begin trials at the same
    moment: only those that are preceded by fewer than are wanted are trained.
    """
    earlier = [t for t in trainer.study.get_trials(deepcopy=False) if t.number < trial.number]
    # waiting ones, too: they may be begun at this moment
    before = sum(has_ended(t) or not t.state.is_finished() for t in earlier)
    if before >= trainer.plan.search.trials:
        trial.set_user_attr(SURPLUS, True)
        raise _Surplus
    trial.set_user_attr(WORKER, [trainer.plan.command, trainer.worker])
    values = _suggest(trial, trainer.plan.distributions)
    if twin := _find_twin(earlier, values):
        trial.set_user_attr(TWIN, twin.number)
        if PROBLEM in twin.user_attrs:
            raise TrialFailed(twin.user_attrs[PROBLEM])
        if twin.state != TrialState.COMPLETE:
            raise TrialPruned
        return float(twin.value or 0)
    return trainer.attempt(trial, values)


def _find_twin(earlier: Sequence[FrozenTrial], values: Mapping[str, Any]) -> FrozenTrial | None:
    """Returns the first earlier trial with the same values that ended or is running."""
    return next(
        (
            other
            for other in earlier
            if other.params == values and (other.state == TrialState.RUNNING or has_ended(other))
        ),
        None,
    )


def _suggest(trial: Trial, distributions: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, wanted in distributions.items():
        if isinstance(wanted, CategoricalDistribution):
            values[name] = trial.suggest_categorical(name, wanted.choices)
        elif isinstance(wanted, IntDistribution):
            values[name] = trial.suggest_int(name, wanted.low, wanted.high, log=wanted.log)
        else:
            assert isinstance(wanted, FloatDistribution)
            values[name] = trial.suggest_float(name, wanted.low, wanted.high, log=wanted.log)
    return values
