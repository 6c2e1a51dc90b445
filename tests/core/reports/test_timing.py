"""Where the time of long work went."""

import threading
import time

from segment.core.machine import process_start
from segment.core.reports.timing import Clock, describe_timing


def test_seconds_of_the_thread_add_up_and_others_are_beside() -> None:
    clock = Clock(time.monotonic() - 5)

    def read() -> None:
        with clock.measure("read"):
            time.sleep(0.02)

    with clock.measure("write"):
        reader = threading.Thread(target=read)
        with clock.measure("wait"):
            reader.start()
            reader.join()
    clock.switch("outputs")
    time.sleep(0.01)
    found = clock.report()
    parts = {k: v for k, v in found.items() if k not in ("total", "threads")}
    assert list(parts) == ["start", "read", "cut", "wait", "merge", "write", "outputs"]
    assert abs(sum(parts.values()) - found["total"]) < 0.01
    assert found["start"] >= 5 and found["wait"] > 0.015 and found["outputs"] > 0
    assert found["threads"].keys() == {"read"} and found["threads"]["read"] > 0.015


def test_waiting_for_rows_is_divided_between_reading_and_cutting() -> None:
    clock = Clock()

    def work() -> None:
        for activity in ("read", "read", "cut"):
            with clock.measure(activity):
                time.sleep(0.03)

    with clock.measure("read"):
        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
    found = clock.report()
    assert found["read"] > found["cut"] > 0


def test_lines_name_each_activity_with_its_share() -> None:
    names = ("start", "read", "cut", "wait", "merge", "write", "outputs")
    timing = dict.fromkeys(names, 0.5) | {"wait": 7.0, "total": 10.0, "threads": {"model": 13.5}}
    lines = describe_timing(timing)
    assert lines[0].split() == ["seconds", "10.00"]
    assert lines[4].split() == ["wait", "for", "model", "7.00", "70%"]
    assert lines[-1].endswith("model 13.50")
    assert len(lines) == 9


def test_this_process_started_a_while_ago() -> None:
    assert 0 < time.monotonic() - process_start() < 7200
