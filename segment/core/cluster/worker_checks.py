"""Questions put to workers of a cluster, whose answers are looked for and never waited for."""

import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client, Future


@dataclass(frozen=True)
class Answer:
    """What a worker made of a question. arguments: that it was asked with. error: None for yes."""

    worker: str
    arguments: tuple[Any, ...]
    error: BaseException | None


@dataclass(frozen=True)
class _Question:
    future: "Future[Any]"
    arguments: tuple[Any, ...]
    since: float


class Inquiry:
    """One question at a time to each worker; it may hang, be busy with other work, or leave, and holds nobody up.

    A question is a function that raises where the answer is no: Dask tells of errors at once, but would have to fetch results
    from the worker, which may hang by then.
    """

    def __init__(self, client: "Client"):
        self._client = client
        self._asked: dict[str, _Question] = {}

    @property
    def asked(self) -> set[str]:
        """Workers that have not answered."""
        return set(self._asked)

    def ask(self, worker: str, function: Callable[..., Any], *arguments: Any) -> None:
        future = self._client.submit(function, *arguments, workers=[worker], pure=False)
        self._asked[worker] = _Question(future, arguments, time.monotonic())

    def answers(self) -> list[Answer]:
        """Those that came since the last call. A worker whose question Dask has dropped is as if it had not been asked."""
        ended = {worker: question for worker, question in self._asked.items() if question.future.done()}
        self._asked = {worker: question for worker, question in self._asked.items() if worker not in ended}
        return [
            Answer(worker, question.arguments, question.future.exception() if question.future.status == "error" else None)
            for worker, question in ended.items()
            if question.future.status in ("finished", "error")
        ]

    def keep(self, workers: Container[str]) -> None:
        """Drops what all others were asked."""
        self._asked = {worker: question for worker, question in self._asked.items() if worker in workers}

    def overdue(self, seconds: float) -> set[str]:
        """Workers that were asked so long ago, and have not answered."""
        now = time.monotonic()
        return {worker for worker, question in self._asked.items() if now - question.since > seconds}
