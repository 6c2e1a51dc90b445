"""Clocks that show what the time of long work was spent on."""

import threading
import time
from collections import defaultdict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

_ACTIVITIES = ("start", "read", "cut", "wait", "merge", "write", "outputs")


class Clock:
    """Seconds of one thread, divided among what it does; and the work of other threads.

    The thread that makes the clock does one thing at a time, so its seconds add up to the whole.
    """

    def __init__(self, begun: float | None = None, activity: str = "start"):
        """Starts the clock.

        Args:
            begun: Moment of `time.monotonic` from which it counts, by default now.
            activity: What the thread has done since then.
        """
        self._thread, self._activity = threading.get_ident(), activity
        self._since = time.monotonic() if begun is None else begun
        self._spent: dict[str, float] = defaultdict(float)
        self._beside: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def switch(self, activity: str) -> str:
        """Notes that the thread of the clock does something else from now on.

        Args:
            activity: What it does.

        Returns:
            What it did until now.
        """
        now, earlier = time.monotonic(), self._activity
        self._spent[earlier] += now - self._since
        self._since, self._activity = now, activity
        return earlier

    @contextmanager
    def measure(self, activity: str) -> Generator[None, None, None]:
        """Measures what is done in the context, in any thread.

        Args:
            activity: What is done.

        Yields:
            Nothing.
        """
        if threading.get_ident() == self._thread:
            earlier = self.switch(activity)
            try:
                yield
            finally:
                self.switch(earlier)
            return
        begun = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._beside[activity] += time.monotonic() - begun

    def report(self) -> dict[str, Any]:
        """Makes the key `timing` of a report.

        Returns:
            Seconds of each activity, which add up to `total`, and in `threads` what other threads
            worked at the same time. `read` and `cut` are what the work waited for them, divided in
            proportion to how long they took.
        """
        self.switch(self._activity)
        spent, beside = dict(self._spent), self._beside
        waited, read, cut = spent.get("read", 0.0), beside.get("read", 0.0), beside.get("cut", 0.0)
        spent["cut"] = waited * cut / max(read + cut, 1e-9)
        spent["read"] = waited - spent["cut"]
        return {
            **{name: round(spent.get(name, 0.0), 3) for name in _ACTIVITIES},
            "total": round(sum(spent.values()), 3),
            "threads": {name: round(seconds, 3) for name, seconds in sorted(beside.items())},
        }


def describe_timing(timing: Mapping[str, Any]) -> list[str]:
    """Formats the key `timing` of a report.

    Args:
        timing: What `Clock.report` returned.

    Returns:
        Lines with the seconds and the share of each activity.
    """
    total, beside = timing["total"], timing["threads"]
    lines = [f"{'seconds':<17}{total:8.2f}"]
    for name in _ACTIVITIES:
        share = timing[name] / max(total, 1e-9)
        label = "wait for model" if name == "wait" else name
        lines.append(f"  {label:<15}{timing[name]:8.2f} {share:5.0%}")
    if beside:
        spent = ", ".join(f"{name} {seconds:.2f}" for name, seconds in beside.items())
        lines.append(f"  at the same time in other threads: {spent}")
    return lines
