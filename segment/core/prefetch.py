"""Threads beside the caller: prefetching of what it uses next, and calls behind it."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import Any, TypeVar

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
    items: Generator[T, None, None],
    compute: Callable[[T], R],
    workers: int,
    measure: Callable[[str], AbstractContextManager[Any]] = nullcontext,
) -> Generator[tuple[T, R], None, None]:
    """Computes results of items ahead of their use, in several threads.

    One further thread reads the items.

    Args:
        items: Items to compute. They must not be None.
        compute: Computes the result of one item.
        workers: Number of threads that compute.
        measure: Makes the contexts in which an item ("read") or a result ("wait") is waited for.

    Yields:
        Each item and its result, in order.
    """
    pending: deque[tuple[T, Future[R]]] = deque()
    with ThreadPoolExecutor(workers) as pool, closing(_read_ahead(items, _AHEAD * workers)) as read:
        try:
            is_more = True
            while is_more or pending:
                while is_more and len(pending) <= _AHEAD * workers:
                    with measure("read"):
                        new = next(read, None)
                    is_more = new is not None
                    if new is not None:
                        pending.append((new, pool.submit(compute, new)))
                if pending:
                    item, future = pending.popleft()
                    with measure("wait"):
                        result = future.result()
                    yield item, result
        finally:
            for _, future in pending:
                future.cancel()


def _read_ahead(items: Generator[T, None, None], count: int) -> Generator[T, None, None]:
    """Yields the same items; a thread makes the next `count` of them while one is in use."""
    pending: deque[Future[T | None]] = deque()
    with _one_thread() as pool:
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


@contextmanager
def calls_behind(most: int = 2) -> Iterator[Callable[..., None]]:
    """Makes calls in a thread of their own, in order.

    After a call that fails no other is made. On exit, all calls have ended.

    Args:
        most: Number of calls that may wait or run while the caller goes on.

    Yields:
        Function that takes a function and its arguments. It raises the error of an earlier call,
        as the exit from the context does.
    """
    pending: deque[Future[None]] = deque()
    failed = False

    def run(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        nonlocal failed
        if not failed:
            failed = True  # unless it comes to its end
            function(*arguments)
            failed = False

    def call(function: Callable[..., None], *arguments: Any) -> None:
        pending.append(pool.submit(run, function, arguments))
        while len(pending) > most or (pending and pending[0].done()):
            pending.popleft().result()

    with _one_thread() as pool:
        yield call
        while pending:
            pending.popleft().result()


@contextmanager
def _one_thread() -> Iterator[ThreadPoolExecutor]:
    """Provides a pool whose thread has started before it is given work.

    The pool does not know a thread in whose start Ctrl-C arrives: it would neither wait for it, nor
    keep from starting another one.
    """
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        yield pool
