"""The trainings of a study, as workers of a cluster do them."""

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
    """Nobody waits for the training any more."""


@dataclass(frozen=True)
class TuningJob:
    """A job (see `segment.core.cluster.worker.Job`) whose pieces are trainings: None, one more trial; a Pair, one to confirm the
    best.

    folder: that is tuned into, which workers need not see. task: its data by paths that are right on every machine, without its
    files. files: that are to be found there, see `Task.describe_files`. storage: of the study; machine: the only one from which
    it can be reached, see `this_machine`, None for any. crew: that trials are marked with. start: the folder that the command
    was called in, where workers have it.
    """

    folder: Path
    task: Task
    files: str
    space: Space
    search: Search = field(repr=False)  # a database's URL may have a password, and Dask logs what a task was given
    storage: str = field(repr=False)
    machine: str | None
    crew: str
    start: Path
    cure: ClassVar[str] = "See that a training fits into their memory: --memory"

    def check(self, cores: int) -> None:
        from distributed import get_worker

        if find_spec("optuna") is None:
            raise InputError("Workers have the package optuna. Received none. Install it: pip install 'aerial-segment[tune]'.")
        if self.machine not in (None, this_machine()):
            raise InputError(
                "Workers on other machines take a database that all machines reach. Received a file of SQLite. "
                "Name one with --storage, e.g. postgresql://user:password@host/studies."
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
                f"{folder}: workers must write their trainings there. Received: {error.strerror}. Start them with another "
                "--local-directory."
            ) from error

    def check_input(self) -> None:
        """Data that are gone everywhere end the study: each worker that has lost them is left out."""

    def do(self, piece: Pair | None, cores: int) -> None:
        from distributed import get_worker

        worker = get_worker()
        here, key = worker.address, worker.get_current_task()
        watch, start = partial(_require_interest, worker, key), self.start if self.start.is_dir() else None
        with ExitStack() as stack:
            study = stack.enter_context(self._joined())
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(dir=worker.local_directory, prefix="training-", ignore_cleanup_errors=True)
            )
            conditions = Conditions(cores, start, watch, is_apart=True)
            trainer = Trainer(study, self.task, Path(folder), self.search, SentProgress(worker, self.crew), conditions)
            if piece is None:
                score = objective(study, self._distributions, self._blame_place(trainer.attempt, cores), watch)
            else:
                study = stack.enter_context(joined(self.storage, confirmation_of(self.search.name)))
                score = partial(train_pair, study, piece, self._blame_place(trainer.repeat, cores))
            # those of a dead process that had the address before
            fail_running(study, [trial for trial in trials_of(study, self.crew) if worker_of(trial) == here])
            run_one(study, marked(score, self.crew, here))

    @property
    def _distributions(self) -> Mapping[str, "BaseDistribution"]:
        return distributions(self.space, self.task.defaults)

    def _joined(self) -> AbstractContextManager["Study"]:
        search = self.search
        return joined(self.storage, search.name, self._distributions, search.sampler, search.seed, self.task.patience)

    def _check_data(self) -> None:
        for folder in self.task.data:
            if not folder.exists():
                raise InputError(f"{folder}: workers must see the data. Received none there. Share it with them.")
        found = replace(self.task, files=self.task.find_files(self.task.data)).describe_files()
        if found != self.files:
            raise InputError(
                f"{self.task.data[0]}: workers must see the same data. Received {found} files, not {self.files}. "
                "Share the folder with them, or copy it anew."
            )

    def _blame_place(self, train: Callable[..., R], cores: int) -> Callable[..., R]:
        """Training whose failure is no trial's where the worker is of no use any more: it would fail all others, too."""

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
    """Raises Recalled when the command has ended, or the worker is about to."""
    task = worker.state.tasks.get(key)
    if task is None or task.state == "cancelled" or worker.status.name in ("closing", "closed", "failed"):
        raise Recalled


class SentProgress:
    """A worker's end. topic: that the other end listens to."""

    def __init__(self, worker: "Worker", topic: str):
        self._worker, self._topic = worker, topic

    def say(self, line: str) -> None:
        """Nothing: results are told by their study."""

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        self._worker.log_event(self._topic, [self._worker.address, task, done, total, note])


class ReceivedProgress:
    """The other end, which shows what has come when it is asked to: it comes in a thread of Dask's."""

    def __init__(self, client: "Client", topic: str, progress: Progress):
        self._progress, self._news = progress, deque[list[Any]]()
        self._under_way: dict[str, tuple[str, int]] = {}  # tasks, with their worker and total
        client.subscribe_topic(topic, lambda event: self._news.append(event[1]))

    def show(self) -> None:
        """Shows what has come since."""
        while self._news:
            worker, task, done, total, note = self._news.popleft()
            self._under_way[task] = worker, total
            self._progress.advance(task, done, total, note)
            if done >= total:
                del self._under_way[task]

    def forget(self, alive: Collection[str]) -> None:
        """Ends what workers that are gone were at."""
        for task, (worker, total) in list(self._under_way.items()):
            if worker not in alive:
                del self._under_way[task]
                self._progress.advance(task, total, total)


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
