"""Progress that workers of a cluster tell, shown where the command runs."""

from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from segment.core.progress import Progress

if TYPE_CHECKING:
    from distributed import Client, Worker


class SentProgress:
    """A worker's end. topic: that the other end listens to."""

    def __init__(self, worker: "Worker", topic: str):
        self._worker, self._topic = worker, topic

    def say(self, line: str) -> None:
        """Nothing: results are told by their study."""

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        self._worker.log_event(self._topic, [self._worker.address, task, done, total, note])


class ReceivedProgress:
    """The other end, which shows what has come when it is asked to: it comes in a thread of Dask's."""

    def __init__(self, client: "Client", topic: str, progress: Progress):
        self._progress, self._news = progress, deque[list[Any]]()
        self._under_way: dict[str, tuple[str, int]] = {}  # tasks, with their worker and total
        client.subscribe_topic(topic, lambda event: self._news.append(event[1]))

    def show(self) -> None:
        """Shows what has come since."""
        while self._news:
            worker, task, done, total, note = self._news.popleft()
            self._under_way[task] = worker, total
            self._progress.advance(task, done, total, note)
            if done >= total:
                del self._under_way[task]

    def forget(self, alive: Collection[str]) -> None:
        """Ends what workers that are gone were at."""
        for task, (worker, total) in list(self._under_way.items()):
            if worker not in alive:
                del self._under_way[task]
                self._progress.advance(task, total, total)
