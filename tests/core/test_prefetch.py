"""Threads beside the caller."""

import threading
import time
from collections.abc import Iterator

import pytest

from segment.core.prefetch import calls_behind, prefetch


def test_calls_behind_keep_their_order_and_have_ended_on_exit() -> None:
    done: list[tuple[int, str]] = []
    with calls_behind() as behind:
        for number in range(20):
            behind(lambda n: done.append((n, threading.current_thread().name)), number)
    assert [number for number, _ in done] == list(range(20))
    assert threading.current_thread().name not in {name for _, name in done}


def test_after_a_call_that_fails_no_other_is_made() -> None:
    done, others_wait = [], threading.Event()

    def call(number: int) -> None:
        others_wait.wait()
        if number == 2:
            raise OSError("disk full")
        done.append(number)

    with pytest.raises(OSError, match="disk full"), calls_behind(most=10) as behind:
        for number in range(6):
            behind(call, number)
        others_wait.set()
    assert done == [0, 1]


def test_calls_that_wait_are_made_although_the_caller_is_interrupted() -> None:
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt), calls_behind() as behind:
        behind(done.append, 1)
        behind(done.append, 2)
        raise KeyboardInterrupt
    assert done == [1, 2]


def stop_at_start_of_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C arrives while the next thread starts."""
    start = threading.Thread.start

    def stopped(thread: threading.Thread) -> None:
        monkeypatch.undo()
        start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", stopped)


def test_a_stop_while_a_thread_starts_leaves_no_call_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[float] = []
    ended: list[float] = []

    def call() -> None:
        begun.append(time.monotonic())
        time.sleep(0.1)
        ended.append(time.monotonic())

    stop_at_start_of_a_thread(monkeypatch)
    with pytest.raises(KeyboardInterrupt), calls_behind() as behind:
        behind(call)
    left = time.monotonic()
    time.sleep(0.15)
    assert len(begun) == len(ended) and max(ended, default=left) <= left


def test_a_stop_while_a_thread_starts_closes_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def items() -> Iterator[int]:
        try:
            for number in range(3):
                threads.append(threading.get_ident())
                time.sleep(0.1)
                yield number
        finally:
            threads.append(threading.get_ident())

    stop_at_start_of_a_thread(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        list(prefetch(items(), str, 2))
    time.sleep(0.15)
    assert len(set(threads)) <= 1


@pytest.mark.parametrize("count", [0, 1, 4, 30])
def test_prefetched_items_come_in_order_and_are_read_a_little_ahead(count: int) -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for number in range(count):
            read.append(number)
            yield number

    ahead, found = 0, []
    for item, result in prefetch(items(), lambda n: n * n, 2):
        found.append((item, result))
        ahead = max(ahead, len(read) - len(found))
    assert found == [(n, n * n) for n in range(count)]
    assert ahead <= 13  # three items read, and three computed, per thread
