"""Scenes that are planned while others are done."""

import time
from collections.abc import Callable
from threading import Event
from types import SimpleNamespace

import pytest

from segment.core.cluster.planning import Planning
from segment.core.cluster.scene_job import Done
from segment.core.errors import InputError


def plans(count: int, blocks: int = 2) -> list[Callable[[], SimpleNamespace]]:
    return [lambda: SimpleNamespace(found=None, blocks=range(blocks)) for _ in range(count)]


def fail(error: Exception) -> Callable[[], None]:
    def plan() -> None:
        raise error

    return plan


def taken(planning: Planning) -> int:
    return sum(scene_job is not None for scene_job in planning.take())


def test_all_are_planned_however_many() -> None:
    planning = Planning(plans(5000))
    assert taken(planning) == 5000
    assert planning.is_over
    assert planning.blocks == planning.expected_blocks == 10000
    planning.close()


def test_no_more_are_planned_than_are_soon_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segment.core.cluster.planning._AHEAD", 10)
    planned: list[int] = []
    (plan,) = plans(1)
    planning = Planning([lambda: planned.append(1) or plan()] * 100)
    found = planning.take()
    while next(found) is None:
        pass
    time.sleep(0.2)
    assert len(planned) <= 11
    assert planning.expected_blocks == 201  # others are like them; and one, since it is not known
    planning.close()


def test_the_next_is_not_waited_for_and_others_are_expected_to_be_like_it() -> None:
    goal = Event()
    first, second = plans(2)
    planning = Planning([first, lambda: goal.wait(60) and second(), *plans(2)])
    found = planning.take()
    while (scene_job := next(found)) is None:
        pass
    assert len(scene_job.blocks) == 2
    assert next(found) is None
    assert (planning.blocks, planning.expected_blocks, planning.is_over) == (2, 9, False)
    goal.set()
    assert sum(scene_job is not None for scene_job in found) == 3
    planning.close()


def test_scenes_of_no_use_and_finished_ones_are_reported_before_the_next_is_planned() -> None:
    goal = Event()
    unreadable = OSError(5, "Input/output error", "c.tif")
    done = [
        lambda: SimpleNamespace(found="map"),
        fail(InputError("b.tif is broken.")),
        fail(unreadable),
    ]
    planning = Planning([*done, lambda: goal.wait(60) and plans(1)[0]()])
    items, found = planning.take(), list[Done]()
    deadline = time.monotonic() + 60
    while len(found) < 3 and time.monotonic() < deadline:
        if item := next(items):
            found.append(item)
    assert [one.result for one in found] == ["map", None, None]
    lines = ["b.tif is broken.", "c.tif: Input/output error. Check the path and its permissions."]
    assert [one.problems for one in found] == [[], *([line] for line in lines)]
    goal.set()
    assert taken(planning) == 1
    planning.close()


def test_it_stops_when_the_scene_that_it_is_at_is_planned() -> None:
    begun, goal = Event(), Event()
    planned: list[int] = []

    def plan() -> None:
        begun.set()
        goal.wait(60)
        planned.append(1)

    planning = Planning([plan] * 100)
    begun.wait(60)
    goal.set()
    planning.close()
    assert len(planned) < 100 and not planning.is_over


def test_a_fault_of_ours_is_raised_where_its_turn_comes() -> None:
    planning = Planning([*plans(1), fail(ZeroDivisionError())])
    with pytest.raises(ZeroDivisionError):
        taken(planning)
    planning.close()
