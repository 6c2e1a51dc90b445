"""Pieces given out to the workers of a cluster, a bounded number at a time, until each is finished or given up."""

import math
import time
import uuid
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from segment.core.cluster.task_state import Attempt
from segment.core.cluster.worker import Job, PieceFailed, do_piece
from segment.core.cluster.worker_pool import Crew
from segment.core.errors import InputError

if TYPE_CHECKING:
    from distributed import Future

_LOOK = 2.0  # seconds between looks at who is there
_LOOK_SOON = 0.25  # the same, while workers are being checked, or none is there
_PAUSE = 0.01  # seconds between looks for results
_AHEAD = 1.0  # seconds of work that wait for each worker beside the piece that it does
_MOST_AHEAD = 32
_END: Any = object()


def dispatch(crew: Crew, work: Iterable[tuple[Job, Any] | None], *, ahead: bool = True) -> Generator[Attempt | None, None, None]:
    """Has each piece done by some worker; yields what became of it, as soon as it is finished or hopeless, and None, often,
    while none is.

    Takes from `work` what can be given out only, so that memory does not grow with it. A piece that failed, or whose worker was
    lost, is given out again before others.

    work: jobs and their pieces; None where there is nothing to give out for the moment.
    crew: assembled; newcomers are checked with the job of a piece that is not done yet, see `Crew.job`.
    ahead: whether pieces wait at workers that are busy, and one for workers to come, as suits those that take seconds. Else each
    is taken when it can be given out, and all belong to the job that the crew was assembled for.

    Raises SchedulerLost; InputError when no worker is of use any more.
    """
    office = _Dispatch(crew, iter(work), ahead)
    try:
        yield from office.run()
    finally:
        office.recall()


class _Dispatch:
    def __init__(self, crew: Crew, work: Iterator[tuple[Job, Any] | None], ahead: bool):
        from distributed import as_completed

        self._crew, self._work = crew, work
        self._ahead, self._is_exhausted = ahead, False
        self._waiting: deque[Attempt] = deque()  # to be given out: those that were tried before, and the next one
        self._out: dict[Future[None], Attempt] = {}
        self._missing: set[Future[None]] = set()  # seen with no worker at the last look
        self._completed = as_completed([], loop=crew.client.loop)
        self._seconds: float | None = None  # that a worker takes for a piece, smoothed
        self._name, self._number = f"piece-{uuid.uuid4().hex}", 0  # Dask knows a piece by them
        self._looked = self._searched = self._counted = time.monotonic()
        self._lost_some = False

    def run(self) -> Iterator[Attempt | None]:
        while self._give_out() or self._out:
            batch = self._completed.next_batch(block=False)
            for future in batch:
                if attempt := self._out.pop(future, None):
                    self._note(future, attempt)
                    future.release()  # else Dask does it again when the worker dies that did it
                    if attempt.is_hopeless or not attempt.problem:
                        yield attempt
                    else:
                        self._try_again(attempt)
            if batch:
                self._count(len(batch))
            if time.monotonic() - self._looked > (_LOOK_SOON if self._crew.is_in_need else _LOOK):
                self._look_around()
            if not batch:
                yield None
                time.sleep(_PAUSE)

    def recall(self) -> None:
        if self._crew.client.status == "running":
            with suppress(Exception):  # the scheduler may go now
                self._crew.client.cancel(list(self._out), force=True)
        self._out.clear()

    def _try_again(self, attempt: Attempt) -> None:
        attempt.problem = ""
        self._lost_some |= attempt.losses > 0
        self._waiting.appendleft(attempt)

    def _take(self) -> bool:
        """Takes the next piece from the work; False when there is none, or none yet."""
        work = next(self._work, _END)
        self._is_exhausted = work is _END
        if work is None or work is _END:
            return False
        self._waiting.append(Attempt(*work))
        return True

    def _give_out(self) -> bool:
        """Gives out what there is room for; False when nothing is left."""
        if self._ahead and not self._waiting:
            self._take()
        if not self._out:
            self._counted = time.monotonic()  # workers had nothing to do
        if self._is_exhausted and not self._waiting:
            return False
        room = self._crew.size * self._depth() - len(self._out)
        # one call for many pieces costs little more than for one
        if room < max(len(self._out) // 4 if self._ahead else 0, 1):
            return True
        while len(self._waiting) < room and self._take():
            pass
        batch = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        if not batch:
            return not self._is_exhausted
        first, self._number = self._number, self._number + len(batch)
        futures = self._crew.client.map(
            do_piece,
            [attempt.job for attempt in batch],
            [attempt.piece for attempt in batch],
            key=[(self._name, number) for number in range(first, self._number)],
            resources={self._crew.resource: 1},
            pure=False,  # else Dask takes the time to describe every argument
        )
        self._out.update(zip(futures, batch, strict=True))
        self._completed.update(futures)
        return True

    def _depth(self) -> int:
        """Pieces under way for each worker: one that is done and one that waits, more where they take but an instant."""
        if not self._ahead or self._has_suspects():
            return 1
        if self._seconds is None:
            return 2
        return min(2 + int(_AHEAD / max(self._seconds, 1e-3)), _MOST_AHEAD)

    def _has_suspects(self) -> bool:
        """Whether a piece is under way that a worker was lost at: no other shall wait behind it, and be lost with the next."""
        return self._lost_some and any(attempt.losses for attempt in chain(self._waiting, self._out.values()))

    def _count(self, done: int) -> None:
        now = time.monotonic()
        seconds, self._counted = (now - self._counted) * self._crew.size / done, now
        self._seconds = seconds if self._seconds is None else 0.8 * self._seconds + 0.2 * seconds

    def _note(self, future: "Future[None]", attempt: Attempt) -> None:
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
                self._crew.dismiss(failure.worker, failure.problem)
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
        key_split.cache_clear()  # it keeps the keys of a hundred thousand pieces, where the scheduler is in this process
        self._require_scheduler()
        if self._ahead:  # newcomers are not checked with a job that is finished, whose folder and scene may be gone
            self._crew.job = next((attempt.job for attempt in chain(self._waiting, self._out.values())), None)
        try:
            self._crew.look_around()
            if self._looked - self._searched > _LOOK:  # what was given out just now is with no worker either
                self._searched = self._looked
                self._find_stranded()
        except OSError:
            self._require_scheduler()

    def _require_scheduler(self) -> None:
        if self._crew.client.status != "running":
            raise self._crew.scheduler_lost()

    def _find_stranded(self) -> None:
        """Gives out again what waits in vain: at a worker that was dismissed; or nowhere, for where all with the resource die at
        once, Dask looks at its waiting tasks when a worker comes, which is given the resource only later.
        """
        client, refused = self._crew.client, self._crew.refused
        held = client.processing() if self._out else {}
        kept_back = {key for worker, keys in held.items() if worker in refused for key in keys}
        well_kept = {key for worker, keys in held.items() if worker not in refused for key in keys}
        missing = {future for future in self._out if future.key not in well_kept and not future.done()}
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
                if not attempt.is_hopeless:  # else it is told when Dask has cancelled it
                    self._try_again(self._out.pop(future))
            client.cancel(list(stranded), force=True)


def _has_input(job: Job) -> bool:
    """Whether what the job is done with is there for this process: else a worker that lacks it is as good as any."""
    try:
        job.check_input()
    except InputError:
        return False
    return True
