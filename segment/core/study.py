"""Studies: trials of settings, kept in a database that several processes share and that outlives them."""

import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from segment.core.choices import Sampler
from segment.core.errors import InputError
from segment.core.trials import PROBLEM, TrialFailed

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

_BELONGS = "belongs"
_HEARTBEAT, _SILENCE = 30, 90  # seconds; a trial whose process has been silent for so long has failed
_HOPELESS = 3  # trials that fail before one succeeds
_OPENINGS, _PAUSE = 5, 1.0  # processes that make the same tables at once stand in each other's way; seconds


def open_study(
    storage: str,
    name: str,
    distributions: Mapping[str, "BaseDistribution"],
    belongs: Mapping[str, Any],
    sampler: Sampler = "gp",
    seed: int = 0,
    patience: int = 1,
) -> "Study":
    """The study of that name, whose score is maximised, made if it is not there.

    storage: URL of a database as SQLAlchemy takes it. belongs: says what it is a study of, plain values by name.
    patience: epochs that a trial has before it is stopped where earlier ones were better by then.
    Raises InputError when an existing one is of something else, or the database cannot be used.
    """
    import optuna

    from segment.core.samplers import build_sampler

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for attempt in range(_OPENINGS):
        try:
            study = optuna.create_study(
                storage=_storage(storage),
                study_name=name,
                direction="maximize",
                load_if_exists=True,
                sampler=build_sampler(sampler, distributions, seed),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=patience, n_min_trials=3),
            )
            known = study.user_attrs.get(_BELONGS)
            if known is None:
                study.set_user_attr(_BELONGS, dict(belongs))
            break
        except Exception as error:  # SQLAlchemy's, and those of each database's driver
            if attempt == _OPENINGS - 1:
                raise _unusable(storage, error) from error
            time.sleep(_PAUSE * random.random())
    for key in sorted((known or belongs).keys() | belongs.keys()):
        before, now = (known or belongs).get(key), belongs.get(key)
        if before != now:
            raise InputError(
                f"{key}: a study goes on with what it began with. Received {now!r}, but the study {name!r} has {before!r}. "
                "Leave it, or choose another --output or --study."
            )
    return study


def _storage(url: str) -> "RDBStorage":
    from optuna.storages import RDBStorage

    patient = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    with quiet_optuna():
        return RDBStorage(url, engine_kwargs=patient, heartbeat_interval=_HEARTBEAT, grace_period=_SILENCE)


def _unusable(storage: str, error: Exception) -> InputError:
    """The error to raise when a database cannot be used; passwords stay unsaid."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    problem, cure = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip("."), "Check it"
    try:
        url = make_url(storage)
        shown = url.render_as_string(hide_password=True)
        problem = problem.replace(storage, shown).replace(str(url.password or storage), "***")
        if isinstance(error.__cause__, ImportError):
            problem, cure = f"no driver ({error.__cause__})", "Install it; of PostgreSQL: pip install 'psycopg[binary]'"
    except ArgumentError:
        shown = storage.rpartition("@")[2]
    return InputError(f"{shown}: studies lie in a database to write to. Received: {problem}. {cure}.")


@contextmanager
def reachable(storage: str) -> Iterator[None]:
    """Turns the loss of a study's database into an InputError."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise _unusable(storage, error.__cause__ if isinstance(error.__cause__, Exception) else error) from error


def trials_that_run(study: "Study") -> Sequence["FrozenTrial"]:
    """Those of living processes, this one's among them; the others' are failed on the way."""
    from optuna.storages import fail_stale_trials
    from optuna.trial import TrialState

    with quiet_optuna():
        fail_stale_trials(study)
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without the warnings that heartbeats, and pictures by matplotlib, might change some day."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def run_study(
    study: "Study",
    distributions: Mapping[str, "BaseDistribution"],
    attempt: Callable[["Trial", Mapping[str, Any]], float],
    *,
    trials: int,
    hours: float | None,
    tell: Callable[["FrozenTrial"], None],
) -> None:
    """Begins trials until so many of the study have ended, whichever process ran them, or the time is over.

    attempt: trains with a trial's values, by "part.key", and returns its score. TrialFailed and InputError make it a failed
    trial, and the next one begins. tell: called after each.
    Raises InputError when one trial after the other fails from the start.
    """
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    ended = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)

    def objective(trial: "Trial") -> float:
        try:
            return attempt(trial, _suggest(trial, distributions))
        except (TrialFailed, InputError) as error:
            trial.set_user_attr(PROBLEM, str(error))
            raise TrialFailed(str(error)) from error

    def after(study: "Study", trial: "FrozenTrial") -> None:
        tell(trial)
        others = study.get_trials(deepcopy=False, states=ended)
        if len(others) >= _HOPELESS and all(PROBLEM in other.user_attrs for other in others):
            problem = others[-1].user_attrs[PROBLEM]
            raise InputError(f"Trials must train. Received {len(others)} that failed, the last one so: {problem}")

    end = None if hours is None else time.monotonic() + hours * 3600
    while len(study.get_trials(deepcopy=False, states=ended)) < trials and (end is None or time.monotonic() < end):
        left = None if end is None else end - time.monotonic()
        try:
            study.optimize(objective, timeout=left, callbacks=[after, MaxTrialsCallback(trials, ended)], catch=(TrialFailed,))
        except ValueError as error:  # this process was silent for too long, another has failed its trial
            if "Cannot tell" not in str(error):
                raise


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
