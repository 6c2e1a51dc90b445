"""Assembly of results in threads, a few at a time, while further work goes on."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from segment.core.machine import available_cores

R = TypeVar("R")

_MOST = 8  # threads; each takes some hundred megabytes


class Assembly(Generic[R]):
    """Threads that assemble results, one for every two cores.

    Half of the work keeps two cores busy.
    """

    def __init__(self) -> None:
        """Starts without results."""
        self._count = min(max(available_cores() // 2, 1), _MOST)
        self._pool = ThreadPoolExecutor(self._count)
        self._pending: set[Future[R]] = set()

    def add(self, work: Callable[[], R]) -> None:
        """Queues a result.

        Args:
            work: Assembles the result.
        """
        self._pending.add(self._pool.submit(work))

    @property
    def is_full(self) -> bool:
        """Whether many results are waiting, whose parts take up the disk."""
        return sum(not future.done() for future in self._pending) > 2 * self._count

    def results(self, everything: bool = False) -> Iterator[R]:
        """Takes the results that are finished.

        Args:
            everything: Whether to wait for all others, too.

        Yields:
            The results as they are finished.

        Raises:
            Exception: Whatever the assembly of a result raised.
        """
        while self._pending:
            done, _ = wait(self._pending, None if everything else 0, FIRST_COMPLETED)
            if not done:
                return
            for future in sorted(done, key=lambda future: future.exception() is not None):
                self._pending.remove(future)
                yield future.result()

    def drop_waiting(self) -> bool:
        """Drops the results whose assembly has not begun.

        Returns:
            Whether others are being assembled.
        """
        self._pending = {future for future in self._pending if not future.cancel()}
        return any(not future.done() for future in self._pending)

    def close(self) -> None:
        """Waits for the results that are being assembled, and drops the others."""
        self._pool.shutdown(cancel_futures=True)
