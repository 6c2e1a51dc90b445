"""Results that are put together in the background."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from segment.core.assembly import Assembly


@pytest.mark.parametrize(("cores", "at_a_time"), [(1, 1), (2, 1), (8, 4), (64, 8)])
def test_two_cores_put_one_result_together_at_a_time(monkeypatch: pytest.MonkeyPatch, cores: int, at_a_time: int) -> None:
    monkeypatch.setattr("segment.core.assembly.available_cores", lambda: cores)
    assembly, goal = Assembly[int](), Event()
    for number in range(2 * at_a_time):
        assembly.add(lambda number=number: number if goal.wait(60) else -1)
    assert not assembly.is_full
    assembly.add(lambda: 100)
    assert assembly.is_full  # more of them would leave more blocks on the disk
    assert list(assembly.results()) == []
    goal.set()
    assert sorted(assembly.results(everything=True)) == [*range(2 * at_a_time), 100]
    assert not assembly.is_full
    assembly.close()


def test_a_result_that_is_there_does_not_wait_for_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segment.core.assembly.available_cores", lambda: 4)
    assembly, goal, quick = Assembly[str](), Event(), Event()
    assembly.add(lambda: "slow" if goal.wait(60) else "")
    assembly.add(lambda: quick.set() or "quick")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: next(assembly.results(everything=True)))
        assert first.result(60) == "quick"
    goal.set()
    assert list(assembly.results(everything=True)) == ["slow"]
    assembly.close()


def test_what_went_wrong_is_raised_where_results_are_asked_for() -> None:
    assembly = Assembly[int]()
    assembly.add(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        list(assembly.results(everything=True))
    assembly.close()
