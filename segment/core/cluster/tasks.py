"""Blocks as tasks of Dask: a bounded number at a time, until each is finished or given up."""

import time
import uuid
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from segment.core.cluster.block_job import BlockFailed, BlockJob, WorkerUnfit, compute_block
from segment.core.cluster.workers import Workers
from segment.core.errors import brief, counted
from segment.core.raster.blocks import Block

if TYPE_CHECKING:
    from distributed import Future

Work = Iterable[tuple[BlockJob, Block] | None]
"""Blocks with their jobs; None where the next one is not known yet."""

MOST_FAILURES = 3
"""Failures of a block after which it is given up."""
MOST_LOSSES = 8
"""Losses of workers after which a block is given up; they die of other causes, too."""

_UPDATE, _UPDATE_SOON = 2.0, 0.25  # seconds between updates of the workers; without any, soon
_PAUSE = 0.01  # seconds between checks for finished blocks
_AHEAD = 1.0  # seconds of work that wait at each worker besides the block that it computes
_MOST_AHEAD = 32


@dataclass
class BlockTask:
    """A block to be computed, and what went wrong with it.

    Attributes:
        job: Job that computes the block.
        block: The block.
        failures: Times that the block itself failed.
        losses: Times that its worker was lost.
        problem: Why the block was given up, or failed the last time.
        workers: Addresses of the workers that Dask may choose from.
    """

    job: BlockJob
    block: Block
    failures: int = 0
    losses: int = 0
    problem: str = ""
    workers: frozenset[str] = frozenset()

    @property
    def is_given_up(self) -> bool:
        """Whether the block is not tried again."""
        return self.failures >= MOST_FAILURES or self.losses >= MOST_LOSSES


def compute_blocks(workers: Workers, work: Work) -> Generator[BlockTask | None, None, None]:
    """Has blocks computed by the workers of a cluster.

    From `work` only those blocks are taken that can be sent, so memory does not grow with their
    number. Dask chooses the worker of a block, and moves the blocks of a lost worker to others. A
    block that failed is sent again before others.

    Args:
        workers: Workers of the cluster.
        work: Blocks with their jobs.

    Yields:
        Each block as soon as it is finished (without a problem) or given up, and often None while
        there is none.

    Raises:
        SchedulerLost: If the scheduler does not answer any more.
        InputError: If no worker can be used any more.
    """
    with closing(_Window(workers, iter(work))) as window:
        yield from window.run()


class _Window:
    """The blocks that are at Dask, and those to be sent next."""

    def __init__(self, workers: Workers, work: Iterator[tuple[BlockJob, Block] | None]):
        from distributed import as_completed

        self._workers, self._work, self._is_exhausted = workers, work, False
        # blocks to be sent again, and the next one
        self._waiting: deque[BlockTask] = deque()
        self._sent: dict[Future[None], BlockTask] = {}
        self._completed = as_completed([], loop=workers.client.loop)
        self._seconds: float | None = None  # of a worker per block, smoothed
        self._name, self._count = f"block-{uuid.uuid4().hex}", 0  # make the keys of tasks in Dask
        self._updated = self._measured = time.monotonic()

    def run(self) -> Iterator[BlockTask | None]:
        while self._send() or self._sent:
            batch = [
                (future, task)
                for future in self._completed.next_batch(block=False)
                if (task := self._sent.pop(future, None))
            ]
            for future, task in batch:
                is_finished = self._record_outcome(future, task)
                future.release()  # else Dask computes it again when its worker dies
                if is_finished or task.is_given_up:
                    yield task
                else:
                    self._waiting.appendleft(task)
            if batch:
                self._measure(len(batch))
            wait = _UPDATE if self._workers.fit else _UPDATE_SOON
            if time.monotonic() - self._updated > wait:
                yield from self._update()
            if not batch:
                yield None
                time.sleep(_PAUSE)

    def close(self) -> None:
        if self._workers.client.status == "running":
            with suppress(Exception):  # the scheduler may go now
                self._workers.client.cancel(list(self._sent), force=True)
        self._sent.clear()

    def _take(self) -> bool:
        """Takes the next block from the work; returns False if there is none, or none yet."""
        for item in self._work:
            if item is not None:
                self._waiting.append(BlockTask(*item))
            return item is not None
        self._is_exhausted = True
        return False

    def _send(self) -> bool:
        """Sends as many blocks as there is room for; returns False if none are left."""
        if not self._waiting:
            self._take()
        if not self._sent:
            self._measured = time.monotonic()  # workers were idle
        if self._is_exhausted and not self._waiting:
            return False
        room = len(self._workers.fit) * self._depth() - len(self._sent)
        # one call for many blocks costs little more than for one
        if room < max(len(self._sent) // 4, 1):
            return True
        while len(self._waiting) < room and self._take():
            pass
        batch = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        if not batch:
            return True
        first, self._count = self._count, self._count + len(batch)
        fit = frozenset(self._workers.fit)
        futures = self._workers.client.map(
            compute_block,
            [task.job for task in batch],
            [task.block for task in batch],
            key=[(self._name, number) for number in range(first, self._count)],
            workers=list(fit),
            pure=False,  # else Dask takes the time to hash every argument
        )
        for future, task in zip(futures, batch, strict=True):
            task.problem, task.workers = "", fit
            self._sent[future] = task
        self._completed.update(futures)
        return True

    def _depth(self) -> int:
        """Returns the number of blocks per worker: one being computed and one that waits.

        There are more where blocks take only an instant. None waits behind a block at which a
        worker was lost, else it would be lost with the next worker.
        """
        if any(task.losses for task in chain(self._waiting, self._sent.values())):
            return 1
        if self._seconds is None:
            return 2
        return min(2 + int(_AHEAD / max(self._seconds, 1e-3)), _MOST_AHEAD)

    def _measure(self, done: int) -> None:
        now = time.monotonic()
        seconds = (now - self._measured) * len(self._workers.fit) / done
        self._measured = now
        self._seconds = seconds if self._seconds is None else 0.8 * self._seconds + 0.2 * seconds

    def _record_outcome(self, future: "Future[None]", task: BlockTask) -> bool:
        """Records what went wrong with a block, if anything; returns whether it is finished."""
        from distributed import KilledWorker

        if future.status == "finished":
            return True
        if future.status != "error":
            self._workers.require_scheduler()
            task.losses, task.problem = task.losses + 1, "it was cancelled"
            return False
        error = future.exception()
        if isinstance(error, KilledWorker):
            died = error.allowed_failures + 1
            task.losses += died
            task.problem = f"{counted(died, 'worker')} died at it. {task.job.cure}"
            return False
        if isinstance(error, WorkerUnfit):
            worker, task.problem = error.args
            if task.job.has_input:
                self._workers.refuse(worker, task.problem)
                return False
        elif isinstance(error, BlockFailed):
            task.problem = str(error)
        else:
            task.problem = f"{type(error).__name__}: {brief(error, 300)}"
        task.failures += 1
        return False

    def _update(self) -> Iterator[BlockTask]:
        """Updates the workers, and takes back blocks whose workers all have left.

        Yields those that are given up.
        """
        from dask.utils import key_split

        key_split.cache_clear()  # it keeps 100,000 keys if the scheduler is in this process
        self._workers.update()
        self._updated = time.monotonic()
        present = self._workers.present
        stranded = [
            future
            for future, task in self._sent.items()
            if task.workers.isdisjoint(present) and not future.done()
        ]
        if stranded:
            self._workers.client.cancel(stranded, force=True)
        for future in stranded:
            task = self._sent.pop(future)
            task.losses, task.problem = task.losses + 1, f"its workers died. {task.job.cure}"
            if task.is_given_up:
                yield task
            else:
                self._waiting.appendleft(task)
