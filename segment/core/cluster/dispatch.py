"""Dispatch of tasks to the workers of a cluster, until each is finished or given up."""

import math
import time
import uuid
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from segment.core.cluster.task_state import TaskState
from segment.core.cluster.worker import Job, PieceFailed, do_piece
from segment.core.cluster.worker_pool import WorkerPool
from segment.core.errors import InputError

if TYPE_CHECKING:
    from distributed import Future

_LOOK = 2.0  # seconds between checks of the workers
_LOOK_SOON = 0.25  # the same, while workers are being checked, or none is there
_PAUSE = 0.01  # seconds between checks for results
_AHEAD = 1.0  # seconds of work that wait at each worker besides the task that it does
_MOST_AHEAD = 32
_END: Any = object()


def dispatch(
    pool: WorkerPool, work: Iterable[tuple[Job, Any] | None], *, ahead: bool = True
) -> Generator[TaskState | None, None, None]:
    """Lets workers do the tasks of jobs, a bounded number at a time.

    From `work` only those tasks are taken that can be given out, so memory does not grow with their
    number. A task that failed, or whose worker was lost, is given out again before others.

    Args:
        pool: Worker pool, assembled. New workers are checked with the job of a task that is not
            done yet, see `WorkerPool.job`.
        work: Jobs and their tasks; None where there is nothing to give out for the moment.
        ahead: Whether tasks wait at busy workers, and one for workers to come, which suits tasks of
            seconds. Otherwise each task is taken when it can be given out, and all belong to the
            job for which the pool was assembled.

    Yields:
        The state of each task as soon as it is finished or given up, and often None while there is
        none.

    Raises:
        SchedulerLost: If the scheduler does not answer any more.
        InputError: If no worker can be used any more.
    """
    office = _Dispatch(pool, iter(work), ahead)
    try:
        yield from office.run()
    finally:
        office.recall()


class _Dispatch:
    def __init__(self, pool: WorkerPool, work: Iterator[tuple[Job, Any] | None], ahead: bool):
        from distributed import as_completed

        self._pool, self._work = pool, work
        self._ahead, self._is_exhausted = ahead, False
        # to be given out: tasks that were tried before, and the next one
        self._waiting: deque[TaskState] = deque()
        self._out: dict[Future[None], TaskState] = {}
        self._missing: set[Future[None]] = set()  # at no worker at the last check
        self._completed = as_completed([], loop=pool.client.loop)
        self._seconds: float | None = None  # of a worker per task, smoothed
        self._name, self._number = f"piece-{uuid.uuid4().hex}", 0  # make the keys of tasks in Dask
        self._looked = self._searched = self._counted = time.monotonic()
        self._lost_some = False

    def run(self) -> Iterator[TaskState | None]:
        while self._give_out() or self._out:
            batch = self._completed.next_batch(block=False)
            for future in batch:
                if attempt := self._out.pop(future, None):
                    self._note(future, attempt)
                    future.release()  # else Dask does it again when its worker dies
                    if attempt.is_hopeless or not attempt.problem:
                        yield attempt
                    else:
                        self._try_again(attempt)
            if batch:
                self._count(len(batch))
            if time.monotonic() - self._looked > (_LOOK_SOON if self._pool.is_in_need else _LOOK):
                self._look_around()
            if not batch:
                yield None
                time.sleep(_PAUSE)

    def recall(self) -> None:
        if self._pool.client.status == "running":
            with suppress(Exception):  # the scheduler may go now
                self._pool.client.cancel(list(self._out), force=True)
        self._out.clear()

    def _try_again(self, attempt: TaskState) -> None:
        attempt.problem = ""
        self._lost_some |= attempt.losses > 0
        self._waiting.appendleft(attempt)

    def _take(self) -> bool:
        """Takes the next task from the work; returns False if there is none, or none yet."""
        work = next(self._work, _END)
        self._is_exhausted = work is _END
        if work is None or work is _END:
            return False
        self._waiting.append(TaskState(*work))
        return True

    def _give_out(self) -> bool:
        """Gives out as many tasks as there is room for; returns False if nothing is left."""
        if self._ahead and not self._waiting:
            self._take()
        if not self._out:
            self._counted = time.monotonic()  # workers were idle
        if self._is_exhausted and not self._waiting:
            return False
        room = self._pool.size * self._depth() - len(self._out)
        # one call for many tasks costs little more than for one
        if room < max(len(self._out) // 4 if self._ahead else 0, 1):
            return True
        while len(self._waiting) < room and self._take():
            pass
        batch = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        if not batch:
            return not self._is_exhausted
        first, self._number = self._number, self._number + len(batch)
        futures = self._pool.client.map(
            do_piece,
            [attempt.job for attempt in batch],
            [attempt.piece for attempt in batch],
            key=[(self._name, number) for number in range(first, self._number)],
            resources={self._pool.resource: 1},
            pure=False,  # else Dask takes the time to hash every argument
        )
        self._out.update(zip(futures, batch, strict=True))
        self._completed.update(futures)
        return True

    def _depth(self) -> int:
        """Returns the number of tasks per worker: one that runs and one that waits.

        There are more where tasks take only an instant.
        """
        if not self._ahead or self._has_suspects():
            return 1
        if self._seconds is None:
            return 2
        return min(2 + int(_AHEAD / max(self._seconds, 1e-3)), _MOST_AHEAD)

    def _has_suspects(self) -> bool:
        """Checks whether a task is under way at which a worker was lost.

        No other task shall wait behind it, and be lost with the next worker.
        """
        return self._lost_some and any(
            attempt.losses for attempt in chain(self._waiting, self._out.values())
        )

    def _count(self, done: int) -> None:
        now = time.monotonic()
        seconds, self._counted = (now - self._counted) * self._pool.size / done, now
        self._seconds = seconds if self._seconds is None else 0.8 * self._seconds + 0.2 * seconds

    def _note(self, future: "Future[None]", attempt: TaskState) -> None:
        from distributed import KilledWorker

        if future.status == "finished":
            return
        if future.status != "error":  # cancelled
            self._require_scheduler()
            if not attempt.is_hopeless:
                attempt.lose(1, "it was cancelled")
            return
        error = future.exception()
        if isinstance(error, PieceFailed):
            (failure,) = error.args
            if failure.is_fault_of_worker and _has_input(attempt.job):
                attempt.lose(1, failure.problem)
                self._pool.dismiss(failure.worker, failure.problem)
                self._looked = self._searched = -math.inf
            else:
                attempt.fail(failure.problem)
        elif isinstance(error, KilledWorker):
            died = error.allowed_failures + 1
            attempt.lose(died, f"{died} workers died at it. {attempt.job.cure}")
        else:
            attempt.fail(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")

    def _look_around(self) -> None:
        from dask.utils import key_split

        self._looked = time.monotonic()
        key_split.cache_clear()  # it keeps 100,000 keys if the scheduler is in this process
        self._require_scheduler()
        if self._ahead:  # new workers are not checked with a finished job, whose folder may be gone
            self._pool.job = next(
                (attempt.job for attempt in chain(self._waiting, self._out.values())), None
            )
        try:
            self._pool.look_around()
            # tasks given out just now are at no worker either
            if self._looked - self._searched > _LOOK:
                self._searched = self._looked
                self._find_stranded()
        except OSError:
            self._require_scheduler()

    def _require_scheduler(self) -> None:
        if self._pool.client.status != "running":
            raise self._pool.scheduler_lost()

    def _find_stranded(self) -> None:
        """Gives out again the tasks that wait in vain.

        They wait at a worker that was dismissed, or at none. Where all workers with the resource
        die at once, Dask considers its waiting tasks when a worker comes, which is given the
        resource only later.
        """
        client, refused = self._pool.client, self._pool.refused
        held = client.processing() if self._out else {}
        kept_back = {key for worker, keys in held.items() if worker in refused for key in keys}
        well_kept = {key for worker, keys in held.items() if worker not in refused for key in keys}
        missing = {
            future for future in self._out if future.key not in well_kept and not future.done()
        }
        waiting = {future for future in missing if future.key in kept_back}
        for future in waiting:
            self._try_again(self._out.pop(future))
        client.cancel(list(waiting), force=True)
        stranded = missing & self._missing - waiting
        self._missing = missing - stranded - waiting
        if stranded:
            for future in stranded:
                attempt = self._out[future]
                attempt.lose(1, "its workers died")
                if not attempt.is_hopeless:  # else it is yielded when Dask has cancelled it
                    self._try_again(self._out.pop(future))
            client.cancel(list(stranded), force=True)


def _has_input(job: Job) -> bool:
    """Checks whether the inputs of a job are available to this process.

    If they are not, a worker that lacks them is as good as any.
    """
    try:
        job.check_input()
    except InputError:
        return False
    return True
