"""Results put together beside the work that goes on: several at a time, and few that wait."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from segment.core.machine import available_cores

R = TypeVar("R")

_MOST = 8  # at a time; each takes some hundred megabytes


class Assembly(Generic[R]):
    """Threads that put results together, one for every two cores: half of that work keeps two busy by itself."""

    def __init__(self) -> None:
        self._count = min(max(available_cores() // 2, 1), _MOST)
        self._pool = ThreadPoolExecutor(self._count)
        self._pending: set[Future[R]] = set()

    def add(self, work: Callable[[], R]) -> None:
        self._pending.add(self._pool.submit(work))

    @property
    def is_full(self) -> bool:
        """Whether many are waiting: what they are made of takes up the disk."""
        return sum(not future.done() for future in self._pending) > 2 * self._count

    def results(self, everything: bool = False) -> Iterator[R]:
        """Those that are there; with `everything`, all others, too, as they come. Raises what putting one together raised."""
        while self._pending:
            done, _ = wait(self._pending, None if everything else 0, FIRST_COMPLETED)
            if not done:
                return
            for future in sorted(done, key=lambda future: future.exception() is not None):
                self._pending.remove(future)
                yield future.result()

    def drop_waiting(self) -> bool:
        """Gives up those that were not begun; whether others are being put together."""
        self._pending = {future for future in self._pending if not future.cancel()}
        return any(not future.done() for future in self._pending)

    def close(self) -> None:
        """Waits for those that are being put together."""
        self._pool.shutdown(cancel_futures=True)
