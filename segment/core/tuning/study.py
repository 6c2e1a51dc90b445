"""Studies: trials of settings in a database, which processes share and which outlives them."""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import optuna
from optuna import Study
from optuna.pruners import BasePruner, MedianPruner
from optuna.samplers import BaseSampler
from optuna.storages import fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

from segment.core.errors import InputError, counted
from segment.core.tuning.storage import open_storage, quiet_optuna, unusable
from segment.core.tuning.trials import PROBLEM

TWIN = "as trial"
"""User attribute of a skipped trial: number of an earlier trial with the same settings."""
SURPLUS = "surplus"
"""User attribute of a trial that was ended untrained because others were begun just before it."""
_BELONGS = "belongs"
# tries, and longest pause in seconds: two processes cannot create tables at once
_OPENINGS, _PAUSE = 5, 1.0
_STILLBORN = 90  # seconds after which a trial without settings and attributes has failed
# when such trials were first seen, by study and number of the trial
_seen_empty: dict[tuple[str, int], float] = {}
_HOPELESS = 3  # failed trials, without any success, that end a study


def open_study(
    storage: str,
    name: str,
    belongs: Mapping[str, Any],
    sampler: BaseSampler | None = None,
    patience: int = 1,
) -> Study:
    """Opens a study, whose score is maximised, and creates it if it does not exist.

    Args:
        storage: URL of a database, as SQLAlchemy takes it.
        name: Name of the study.
        belongs: What the study is about, plain values by name. They must not change later.
        sampler: Chooses the settings of trials; None where it is not asked.
        patience: Epochs after which a trial may be stopped, if earlier trials had better scores at
            the same epoch.

    Returns:
        The study.

    Raises:
        InputError: If an existing study is about something else or from another program, or if the
            database cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for attempt in range(_OPENINGS):
        try:
            study = optuna.create_study(
                storage=open_storage(storage),
                study_name=name,
                direction="maximize",
                load_if_exists=True,
                sampler=sampler,
                pruner=_pruner(patience),
            )
            known = study.user_attrs.get(_BELONGS)
            if known is None and not study.get_trials(deepcopy=False):
                known = dict(belongs)
                study.set_user_attr(_BELONGS, known)
            break
        except Exception as error:  # errors of SQLAlchemy and of the database's driver
            if attempt == _OPENINGS - 1:
                raise unusable(storage, error) from error
            time.sleep(_PAUSE * random.random())
    if known is None:
        raise InputError(f"--study: {name!r} is a study of another program. Choose another name.")
    for key in sorted(known.keys() | belongs.keys()):
        before, now = known.get(key), belongs.get(key)
        if before != now:
            raise InputError(
                f"{key}: is {now!r}, but the study {name!r} began with {before!r}. Change it back,"
                " or choose another --output or --study."
            )
    return study


@contextmanager
def joined(
    storage: str, name: str, sampler: BaseSampler | None = None, patience: int = 1
) -> Iterator[Study]:
    """Opens a study that `open_study` has created, maybe on another machine.

    Args:
        storage: URL of a database, as SQLAlchemy takes it.
        name: Name of the study.
        sampler: Chooses the settings of trials; None where it is not asked.
        patience: Epochs after which a trial may be stopped, see `open_study`.

    Yields:
        The study. Its connections are closed at the end.

    Raises:
        InputError: If the database cannot be used here or does not have the study.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        place = open_storage(storage, make_tables=False)
        study = optuna.load_study(
            study_name=name, storage=place, sampler=sampler, pruner=_pruner(patience)
        )
    except KeyError as error:
        raise unusable(storage, ValueError(f"no study {name!r}")) from error
    except Exception as error:  # errors of SQLAlchemy and of the database's driver
        raise unusable(storage, error) from error
    try:
        yield study
    finally:
        place.remove_session()
        place.engine.dispose()


def _pruner(patience: int) -> BasePruner:
    return MedianPruner(n_startup_trials=5, n_warmup_steps=patience, n_min_trials=3)


def running_trials(study: Study) -> list[FrozenTrial]:
    """Fails the trials whose process has ended, and returns those that are still running.

    Optuna fails those whose process sends no heartbeat any more, and queues their settings again.

    Args:
        study: Study of the trials.

    Returns:
        The running trials, those of this process among them.
    """
    with quiet_optuna():
        fail_stale_trials(study)
    found = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # by the clock of this machine: that of the machine which began the trial may differ
        seen = _seen_empty.setdefault((study.study_name, trial.number), time.monotonic())
        if trial.params or trial.user_attrs or time.monotonic() - seen < _STILLBORN:
            found.append(trial)
        else:  # its process was killed before the first heartbeat, which Optuna waits for
            fail_trial(study, trial)
    return found


def fail_trial(study: Study, trial: FrozenTrial) -> None:
    """Fails a running trial, unless it has just ended.

    Args:
        study: Study of the trial.
        trial: The trial.
    """
    with suppress(ValueError, RuntimeError):
        study.tell(trial.number, state=TrialState.FAIL)


def listed_trials(study: Study) -> list[FrozenTrial]:
    """Returns the trials that reports list.

    Args:
        study: Study of the trials.

    Returns:
        All trials but those that ended untrained because enough others were begun.
    """
    trials = study.get_trials(deepcopy=False)
    return [t for t in trials if t.state != TrialState.FAIL or SURPLUS not in t.user_attrs]


def ended_trials(study: Study) -> list[FrozenTrial]:
    """Returns the trials that have ended.

    Args:
        study: Study of the trials.

    Returns:
        Complete, pruned and failed trials, but not those whose process was stopped.
    """
    return [trial for trial in study.get_trials(deepcopy=False) if has_ended(trial)]


def has_ended(trial: FrozenTrial) -> bool:
    """Checks whether a trial has ended by itself.

    Args:
        trial: Any trial.

    Returns:
        Whether it is complete, pruned or failed. One whose process was stopped has not ended.
    """
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or (
        trial.state == TrialState.FAIL and PROBLEM in trial.user_attrs
    )


def require_success(study: Study) -> None:
    """Checks that not all of the first trials have failed.

    Args:
        study: Study of the trials.

    Raises:
        InputError: If three or more trials have ended, and all of them failed.
    """
    ended = ended_trials(study)
    if len(ended) >= _HOPELESS and all(PROBLEM in trial.user_attrs for trial in ended):
        raise InputError(
            f"All {len(ended)} trials failed. Last error: {ended[-1].user_attrs[PROBLEM]}"
        )


def score_of(trial: FrozenTrial) -> float | None:
    """Returns the score of a trial's best epoch, whether it was stopped early or not.

    Args:
        trial: Any trial.

    Returns:
        The score; None if no epoch has ended.
    """
    if trial.state == TrialState.COMPLETE:
        return trial.value
    return max(trial.intermediate_values.values(), default=None)


def outcome_of(trial: FrozenTrial) -> str:
    """Describes how a trial ended, beyond its score.

    Args:
        trial: Any trial.

    Returns:
        The description; empty if there is nothing to add to the score.
    """
    epochs = len(trial.intermediate_values)
    how = {
        TrialState.PRUNED: f"stopped after {counted(epochs, 'epoch')}" if epochs else "skipped",
        TrialState.FAIL: f"failed: {trial.user_attrs.get(PROBLEM, 'its process was stopped')}",
        TrialState.RUNNING: "still running",
        TrialState.WAITING: "not begun",
    }.get(trial.state, "")
    twin = trial.user_attrs.get(TWIN)
    same = "" if twin is None else f"as trial {twin}, with the same settings"
    return ", ".join(part for part in (how, same) if part)
