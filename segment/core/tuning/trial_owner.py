"""Marks of trials: which worker of which crew is at them, so that those of a dead one are known at once."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

_MARK = "worker"  # user attribute: the crew, and the worker's address


def marked(objective: Callable[["Trial"], float], crew: str, worker: str) -> Callable[["Trial"], float]:
    """The objective, for trials that bear a mark before anything else."""

    def score(trial: "Trial") -> float:
        trial.set_user_attr(_MARK, [crew, worker])
        return objective(trial)

    return score


def trials_of(study: "Study", crew: str) -> list["FrozenTrial"]:
    """Those that workers of a crew have begun."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get(_MARK, [None])[0] == crew]


def worker_of(trial: "FrozenTrial") -> str:
    """The address of the worker that began a trial of a crew."""
    return str(trial.user_attrs[_MARK][1])


def fail_running(study: "Study", trials: Iterable["FrozenTrial"]) -> None:
    """Fails those that still run: nobody waits for their heartbeats to end."""
    from optuna.trial import TrialState

    for trial in trials:
        if trial.state == TrialState.RUNNING:
            with suppress(ValueError, RuntimeError):  # it has just ended
                study.tell(trial.number, state=TrialState.FAIL)
