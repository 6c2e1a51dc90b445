"""Results that are put together in the background."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event

import pytest

from segment.core.cluster.assembly import Assembly


@pytest.mark.parametrize(("cores", "at_a_time"), [(1, 1), (2, 1), (8, 4), (64, 8)])
def test_two_cores_put_one_result_together_at_a_time(
    monkeypatch: pytest.MonkeyPatch, cores: int, at_a_time: int
) -> None:
    monkeypatch.setattr("segment.core.cluster.assembly.available_cores", lambda: cores)
    assembly, together, goal = Assembly[int](), Barrier(at_a_time + 1), Event()

    def work(number: int) -> int:
        if number < at_a_time:
            together.wait(60)
        return number if goal.wait(60) else -1

    for number in range(2 * at_a_time):
        assembly.add(partial(work, number))
    together.wait(60)  # as many are at it at once
    assert not assembly.is_full
    assembly.add(lambda: 100)
    assert assembly.is_full  # more of them would leave more blocks on the disk
    assert list(assembly.results()) == []
    goal.set()
    assert sorted(assembly.results(everything=True)) == [*range(2 * at_a_time), 100]
    assert not assembly.is_full
    assembly.close()


def test_those_that_wait_are_dropped_and_those_under_way_are_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("segment.core.cluster.assembly.available_cores", lambda: 1)
    assembly, begun, goal = Assembly[int](), Event(), Event()
    assembly.add(lambda: begun.set() or int(goal.wait(60)))
    assembly.add(lambda: 2)
    begun.wait(60)
    assert assembly.drop_waiting()
    goal.set()
    assert list(assembly.results(everything=True)) == [1]
    assert not assembly.drop_waiting()
    assembly.close()


def test_a_result_that_is_there_does_not_wait_for_an_earlier_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("segment.core.cluster.assembly.available_cores", lambda: 4)
    assembly, goal = Assembly[str](), Event()
    assembly.add(lambda: "slow" if goal.wait(60) else "")
    assembly.add(lambda: "quick")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: next(assembly.results(everything=True)))
        assert first.result(60) == "quick"
    goal.set()
    assert list(assembly.results(everything=True)) == ["slow"]
    assembly.close()


def test_what_went_wrong_is_raised_and_hides_no_result() -> None:
    assembly, found = Assembly[int](), []
    for divisor in (1, 0, 2):
        assembly.add(partial(divmod, 2, divisor))
    results = assembly.results(everything=True)
    with pytest.raises(ZeroDivisionError):
        found.extend(results)
    found += assembly.results(everything=True)
    assert sorted(found) == [(1, 0), (2, 0)]
    assembly.close()
