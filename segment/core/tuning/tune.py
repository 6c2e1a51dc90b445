"""Tuning: trials with settings chosen by an optimiser, and reruns of the best of them."""

import json
import math
import time
import uuid
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from segment.core.cluster.connect import connect
from segment.core.config import Settings, dump_settings, flatten
from segment.core.disk import clear_folder
from segment.core.errors import InputError, counted
from segment.core.lock import alone
from segment.core.progress import Progress, Silent
from segment.core.reports.page import PAGE_FILE, REPORT_FILE
from segment.core.tuning.cluster import TuningJob, tune_on_workers
from segment.core.tuning.monitor import Monitor
from segment.core.tuning.page import describe_study, tuning_page
from segment.core.tuning.reruns import Confirmation, Reruns, confirmation_of, run_study
from segment.core.tuning.samplers import build_sampler
from segment.core.tuning.search import Plan, Search, Task
from segment.core.tuning.search_space import Space, distributions, dump_space
from segment.core.tuning.storage import (
    BEST_FILE,
    DATABASE,
    DEFAULTS_FILE,
    SPACE_FILE,
    TRIALS_FOLDER,
    make_tuning_folder,
    reachable,
    write_text,
)
from segment.core.tuning.study import ended_trials, open_study, outcome_of
from segment.core.tuning.trainer import Trainer
from segment.core.tuning.trials import Conditions, check_memory_limit
from segment.core.tuning.unit_cube import as_point


@dataclass(frozen=True)
class Tuning:
    """Result of a study.

    Attributes:
        config: YAML file with the best settings.
        trials: Number of trials.
        trial: Number of the best trial.
        score: Its score on validation.
        values: Its values, by "part.key".
        confirmation: Scores of these values with other seeds; None if that was not asked for or
            failed.
    """

    config: Path
    trials: int
    trial: int
    score: float
    values: dict[str, Any]
    confirmation: Reruns | None

    def __str__(self) -> str:
        """Returns the best trial, its values, their confirmation, and the settings file."""
        best = f"number {self.trial}, validation {self.score:.3f}"
        lines = [
            f"best of {counted(self.trials, 'trial')}: {best}",
            *(
                f"  {key}: {value:.4g}" if isinstance(value, float) else f"  {key}: {value}"
                for key, value in self.values.items()
            ),
            *([str(self.confirmation)] if self.confirmation else []),
            f"settings: {self.config}",
        ]
        return "\n".join(lines)


def tune(
    task: Task,
    output: Path,
    space: Space,
    search: Search,
    progress: Progress | None = None,
    *,
    cluster: str | None = None,
) -> Tuning:
    """Searches for the settings with the best validation score.

    The best settings and a report are written to a folder. If the search is stopped, the same call
    continues the study.

    Args:
        task: What to train.
        output: Folder to write.
        space: Search space.
        search: How to search.
        progress: Where progress is reported; nowhere by default.
        cluster: Address of a Dask scheduler whose workers train, or local:N for N processes on this
            machine. By default this process runs one trial after the other.

    Returns:
        The best trial, its values, and their confirmation.

    Raises:
        InputError: If a setting does not exist, the study is about something else, `output` holds
            other files, no trial ends well, or the cluster or all its workers cannot be used.
        Interrupted: If Ctrl-C stops the work of a cluster.
    """
    wanted, progress = distributions(space, task.defaults, task.check), progress or Silent()
    check_memory_limit(search.memory_mb)
    with nullcontext() if cluster is None else connect(cluster) as client:
        make_tuning_folder(output, task.data, has_database=search.storage is None)
        folder = output / TRIALS_FOLDER
        storage = search.storage or f"sqlite:///{output.resolve() / DATABASE}"
        with alone(folder), reachable(storage):
            study = _open(task, output, space, search, wanted, storage)
            runs = open_study(storage, confirmation_of(search.name), {})
            plan = Plan(
                task=task,
                search=search,
                distributions=wanted,
                deadline=math.inf if search.hours is None else time.time() + search.hours * 3600,
                command=f"tuning-{uuid.uuid4().hex}",
                reruns=len(runs.get_trials(deepcopy=False)),
            )
            monitor = Monitor(study, runs, plan, output, progress)
            if client is None:
                conditions = Conditions(memory_mb=search.memory_mb)
                trainer = Trainer(study, plan, folder, progress, conditions)
                run_study(trainer, runs, monitor.report)
            else:
                tune_on_workers(client, str(cluster), TuningJob.of(plan, storage), monitor)
            return _conclude(plan, output, monitor)


def _open(
    task: Task,
    output: Path,
    space: Space,
    search: Search,
    wanted: Mapping[str, BaseDistribution],
    storage: str,
) -> Study:
    """Opens the study and writes the files that its folder begins with."""
    belongs = {"repeats": search.repeats, **task.describe()} | {
        f"search space, {key}": parameter.model_dump(exclude_defaults=True)
        for key, parameter in space.items()
    }
    sampler = build_sampler(search.sampler, wanted, search.seed)
    study = open_study(storage, search.name, belongs, sampler, task.patience)
    if not study.get_trials(deepcopy=False) and (defaults := _within(wanted, task.defaults)):
        study.enqueue_trial(defaults)
    clear_folder(output / TRIALS_FOLDER)  # left by a tuning that was killed
    write_text(output / DEFAULTS_FILE, dump_settings(task.defaults))
    write_text(output / SPACE_FILE, dump_space(space))
    return study


def _within(wanted: Mapping[str, BaseDistribution], defaults: Settings) -> dict[str, Any] | None:
    """Returns the defaults of tuned settings, which are tried first; None if outside the space."""
    known = flatten(defaults.model_dump(mode="json"))
    values = {key: known.get(key) for key in wanted}
    try:
        point = as_point(values, wanted)
    except (TypeError, ValueError):
        return None
    return values if ((point >= 0) & (point <= 1)).all() else None


def _conclude(plan: Plan, output: Path, monitor: Monitor) -> Tuning:
    """Writes the best settings and the report of a study whose trials have ended."""
    study, runs = monitor.study, monitor.runs
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        ended = ended_trials(study)
        last = f" Last trial: {outcome_of(ended[-1])}." if ended else ""
        raise InputError(f"{output}: no trial ended well.{last} Allow more --trials or --hours.")
    best = study.best_trial
    monitor.write_best(best)
    confirmation = Confirmation.of(study, runs, plan)
    confirmed = confirmation.conclude() if confirmation else None
    figures = describe_study(study, best, confirmed)
    write_text(output / REPORT_FILE, json.dumps(figures, indent=2))
    tuning_page(study, best, plan.task.defaults, confirmed).write(output / PAGE_FILE)
    return Tuning(
        output / BEST_FILE,
        len(figures["trials"]),
        best.number,
        float(best.value or 0),
        dict(best.params),
        confirmed,
    )
