"""Training jobs: what the workers of a cluster do for a study."""

import tempfile
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from segment.core.cluster.worker import Unfit
from segment.core.errors import InputError
from segment.core.machine import this_machine
from segment.core.progress import Progress
from segment.core.tuning.reruns import Pair, confirmation_of, train_pair
from segment.core.tuning.search import Search
from segment.core.tuning.search_space import Space, distributions
from segment.core.tuning.study import joined, objective, run_one
from segment.core.tuning.trainer import Trainer
from segment.core.tuning.trials import Conditions, Task, TrialFailed, check_memory_limit

if TYPE_CHECKING:
    from distributed import Client, Worker
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

R = TypeVar("R")


class Recalled(Exception):
    """Ends a training that nobody waits for any more."""


@dataclass(frozen=True)
class TuningJob:
    """Job whose pieces are the trainings of a study, see `segment.core.cluster.worker.Job`.

    A piece is None for one more trial, or a Pair for a training that confirms the best trial.

    Attributes:
        folder: Output folder of the tuning. Workers need not see it.
        task: What trials train, with data paths that are valid on every machine and without files.
        files: Description of the files that workers must find, see `Task.describe_files`.
        space: Search space.
        search: How the study searches.
        storage: URL of the study's database.
        machine: The only machine from which the database can be reached, see `this_machine`; None
            if any machine can reach it.
        pool: Name of the worker pool, which its trials are marked with.
        start: Working directory of the command, used by the workers that have it.
        cure: Advice for the case that workers die while they train.
    """

    folder: Path
    task: Task
    files: str
    space: Space
    # a URL may contain a password, and Dask logs the arguments of tasks
    search: Search = field(repr=False)
    storage: str = field(repr=False)
    machine: str | None
    pool: str
    start: Path
    cure: ClassVar[str] = "See that a training fits into their memory: --memory"

    def check(self, cores: int) -> None:
        """Checks that this worker can train for the study.

        Args:
            cores: Cores that the worker may use.

        Raises:
            InputError: If Optuna is not installed, the database cannot be reached, memory cannot be
                limited, the data are missing or different, or the worker cannot write to its local
                directory.
        """
        from distributed import get_worker

        if find_spec("optuna") is None:
            raise InputError(
                "Workers have the package optuna. Received none. Install it: pip install"
                " 'aerial-segment[tune]'."
            )
        if self.machine not in (None, this_machine()):
            raise InputError(
                "Workers on other machines take a database that all machines reach. Received a file"
                " of SQLite. Name one with --storage, e.g. postgresql://user:password@host/studies."
            )
        check_memory_limit(self.search.memory_mb)
        self._check_data()
        with self._joined():
            pass
        folder = Path(get_worker().local_directory)
        try:
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"\0" * 4096)
        except OSError as error:
            raise InputError(
                f"{folder}: workers must write their trainings there. Received: {error.strerror}."
                " Start them with another --local-directory."
            ) from error

    def check_input(self) -> None:
        """Does nothing.

        Each worker that has lost the data is left out. If all have lost them, the study ends.
        """

    def do(self, piece: Pair | None, cores: int) -> None:
        """Runs one training, whose result is written to the study.

        Args:
            piece: None for one more trial, or the Pair to train.
            cores: Cores that TensorFlow may use.

        Raises:
            InputError: If the database cannot be reached.
            Unfit: If the training fails because this worker can no longer train for the study.
            Recalled: If nobody waits for the training any more.
        """
        from distributed import get_worker

        worker = get_worker()
        here, key = worker.address, worker.get_current_task()
        watch, start = (
            partial(_require_interest, worker, key),
            (self.start if self.start.is_dir() else None),
        )
        with ExitStack() as stack:
            study = stack.enter_context(self._joined())
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(
                    dir=worker.local_directory, prefix="training-", ignore_cleanup_errors=True
                )
            )
            conditions = Conditions(cores, start, watch, is_apart=True)
            trainer = Trainer(
                study,
                self.task,
                Path(folder),
                self.search,
                SentProgress(worker, self.pool),
                conditions,
            )
            if piece is None:
                score = objective(
                    study, self._distributions, self._blame_place(trainer.attempt, cores), watch
                )
            else:
                study = stack.enter_context(joined(self.storage, confirmation_of(self.search.name)))
                score = partial(train_pair, study, piece, self._blame_place(trainer.repeat, cores))
            # trials of a dead process that had the same address
            fail_running(
                study, [trial for trial in trials_of(study, self.pool) if worker_of(trial) == here]
            )
            run_one(study, marked(score, self.pool, here))

    @property
    def _distributions(self) -> Mapping[str, "BaseDistribution"]:
        return distributions(self.space, self.task.defaults)

    def _joined(self) -> AbstractContextManager["Study"]:
        search = self.search
        return joined(
            self.storage,
            search.name,
            self._distributions,
            search.sampler,
            search.seed,
            self.task.patience,
        )

    def _check_data(self) -> None:
        for folder in self.task.data:
            if not folder.exists():
                raise InputError(
                    f"{folder}: workers must see the data. Received none there. Share it with them."
                )
        found = replace(self.task, files=self.task.find_files(self.task.data)).describe_files()
        if found != self.files:
            raise InputError(
                f"{self.task.data[0]}: workers must see the same data. Received {found} files, not"
                f" {self.files}. Share the folder with them, or copy it again."
            )

    def _blame_place(self, train: Callable[..., R], cores: int) -> Callable[..., R]:
        """Wraps a training, so that its failure counts as the worker's if the worker is unfit.

        An unfit worker would fail all other trials, too.
        """

        def run(*arguments: Any) -> R:
            try:
                return train(*arguments)
            except TrialFailed as error:
                try:
                    self.check(cores)
                except InputError as fault:
                    raise Unfit(str(fault)) from error
                raise

        return run


def _require_interest(worker: "Worker", key: Any) -> None:
    """Raises Recalled if the command has ended, or the worker is closing."""
    task = worker.state.tasks.get(key)
    if (
        task is None
        or task.state == "cancelled"
        or worker.status.name in ("closing", "closed", "failed")
    ):
        raise Recalled


class SentProgress:
    """Progress of a worker, sent to the process that runs the study.

    Args:
        worker: This worker of Dask.
        topic: Dask topic that the other process subscribes to.
    """

    def __init__(self, worker: "Worker", topic: str):
        self._worker, self._topic = worker, topic

    def say(self, line: str) -> None:
        """Ignores a line, because results are read from the study.

        Args:
            line: Text of the line.
        """

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Sends the state of a task.

        Args:
            task: Name of the task.
            done: Steps done.
            total: Steps in total.
            note: Text shown after the bar.
        """
        self._worker.log_event(self._topic, [self._worker.address, task, done, total, note])


class ReceivedProgress:
    """Progress received from workers.

    It arrives in a thread of Dask and is kept until `show` is called.

    Args:
        client: Client of the scheduler.
        topic: Dask topic to which workers send their progress.
        progress: Where the progress is reported.
    """

    def __init__(self, client: "Client", topic: str, progress: Progress):
        self._progress, self._news = progress, deque[list[Any]]()
        self._under_way: dict[str, tuple[str, int]] = {}  # worker and total of each task
        client.subscribe_topic(topic, lambda event: self._news.append(event[1]))

    def show(self) -> None:
        """Reports what has arrived since the last call."""
        while self._news:
            worker, task, done, total, note = self._news.popleft()
            self._under_way[task] = worker, total
            self._progress.advance(task, done, total, note)
            if done >= total:
                del self._under_way[task]

    def forget(self, alive: Collection[str]) -> None:
        """Ends the tasks of workers that are gone.

        Args:
            alive: Addresses of the workers that are still there.
        """
        for task, (worker, total) in list(self._under_way.items()):
            if worker not in alive:
                del self._under_way[task]
                self._progress.advance(task, total, total)


_MARK = "worker"  # user attribute: name of the worker pool and address of the worker


def marked(
    objective: Callable[["Trial"], float], pool: str, worker: str
) -> Callable[["Trial"], float]:
    """Wraps an objective so that each trial is marked with its worker before anything else.

    Args:
        objective: Returns the score of a trial.
        pool: Name of the worker pool.
        worker: Address of the worker.

    Returns:
        The wrapped objective.
    """

    def score(trial: "Trial") -> float:
        trial.set_user_attr(_MARK, [pool, worker])
        return objective(trial)

    return score


def trials_of(study: "Study", pool: str) -> list["FrozenTrial"]:
    """Returns the trials that workers of a pool have begun.

    Args:
        study: Study of the trials.
        pool: Name of the worker pool.

    Returns:
        The trials, whether they have ended or not.
    """
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.user_attrs.get(_MARK, [None])[0] == pool
    ]


def worker_of(trial: "FrozenTrial") -> str:
    """Returns the address of the worker that began a trial.

    Args:
        trial: Trial begun by a worker of a pool.

    Returns:
        Address of the worker.
    """
    return str(trial.user_attrs[_MARK][1])


def fail_running(study: "Study", trials: Iterable["FrozenTrial"]) -> None:
    """Fails those of the trials that are still running.

    They need not wait until their heartbeats time out.

    Args:
        study: Study of the trials.
        trials: Trials whose workers are gone, or are no longer waited for.
    """
    from optuna.trial import TrialState

    for trial in trials:
        if trial.state == TrialState.RUNNING:
            with suppress(ValueError, RuntimeError):  # it has just ended
                study.tell(trial.number, state=TrialState.FAIL)
