"""Tuning on a cluster: each worker runs the loop of a study on the database that all share.

What a lost worker was training is left to Optuna, which fails it without a heartbeat and queues its
settings again.
"""

import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from segment.core.errors import InputError, Interrupted, brief
from segment.core.machine import this_machine
from segment.core.progress import Silent
from segment.core.tuning.loop import POLL
from segment.core.tuning.monitor import Monitor
from segment.core.tuning.reruns import confirmation_of, run_study
from segment.core.tuning.samplers import build_sampler
from segment.core.tuning.search import Plan
from segment.core.tuning.storage import absolute, is_file, reachable
from segment.core.tuning.study import fail_trial, joined
from segment.core.tuning.trainer import WORKER, Trainer
from segment.core.tuning.trials import Conditions, check_memory_limit

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

_PACKAGE = "aerial-segment"
_ENDING = ("closing", "closed", "failed")  # states of a worker


class Unfit(Exception):
    """This worker cannot train for the study; the message says why."""


class Cancelled(Exception):
    """Ends a training that nobody waits for any more."""


@dataclass(frozen=True)
class TuningJob:
    """What a worker needs to run the loop of a study.

    Attributes:
        plan: What to train, with data paths that are valid on every machine, and how to search.
        files: Description of the files that workers must find, see `Task.describe_files`.
        storage: URL of the study's database.
        machine: The only machine from which the database can be reached, see `this_machine`; None
            if any machine can reach it.
        start: Working directory of the command, used by the workers that have it.
        version: Version of this package.
    """

    plan: Plan
    files: str
    # it may contain a password, and Dask logs the arguments of tasks
    storage: str = field(repr=False)
    machine: str | None
    start: Path
    version: str

    @classmethod
    def of(cls, plan: Plan, storage: str) -> "TuningJob":
        """Returns the job of this command.

        Args:
            plan: What to train, and how to search.
            storage: URL of the study's database.

        Returns:
            The job.
        """
        task = replace(plan.task, data=[place.absolute() for place in plan.task.data], files=())
        return cls(
            replace(plan, task=task),
            replace(task, files=task.find_files(task.data)).describe_files(),
            absolute(storage),
            this_machine() if is_file(storage) else None,
            Path.cwd(),
            version(_PACKAGE),
        )

    def check(self, folder: Path) -> None:
        """Checks that this machine can train for the study.

        Args:
            folder: Folder that trainings write to.

        Raises:
            Unfit: If the package has another version, the database cannot be reached, memory cannot
                be limited, the data are missing or different, or the folder cannot be written to.
        """
        try:
            if (found := version(_PACKAGE)) != self.version:
                raise InputError(
                    f"{_PACKAGE} is {found} here, {self.version} at the command. Install the same."
                )
            if self.machine not in (None, this_machine()):
                raise InputError(
                    "a file of SQLite is not shared with other machines. Name a database with"
                    " --storage, e.g. postgresql://user:password@host/studies."
                )
            check_memory_limit(self.plan.search.memory_mb)
            task = self.plan.task
            files = replace(task, files=task.find_files(task.data)).describe_files()
            if files != self.files:
                raise InputError(
                    f"{task.data[0]}: {files} files here, {self.files} at the command. Share the"
                    " folder, or copy it again."
                )
            with joined(self.storage, self.plan.search.name):
                pass
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"\0" * 4096)
        except (InputError, OSError) as error:
            raise Unfit(str(error)) from error


def train_for(job: TuningJob) -> None:
    """Runs the loop of a study on this worker of a cluster, until nothing is left to train.

    Args:
        job: The job.

    Raises:
        Unfit: If this worker cannot train for the study.
    """
    try:
        _train_for(job)
        return
    except Exception as error:
        kind = "" if isinstance(error, Unfit | InputError) else f"{type(error).__name__}: "
        problem = f"{kind}{brief(error, 1000)}"
    raise Unfit(problem)  # here, without a context: another error may not be serializable


def _train_for(job: TuningJob) -> None:
    from distributed import get_worker

    worker, search = get_worker(), job.plan.search
    place = Path(worker.local_directory)
    job.check(place)
    conditions = Conditions(
        cores=worker.state.nthreads,
        start=job.start if job.start.is_dir() else None,
        watch=partial(_require_interest, worker, worker.get_current_task()),
        check=partial(job.check, place),
        memory_mb=search.memory_mb,
    )
    sampler = build_sampler(search.sampler, job.plan.distributions, search.seed)
    with (
        reachable(job.storage),
        joined(job.storage, search.name, sampler, job.plan.task.patience) as study,
        joined(job.storage, confirmation_of(search.name)) as runs,
        tempfile.TemporaryDirectory(
            dir=place, prefix="training-", ignore_cleanup_errors=True
        ) as folder,
    ):
        trainer = Trainer(study, job.plan, Path(folder), Silent(), conditions, worker.address)
        run_study(trainer, runs, conditions.watch)


def _require_interest(worker: "Worker", key: Any) -> None:
    """Raises Cancelled if the command has ended, or the worker is closing."""
    task, is_ending = worker.state.tasks.get(key), worker.status.name in _ENDING
    if task is None or task.state == "cancelled" or is_ending:
        raise Cancelled


def tune_on_workers(client: "Client", address: str, job: TuningJob, monitor: Monitor) -> None:
    """Lets all workers of a cluster train for a study, also those that come later.

    Args:
        client: Client of the scheduler.
        address: Address of the scheduler, for messages.
        job: Job of the workers.
        monitor: Reports what they write to the database.

    Raises:
        InputError: If the scheduler is lost, no worker can train, or the first trials all fail.
        Interrupted: On Ctrl-C.
    """
    loops = _Loops(client, address, job, monitor)
    try:
        while not loops.update():
            time.sleep(POLL)
    except KeyboardInterrupt as error:
        raise Interrupted(f"stopped. {monitor}") from error
    finally:
        loops.end()


class _Loops:
    """The loops of a study that run on the workers of a cluster."""

    def __init__(self, client: "Client", address: str, job: TuningJob, monitor: Monitor):
        self._client, self._address, self._job, self._monitor = client, address, job, monitor
        self._loops: dict[str, Future[None]] = {}  # by address of the worker
        self._refused: dict[str, str] = {}  # workers that cannot train, and why
        self._had_workers: bool | None = None

    def update(self) -> bool:
        """Starts loops on new workers and reports; returns whether all is done."""
        states = {worker: loop.status for worker, loop in self._loops.items()}
        workers = self._threads_of_workers()
        count, cores = len(workers), sum(workers.values())
        what = f"{count} worker{'s' * (count != 1)} with {cores} core{'s' * (cores != 1)}"
        self._monitor.report(what)  # after the states: it may have what ended the loops
        if "finished" in states.values():
            return True
        for worker, state in states.items():
            if state == "error" and worker not in self._refused:
                self._refused[worker] = f"{worker}: {self._loops[worker].exception()}"
                self._monitor.progress.say(f"A worker is left out. {self._refused[worker]}")
        for gone in self._loops.keys() - workers.keys():
            del self._loops[gone]
            self._refused.pop(gone, None)
        for worker in workers.keys() - self._loops.keys():
            self._loops[worker] = self._client.submit(
                train_for, self._job, workers=[worker], pure=False
            )
        if self._refused and self._refused.keys() == self._loops.keys():
            raise InputError(
                f"{self._address}: no worker can be used, {count} refused. The first:"
                f" {next(iter(self._refused.values()))} {self._monitor}"
            )
        if self._had_workers != bool(workers):
            self._had_workers = bool(workers)
            none = f"no workers, waiting for some. Start one: dask worker {self._address}"
            self._monitor.progress.say(f"{self._address}: {what if workers else none}")
        return False

    def end(self) -> None:
        """Ends the loops, and fails the trials that they were running."""
        if self._client.status == "running":
            with suppress(Exception):  # the scheduler may go now
                self._client.cancel(list(self._loops.values()), force=True)
        study = self._monitor.study
        with suppress(Exception):  # the database may be gone
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                if trial.user_attrs.get(WORKER, [""])[0] == self._job.plan.command:
                    fail_trial(study, trial)

    def _threads_of_workers(self) -> dict[str, int]:
        """Returns the number of threads by address of the worker."""
        while self._client.status == "running":
            with suppress(OSError):  # another connection is made if the scheduler is there
                return dict(self._client.nthreads())
            time.sleep(POLL)
        raise InputError(
            f"{self._address}: the scheduler does not answer any more. Start it again."
            f" {self._monitor}"
        )
