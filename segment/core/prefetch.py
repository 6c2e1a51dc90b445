"""Work done ahead of who uses it: the next items are read, and several computed, while the caller deals with earlier ones."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 3  # items read, and items computed, per thread that computes: enough to work on while the caller is busy


def each(items: Iterable[T]) -> Generator[T, None, None]:
    """The same items, as `compute_ahead` takes them."""
    yield from items


def compute_ahead(items: Generator[T, None, None], compute: Callable[[T], R], workers: int) -> Generator[tuple[T, R], None, None]:
    """Items and what `compute` makes of them, in order; `workers` threads compute, one more reads."""
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
    """The same items, the next `count` of them made in a thread of its own while one is in use."""
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
            pool.submit(items.close).result()  # there, too, so that files close in the thread that opened them
