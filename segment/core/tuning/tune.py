"""Tuning: trials with settings chosen by an optimiser, and confirmation of the best of them."""

import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from segment.core.cluster.connect import connect
from segment.core.config import MACHINERY, Settings, change_settings, dump_settings, flatten
from segment.core.disk import clear_folder
from segment.core.errors import InputError
from segment.core.lock import alone
from segment.core.progress import Progress, Silent
from segment.core.reports.page import PAGE_FILE, REPORT_FILE
from segment.core.tuning.cluster import begin_campaign
from segment.core.tuning.folder import (
    BEST_FILE,
    DATABASE,
    DEFAULTS_FILE,
    SPACE_FILE,
    TRIALS_FOLDER,
    make_tuning_folder,
    write_text,
)
from segment.core.tuning.page import describe_study, tuning_page
from segment.core.tuning.reruns import POLL, Reruns, confirmation_of
from segment.core.tuning.search import Search
from segment.core.tuning.search_space import Space, distributions, dump_space
from segment.core.tuning.storage import reachable
from segment.core.tuning.study import (
    ended_trials,
    fail_dead_trials,
    open_study,
    outcome_of,
    score_of,
)
from segment.core.tuning.trainer import LocalExecutor, Trainer, TrialExecutor
from segment.core.tuning.trials import Task, check_memory_limit, training_of
from segment.core.tuning.unit_cube import as_point

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution


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
        values = "\n".join(
            f"  {key}: {value:.4g}" if isinstance(value, float) else f"  {key}: {value}"
            for key, value in self.values.items()
        )
        lines = [
            f"best of {self.trials} trials: number {self.trial}, validation {self.score:.3f}",
            values,
        ]
        return "\n".join(
            [
                *lines,
                *([str(self.confirmation)] if self.confirmation else []),
                f"settings: {self.config}",
            ]
        )


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
    wanted, progress = distributions(space, task.defaults), progress or Silent()
    check_memory_limit(search.memory_mb)
    with nullcontext() if cluster is None else connect(cluster) as client:
        make_tuning_folder(output, task.data, has_database=search.storage is None)
        with alone(output / TRIALS_FOLDER):
            storage = search.storage or f"sqlite:///{output.resolve() / DATABASE}"
            with reachable(storage):
                study = _open(task, output, space, wanted, search, storage)
                executor: AbstractContextManager[TrialExecutor]
                if client is None:
                    trainer = Trainer(study, task, output / TRIALS_FOLDER, search, progress)
                    executor = nullcontext(LocalExecutor(study, wanted, trainer))
                else:
                    executor = begin_campaign(
                        client, str(cluster), study, task, space, search, storage, output, progress
                    )
                with executor as place:
                    return _tune(study, place, task, output, search, storage, progress)


def _open(
    task: Task,
    output: Path,
    space: Space,
    wanted: Mapping[str, "BaseDistribution"],
    search: Search,
    storage: str,
) -> "Study":
    """Opens the study and writes the files that its folder begins with."""
    belongs = {"repeats": search.repeats, **_belongs(task, space)}
    study = open_study(
        storage, search.name, wanted, belongs, search.sampler, search.seed, task.patience
    )
    if not study.get_trials(deepcopy=False) and (defaults := _within(wanted, task.defaults)):
        study.enqueue_trial(defaults)
    clear_folder(output / TRIALS_FOLDER)  # left by a tuning that was killed
    write_text(output / DEFAULTS_FILE, dump_settings(task.defaults))
    write_text(output / SPACE_FILE, dump_space(space))
    return study


def _tune(
    study: "Study",
    place: TrialExecutor,
    task: Task,
    output: Path,
    search: Search,
    storage: str,
    progress: Progress,
) -> Tuning:
    book = _Book(study, task, output, progress)
    place.run_trials(search.trials, search.hours, book.tell)
    if fail_dead_trials(study):
        progress.say("waiting for the trials of other processes")
    while fail_dead_trials(study):
        time.sleep(POLL)
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        ended = ended_trials(study)
        last = f" The last: {outcome_of(ended[-1])}." if ended else ""
        raise InputError(
            f"{output}: a trial must end well to be the best. Received none that did.{last} Allow"
            " more --trials or --hours."
        )
    best = study.best_trial
    book.write_best(best)
    confirmed = None
    if search.confirmations:
        runs = open_study(storage, confirmation_of(search.name), {}, {})
        first = training_of(task.defaults)["seed"] + search.repeats
        confirmed = place.confirm(
            runs, best.number, range(first, first + search.confirmations), progress.say
        )
    figures = describe_study(study, best, confirmed)
    write_text(output / REPORT_FILE, json.dumps(figures, indent=2))
    tuning_page(study, best, task.defaults, confirmed).write(output / PAGE_FILE)
    return Tuning(
        output / BEST_FILE,
        len(figures["trials"]),
        best.number,
        float(best.value or 0),
        dict(best.params),
        confirmed,
    )


@dataclass(frozen=True)
class _Book:
    """Reports the trials of a study and keeps the best settings."""

    study: "Study"
    task: Task
    output: Path
    progress: Progress

    def tell(self, trial: "FrozenTrial") -> None:
        """Reports the result of a trial and writes its settings if they are the best so far."""
        if trial.state == TrialState.COMPLETE and self.study.best_trial.number == trial.number:
            self.write_best(trial)
        self.progress.say(_describe(trial))

    def write_best(self, trial: "FrozenTrial") -> None:
        write_text(
            self.output / BEST_FILE,
            dump_settings(change_settings(self.task.defaults, trial.params)),
        )


def _belongs(task: Task, space: Space) -> dict[str, Any]:
    """Returns what all trials of a study have in common."""
    settings = {
        k: v
        for k, v in flatten(task.defaults.model_dump(mode="json")).items()
        if k not in MACHINERY
    }
    tuned = {
        f"search space, {key}": parameter.model_dump(exclude_defaults=True)
        for key, parameter in space.items()
    }
    return {
        "data": [folder.resolve().name for folder in task.data],
        "files": task.describe_files(),
        **settings,
        **tuned,
    }


def _within(wanted: Mapping[str, "BaseDistribution"], defaults: Settings) -> dict[str, Any] | None:
    """Returns the defaults of tuned settings, which are tried first; None if outside the space."""
    known = flatten(defaults.model_dump(mode="json"))
    values = {key: known.get(key) for key in wanted}
    try:
        point = as_point(values, wanted)
    except (TypeError, ValueError):
        return None
    return values if ((point >= 0) & (point <= 1)).all() else None


def _describe(trial: "FrozenTrial") -> str:
    score = score_of(trial)
    what = [*([] if score is None else [f"{score:.3f}"]), *filter(None, [outcome_of(trial)])]
    return f"trial {trial.number}: {', '.join(what)}"
