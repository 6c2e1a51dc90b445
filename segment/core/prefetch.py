"""Prefetching: threads read and compute the next items while the caller uses earlier ones."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# items read, and items computed, per computing thread: enough work while the caller is busy
_AHEAD = 3


def each(items: Iterable[T]) -> Generator[T, None, None]:
    """Turns items into a generator, as `prefetch` takes them.

    Args:
        items: Any items.

    Yields:
        The same items.
    """
    yield from items


def prefetch(
    items: Generator[T, None, None], compute: Callable[[T], R], workers: int
) -> Generator[tuple[T, R], None, None]:
    """Computes results of items ahead of their use, in several threads.

    One further thread reads the items.

    Args:
        items: Items to compute. They must not be None.
        compute: Computes the result of one item.
        workers: Number of threads that compute.

    Yields:
        Each item and its result, in order.
    """
    pending: deque[tuple[T, Future[R]]] = deque()
    with ThreadPoolExecutor(workers) as pool, closing(_read_ahead(items, _AHEAD * workers)) as read:
        try:
            for item in read:
                pending.append((item, pool.submit(compute, item)))
                if len(pending) > _AHEAD * workers:
                    item, future = pending.popleft()
                    yield item, future.result()
            while pending:
                item, future = pending.popleft()
                yield item, future.result()
        finally:
            for _, future in pending:
                future.cancel()


def _read_ahead(items: Generator[T, None, None], count: int) -> Generator[T, None, None]:
    """Yields the same items; a thread makes the next `count` of them while one is in use."""
    pending: deque[Future[T | None]] = deque()
    with ThreadPoolExecutor(1) as pool:
        try:
            pending.extend(pool.submit(next, items, None) for _ in range(count))
            while (item := pending.popleft().result()) is not None:
                pending.append(pool.submit(next, items, None))
                yield item
        finally:
            for future in pending:
                future.cancel()
            # in the same thread, so that files close in the thread that opened them
            pool.submit(items.close).result()
