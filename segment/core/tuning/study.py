"""Studies: trials of settings in a database, which processes share and which outlives them."""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from segment.core.choices import Sampler
from segment.core.errors import InputError
from segment.core.tuning.storage import open_storage, quiet_optuna, unusable
from segment.core.tuning.trials import PROBLEM, TrialFailed

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

_BELONGS = "belongs"
_STILLBORN = 90  # seconds after which a trial without settings and attributes has failed
# when such trials were first seen, by study and number of the trial
_seen_empty: dict[tuple[str, int], float] = {}
_HOPELESS = 3  # failed trials, without any success, that end a study
_LOOK = 0.5  # seconds between checks of what other processes do
_TWIN = "as trial"  # user attribute: number of an earlier trial with the same settings
# tries, and longest pause in seconds: two processes cannot create tables at once
_OPENINGS, _PAUSE = 5, 1.0


def open_study(
    storage: str,
    name: str,
    distributions: Mapping[str, "BaseDistribution"],
    belongs: Mapping[str, Any],
    sampler: Sampler = "gp",
    seed: int = 0,
    patience: int = 1,
) -> "Study":
    """Opens a study, whose score is maximised, and creates it if it does not exist.

    Args:
        storage: URL of a database, as SQLAlchemy takes it.
        name: Name of the study.
        distributions: Settings to tune, and their values.
        belongs: What the study is about, plain values by name. They must not change later.
        sampler: Method that chooses the settings of trials.
        seed: Seed of the sampler.
        patience: Epochs after which a trial may be stopped, if earlier trials had better scores at
            the same epoch.

    Returns:
        The study.

    Raises:
        InputError: If an existing study is about something else or from another program, or if the
            database cannot be used.
    """
    import optuna

    from segment.core.tuning.samplers import build_sampler

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    chooser = build_sampler(sampler, distributions, seed)
    for attempt in range(_OPENINGS):
        try:
            study = optuna.create_study(
                storage=open_storage(storage),
                study_name=name,
                direction="maximize",
                load_if_exists=True,
                sampler=chooser,
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
        raise InputError(
            f"--study: must be a study of this toolkit. Received {name!r} of another program."
            " Choose another name."
        )
    for key in sorted(known.keys() | belongs.keys()):
        before, now = known.get(key), belongs.get(key)
        if before != now:
            raise InputError(
                f"{key}: a study goes on with what it began with. Received {now!r}, but the study"
                f" {name!r} has {before!r}. Leave it, or choose another --output or --study."
            )
    return study


@contextmanager
def joined(
    storage: str,
    name: str,
    distributions: Mapping[str, "BaseDistribution"] = MappingProxyType({}),
    sampler: Sampler = "gp",
    seed: int = 0,
    patience: int = 1,
) -> Iterator["Study"]:
    """Opens a study that `open_study` has created, maybe on another machine.

    Args:
        storage: URL of a database, as SQLAlchemy takes it.
        name: Name of the study.
        distributions: Settings to tune, and their values.
        sampler: Method that chooses the settings of trials.
        seed: Seed of the sampler.
        patience: Epochs after which a trial may be stopped, see `open_study`.

    Yields:
        The study. Its connections are closed at the end.

    Raises:
        InputError: If the database cannot be used here or does not have the study.
    """
    import optuna

    from segment.core.tuning.samplers import build_sampler

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    chooser = build_sampler(sampler, distributions, seed)
    try:
        place = open_storage(storage, make_tables=False)
        study = optuna.load_study(
            study_name=name, storage=place, sampler=chooser, pruner=_pruner(patience)
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


def _pruner(patience: int) -> "BasePruner":
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=5, n_warmup_steps=patience, n_min_trials=3)


def fail_dead_trials(study: "Study") -> list["FrozenTrial"]:
    """Fails the trials whose process has ended.

    Args:
        study: Study of the trials.

    Returns:
        The trials that are still running, those of this process among them.
    """
    from optuna.storages import fail_stale_trials
    from optuna.trial import TrialState

    with quiet_optuna():
        fail_stale_trials(study)
    found = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # by the clock of this machine: that of the machine which began the trial may differ
        seen = _seen_empty.setdefault((study.study_name, trial.number), time.monotonic())
        if trial.params or trial.user_attrs or time.monotonic() - seen < _STILLBORN:
            found.append(trial)
        else:  # its process was killed before the first heartbeat
            with suppress(ValueError, RuntimeError):  # another process was faster
                study.tell(trial.number, state=TrialState.FAIL)
    return found


def run_one(
    study: "Study",
    objective: Callable[["Trial"], float],
    tell: Callable[["FrozenTrial"], None] = lambda trial: None,
) -> None:
    """Runs one more trial of a study.

    Args:
        study: Study that the trial belongs to.
        objective: Returns the score of the trial. If it raises TrialFailed, the trial has failed.
        tell: Called with the trial when it has ended, unless another process has failed it
            meanwhile because this one sent no heartbeat for too long.
    """
    try:
        study.optimize(
            objective, n_trials=1, catch=(TrialFailed,), callbacks=[lambda _, trial: tell(trial)]
        )
    except ValueError as error:
        if "Cannot tell" not in str(error):
            raise
    except (UnboundLocalError, AssertionError) as error:
        # raised by Optuna as it handles another error
        cause = error.__context__
        while isinstance(cause, UnboundLocalError | AssertionError):
            cause = cause.__context__
        raise cause or error from None


def run_study(
    study: "Study",
    distributions: Mapping[str, "BaseDistribution"],
    attempt: Callable[["Trial", Mapping[str, Any]], float],
    *,
    trials: int,
    hours: float | None,
    tell: Callable[["FrozenTrial"], None],
) -> None:
    """Runs trials until enough of the study have ended, or the time is over.

    Args:
        study: Study that the trials belong to.
        distributions: Settings to tune, and their values.
        attempt: Trains with a trial's values, by "part.key", and returns its score. If it raises
            TrialFailed or InputError, the trial has failed, and the next one begins.
        trials: Number of trials that must have ended, whichever process ran them.
        hours: Hours after which no trial is begun; None for no limit.
        tell: Called with each trial of this process when it has ended.

    Raises:
        InputError: If the first trials all fail.
    """

    def after(trial: "FrozenTrial") -> None:
        tell(trial)
        require_hope(study)

    end = math.inf if hours is None else time.monotonic() + hours * 3600
    while len(ended_trials(study)) < trials and time.monotonic() < end:
        run_one(study, objective(study, distributions, attempt), after)


def objective(
    study: "Study",
    distributions: Mapping[str, "BaseDistribution"],
    attempt: Callable[["Trial", Mapping[str, Any]], float],
    watch: Callable[[], None] = lambda: None,
) -> Callable[["Trial"], float]:
    """Builds the function that scores a trial for `run_one`.

    It chooses settings and trains with them, unless an earlier trial had the same settings.

    Args:
        study: Study of the trials.
        distributions: Settings to tune, and their values.
        attempt: Trains with a trial's values, as in `run_study`.
        watch: Called repeatedly while other processes are waited for. An exception that it raises
            ends the trial.

    Returns:
        The objective. It raises TrialFailed if the training fails.
    """

    def score(trial: "Trial") -> float:
        values = _suggest(trial, distributions)
        try:
            twin = _await_twin(study, trial, values, watch)
            return attempt(trial, values) if twin is None else _repeat(twin, trial)
        except (TrialFailed, InputError) as error:
            trial.set_user_attr(PROBLEM, str(error))
            raise TrialFailed(str(error)) from error

    return score


def require_hope(study: "Study") -> None:
    """Checks that not all of the first trials have failed.

    Args:
        study: Study of the trials.

    Raises:
        InputError: If three or more trials have ended, and all of them failed.
    """
    ended = ended_trials(study)
    if len(ended) >= _HOPELESS and all(PROBLEM in other.user_attrs for other in ended):
        problem = ended[-1].user_attrs[PROBLEM]
        raise InputError(f"All {len(ended)} trials failed. Last error: {problem}")


def ended_trials(study: "Study") -> list["FrozenTrial"]:
    """Returns the trials that have ended.

    Args:
        study: Study of the trials.

    Returns:
        Complete, pruned and failed trials, but not those whose process was stopped.
    """
    return [trial for trial in study.get_trials(deepcopy=False) if _has_ended(trial)]


def _has_ended(trial: "FrozenTrial") -> bool:
    return trial.state.name in ("COMPLETE", "PRUNED") or (
        trial.state.name == "FAIL" and PROBLEM in trial.user_attrs
    )


def _await_twin(
    study: "Study", trial: "Trial", values: Mapping[str, Any], watch: Callable[[], None]
) -> "FrozenTrial | None":
    """Returns the first earlier trial with the same values that ended; None if there is none.

    Waits for earlier trials that are running with the same values, or still choose theirs.
    """
    while True:
        watch()
        running = [other for other in fail_dead_trials(study) if other.number < trial.number]
        twins = [
            other
            for other in study.get_trials(deepcopy=False)
            if other.params == values and other.number < trial.number
        ]
        if ended := [twin for twin in twins if _has_ended(twin)]:
            return ended[0]
        # none is still choosing
        if all(
            other.params.keys() == values.keys() and other.params != values for other in running
        ):
            return None
        time.sleep(_LOOK)


def _repeat(twin: "FrozenTrial", trial: "Trial") -> float:
    """Ends a trial as its twin did, because the same settings and seeds would give the same."""
    from optuna import TrialPruned

    trial.set_user_attr(_TWIN, twin.number)
    for epoch, score in twin.intermediate_values.items():
        trial.report(score, epoch)
    if twin.state.name == "COMPLETE":
        return float(twin.value or 0)
    raise TrialFailed(twin.user_attrs[PROBLEM]) if PROBLEM in twin.user_attrs else TrialPruned


def score_of(trial: "FrozenTrial") -> float | None:
    """Returns the score of a trial's best epoch, whether it was stopped early or not.

    Args:
        trial: Any trial.

    Returns:
        The score; None if no epoch has ended.
    """
    return (
        trial.value
        if trial.state.name == "COMPLETE"
        else max(trial.intermediate_values.values(), default=None)
    )


def outcome_of(trial: "FrozenTrial") -> str:
    """Describes how a trial ended, beyond its score.

    Args:
        trial: Any trial.

    Returns:
        The description; empty if there is nothing to add to the score.
    """
    how = {
        "PRUNED": f"stopped after {len(trial.intermediate_values)} epochs",
        "FAIL": f"failed: {trial.user_attrs.get(PROBLEM, 'its process was stopped')}",
        "RUNNING": "still running",
        "WAITING": "not begun",
    }.get(trial.state.name, "")
    twin = (
        f"as trial {trial.user_attrs[_TWIN]}, with the same settings"
        if _TWIN in trial.user_attrs
        else ""
    )
    return ", ".join(part for part in (how, twin) if part)


def _suggest(trial: "Trial", distributions: Mapping[str, "BaseDistribution"]) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

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
