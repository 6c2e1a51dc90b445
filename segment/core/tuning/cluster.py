"""Tuning on a cluster: the trainings of a study, run in parallel by its workers."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from segment.core.cluster.dispatch import dispatch
from segment.core.cluster.worker_pool import WorkerPool
from segment.core.errors import InputError, Interrupted
from segment.core.machine import this_machine
from segment.core.progress import Progress
from segment.core.tuning.cluster_job import (
    ReceivedProgress,
    TuningJob,
    fail_running,
    trials_of,
    worker_of,
)
from segment.core.tuning.reruns import POLL, Pair, Pairs, Reruns
from segment.core.tuning.search import Search
from segment.core.tuning.search_space import Space
from segment.core.tuning.storage import absolute, is_file
from segment.core.tuning.study import ended_trials, fail_dead_trials, require_hope
from segment.core.tuning.trials import Task

if TYPE_CHECKING:
    from distributed import Client
    from optuna import Study
    from optuna.trial import FrozenTrial


@contextmanager
def begin_campaign(
    client: "Client",
    address: str,
    study: "Study",
    task: Task,
    space: Space,
    search: Search,
    storage: str,
    folder: Path,
    progress: Progress,
) -> Iterator["TuningCampaign"]:
    """Prepares a study for training by the workers of a scheduler, which are released at the end.

    Args:
        client: Client of the scheduler.
        address: Address of the scheduler.
        study: Study that the trials belong to.
        task: What trials train.
        space: Search space.
        search: How the study searches.
        storage: URL of the study's database.
        folder: Output folder of the tuning.
        progress: Where progress is reported.

    Yields:
        The object that runs the trainings of the study.
    """
    pool = WorkerPool(client, address, progress.say)
    sent = replace(task, data=[place.absolute() for place in task.data], files=())
    files = replace(sent, files=task.find_files(sent.data)).describe_files()
    machine = this_machine() if is_file(storage) else None
    job = TuningJob(
        folder, sent, files, space, search, absolute(storage), machine, pool.resource, Path.cwd()
    )
    try:
        yield TuningCampaign(pool, job, study, progress)
    finally:
        with suppress(Exception):  # the scheduler may be gone
            pool.disband()


@dataclass(frozen=True)
class _Tally:
    """Counts the trainings of a study that have ended. `what` names them in messages."""

    study: "Study"
    what: str
    total: int
    done: Callable[[], int]

    def __str__(self) -> str:
        return (
            f"{self.done()} of {self.total} {self.what} have ended: the same command goes on from"
            " there."
        )


class TuningCampaign:
    """Runs the trainings of a study on a cluster, see `segment.core.tuning.trainer.TrialExecutor`.

    Each worker of the pool runs one training at a time and writes the result to the study.

    Args:
        pool: Worker pool.
        job: Job of the workers.
        study: Study of the trials.
        progress: Where progress is reported.
    """

    def __init__(self, pool: WorkerPool, job: TuningJob, study: "Study", progress: Progress):
        self._pool, self._job, self._study, self._progress = pool, job, study, progress
        self._received = ReceivedProgress(pool.client, job.pool, progress)
        self._under_way = 0
        self._looked = -math.inf

    def run_trials(
        self, trials: int, hours: float | None, tell: Callable[["FrozenTrial"], None]
    ) -> None:
        """Runs trials until enough of the study have ended, or the time is over.

        Trials that are still running are counted, too. So no more than `trials` are begun, unless
        some fail because their workers are lost.

        Args:
            trials: Number of trials that must have ended, whichever process ran them.
            hours: Hours after which no trial is begun; None for no limit.
            tell: Called with each trial that ended on a worker of the pool.

        Raises:
            InputError: If the cluster is lost, no worker can train, or the first trials all fail.
                The message says how many trials have ended.
            Interrupted: On Ctrl-C, with the same number in the message.
        """
        end = math.inf if hours is None else time.monotonic() + hours * 3600
        tally = _Tally(self._study, "trials", trials, lambda: len(ended_trials(self._study)))

        def lacking() -> int:
            """Counts trials still to begin: neither ended, nor running elsewhere, nor given out."""
            running, ours = (
                fail_dead_trials(self._study),
                {t.number for t in trials_of(self._study, self._job.pool)},
            )
            return (
                trials
                - tally.done()
                - self._under_way
                - sum(trial.number not in ours for trial in running)
            )

        def begin() -> Iterator[None]:
            while lacking() > 0 and time.monotonic() < end:
                yield None

        def note(trial: "FrozenTrial") -> None:
            tell(trial)
            require_hope(self._study)

        with self._counting(tally):
            while tally.done() < trials and time.monotonic() < end:
                if lacking() > 0:
                    self._carry_out(begin(), note, tally)
                else:
                    time.sleep(POLL)

    def confirm(
        self, runs: "Study", best: int, seeds: Sequence[int], tell: Callable[[str], None]
    ) -> Reruns | None:
        """Trains the defaults and the settings of trial `best` with each seed.

        Args:
            runs: Study that keeps the scores of these trainings.
            best: Number of the best trial.
            seeds: Seeds to train with.
            tell: Called with a line for each training that ended.

        Returns:
            The scores; None if no seed has both its scores.

        Raises:
            InputError: If the cluster is lost or no worker can train. The message says how many
                trainings have ended.
            Interrupted: On Ctrl-C, with the same number in the message.
        """
        pairs = Pairs(runs, best, seeds, tell)
        tally = _Tally(
            runs, "trainings of --confirm", len(pairs), lambda: len(pairs) - len(pairs.missing)
        )
        with self._counting(tally):
            while pairs.missing:
                if free := pairs.free:
                    self._carry_out(free, pairs.note, tally)
                else:
                    time.sleep(POLL)
        return pairs.conclude()

    @contextmanager
    def _counting(self, tally: _Tally) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt as error:
            raise Interrupted(f"stopped. {tally}") from error
        except Interrupted:
            raise
        except InputError as error:
            raise InputError(f"{error} {tally}") from error
        finally:
            self._progress.advance(tally.what, tally.total, tally.total)
            with suppress(Exception):  # the database may be gone
                fail_running(tally.study, trials_of(tally.study, self._job.pool))

    def _carry_out(
        self, pieces: Iterable[Pair | None], note: Callable[["FrozenTrial"], None], tally: _Tally
    ) -> None:
        """Runs trainings on the workers, and calls `note` with each trial that ended in any way."""
        study = tally.study
        told = {trial.number for trial in trials_of(study, self._job.pool)}

        def work() -> Iterator[tuple[TuningJob, Pair | None]]:
            for piece in pieces:
                self._under_way += 1
                yield self._job, piece

        def look(patience: float = POLL) -> None:
            self._received.show()
            if time.monotonic() - self._looked < patience:
                return
            for trial in self._find_ended(study):
                if trial.number not in told:
                    told.add(trial.number)
                    note(trial)
            self._progress.advance(tally.what, tally.done(), tally.total, self._pool.describe())
            self._looked = time.monotonic()

        self._assemble()
        self._under_way = 0
        with closing(dispatch(self._pool, work(), ahead=False)) as attempts:
            for attempt in attempts:
                if attempt is None:
                    look()
                    continue
                self._under_way -= 1
                look(patience=0)
                if attempt.problem:
                    raise InputError(
                        f"{self._pool.address}: a training ends on some worker. Received:"
                        f" {attempt.problem}"
                    )

    def _assemble(self) -> None:
        is_first = self._pool.job is None
        try:
            self._pool.await_workers()
            self._pool.assemble(self._job)
            if is_first:
                self._progress.say(self._pool.introduction)
        except OSError as error:
            raise self._pool.scheduler_lost() from error

    def _find_ended(self, study: "Study") -> list["FrozenTrial"]:
        """Fails the trials of lost workers and returns the trials of the pool that have ended."""
        trials = trials_of(study, self._job.pool)
        with suppress(OSError):  # the scheduler is gone, which is reported elsewhere
            # read after the trials: a worker may have joined and begun one meanwhile
            alive = self._pool.addresses
            fail_running(study, [trial for trial in trials if worker_of(trial) not in alive])
            self._received.forget(alive)
        return [trial for trial in trials if trial.state.is_finished()]
