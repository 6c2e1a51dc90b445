"""Blocks given out to the workers of a cluster, a bounded number at a time, until each is finished or given up."""

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from segment.core.attempt import Attempt
from segment.core.blocks import Block
from segment.core.crew import Crew
from segment.core.errors import InputError
from segment.core.worker import Job, Outcome, do_block

if TYPE_CHECKING:
    from distributed import Future

_LOOK = 2.0  # seconds between looks at who is there
_PAUSE = 0.01  # seconds between looks for results
_AHEAD = 1.0  # seconds of work that wait for each worker beside the block that it does
_MOST_AHEAD = 32


class SchedulerLost(InputError):
    """The scheduler does not answer any more."""


def dispatch(crew: Crew, work: Iterable[tuple[Job, Block]]) -> Generator[Attempt, None, None]:
    """Has each block done by some worker; yields what became of it, as soon as it is finished or hopeless.

    Takes from `work` what can be given out only, so that memory does not grow with it. A block that failed, or whose worker was
    lost, is given out again before others.

    Raises SchedulerLost; InputError when no worker is of use any more.
    """
    office = _Dispatch(crew, iter(work))
    try:
        yield from office.run()
    finally:
        office.recall()


class _Dispatch:
    def __init__(self, crew: Crew, work: Iterator[tuple[Job, Block]]):
        from distributed import as_completed

        self._crew, self._work = crew, (Attempt(job, block) for job, block in work)
        self._again: deque[Attempt] = deque()
        self._out: dict[Future[Outcome], Attempt] = {}
        self._missing: set[Future[Outcome]] = set()  # seen with no worker at the last look
        self._completed = as_completed([], loop=crew.client.loop, with_results=True, raise_errors=False)
        self._seconds: float | None = None  # that a block takes, smoothed
        self._number, self._looked = 0, time.monotonic()
        self._job: Job | None = None

    def run(self) -> Iterator[Attempt]:
        while self._give_out() or self._out:
            batch = self._completed.next_batch(block=False)
            for future, result in batch:
                if attempt := self._out.pop(future, None):
                    self._note(future, attempt, result)
                    if attempt.is_hopeless or not attempt.problem:
                        yield attempt
                    else:
                        attempt.problem = ""
                        self._again.append(attempt)
            if time.monotonic() - self._looked > _LOOK:
                self._look_around()
            if not batch:
                time.sleep(_PAUSE)

    def recall(self) -> None:
        with suppress(Exception):  # the scheduler may be gone
            self._crew.client.cancel(list(self._out), force=True)
        self._out.clear()

    def _give_out(self) -> bool:
        """Gives out what there is room for; False when nothing is left."""
        room = self._crew.size * self._depth() - len(self._out)
        # one call for many blocks costs little more than for one
        if room < max(len(self._out) // 4, 1):
            return True
        batch = [self._again.popleft() for _ in range(min(room, len(self._again)))]
        batch += islice(self._work, room - len(batch))
        if not batch:
            return False
        first, self._number = self._number, self._number + len(batch)
        self._job = batch[-1].job
        futures = self._crew.client.map(
            do_block,
            [attempt.job for attempt in batch],
            [attempt.block for attempt in batch],
            key=[(self._crew.resource, number) for number in range(first, self._number)],
            resources={self._crew.resource: 1},
        )
        self._out.update(zip(futures, batch, strict=True))
        self._completed.update(futures)
        return True

    def _depth(self) -> int:
        """Blocks under way for each worker: one that is done and one that waits, more where they take but an instant."""
        if self._seconds is None:
            return 2
        return min(2 + int(_AHEAD / max(self._seconds, 1e-3)), _MOST_AHEAD)

    def _note(self, future: "Future[Outcome]", attempt: Attempt, result: Any) -> None:
        from distributed import KilledWorker

        if isinstance(result, Outcome):
            self._seconds = result.seconds if self._seconds is None else 0.9 * self._seconds + 0.1 * result.seconds
            if result.fault:
                attempt.lose(1, result.fault)
                self._crew.dismiss(result.worker, result.fault)
            elif result.problem:
                attempt.fail(result.problem)
        elif future.status == "error":
            error = result[1]
            if isinstance(error, KilledWorker):
                died = error.allowed_failures + 1
                attempt.lose(died, f"{died} workers died at it. See that a block fits into their memory: --block")
            else:
                attempt.fail(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        else:  # cancelled
            self._require_scheduler()
            attempt.lose(1, "it was cancelled")

    def _look_around(self) -> None:
        self._looked = time.monotonic()
        self._require_scheduler()
        assert self._job is not None
        try:
            self._crew.look_around(self._job)
            self._find_stranded()
        except OSError:
            self._require_scheduler()

    def _require_scheduler(self) -> None:
        if self._crew.client.status != "running":
            raise SchedulerLost(f"{self._crew.address}: the scheduler must go on running. Received no answer. Start it again.")

    def _find_stranded(self) -> None:
        """Gives out again what no worker has: where all with the resource die at once, Dask lets it wait, for it looks at its
        waiting tasks when a worker comes, and that is given the resource only later.
        """
        client = self._crew.client
        held = {key for keys in client.processing().values() for key in keys} if self._out else set()
        missing = {future for future in self._out if future.key not in held and not future.done()}
        stranded = missing & self._missing
        self._missing = missing - stranded
        if stranded:
            self._again.extend(self._out.pop(future) for future in stranded)
            client.cancel(list(stranded), force=True)
