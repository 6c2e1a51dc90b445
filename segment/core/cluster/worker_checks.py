"""Questions to the workers of a cluster, whose answers are collected without waiting."""

import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client, Future


@dataclass(frozen=True)
class Answer:
    """Answer of a worker to a question.

    Attributes:
        worker: Address of the worker.
        arguments: Arguments of the question.
        error: What the question raised; None for yes.
    """

    worker: str
    arguments: tuple[Any, ...]
    error: BaseException | None


@dataclass(frozen=True)
class _Question:
    future: "Future[Any]"
    arguments: tuple[Any, ...]
    since: float


class WorkerChecks:
    """Questions to workers, one at a time to each.

    A worker may hang, be busy with other work, or leave; nothing waits for it. A question is a
    function that raises an exception where the answer is no: Dask reports exceptions at once, but
    would have to fetch results from the worker, which may hang by then.
    """

    def __init__(self, client: "Client"):
        """Starts without questions.

        Args:
            client: Client of the scheduler.
        """
        self._client = client
        self._asked: dict[str, _Question] = {}

    @property
    def asked(self) -> set[str]:
        """Addresses of the workers that have not answered."""
        return set(self._asked)

    def ask(self, worker: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Asks a worker.

        Args:
            worker: Address of the worker.
            function: The question; it raises an exception where the answer is no.
            *arguments: Arguments of the question.
        """
        future = self._client.submit(function, *arguments, workers=[worker], pure=False)
        self._asked[worker] = _Question(future, arguments, time.monotonic())

    def answers(self) -> list[Answer]:
        """Collects the answers that came since the last call.

        A worker whose question Dask has dropped counts as not asked.

        Returns:
            The answers.
        """
        ended = {
            worker: question for worker, question in self._asked.items() if question.future.done()
        }
        self._asked = {
            worker: question for worker, question in self._asked.items() if worker not in ended
        }
        return [
            Answer(
                worker,
                question.arguments,
                question.future.exception() if question.future.status == "error" else None,
            )
            for worker, question in ended.items()
            if question.future.status in ("finished", "error")
        ]

    def keep(self, workers: Container[str]) -> None:
        """Drops the questions to all other workers.

        Args:
            workers: Addresses of the workers whose questions are kept.
        """
        self._asked = {
            worker: question for worker, question in self._asked.items() if worker in workers
        }

    def overdue(self, seconds: float) -> set[str]:
        """Finds the workers that have not answered for some time.

        Args:
            seconds: Time since they were asked.

        Returns:
            Addresses of the workers.
        """
        now = time.monotonic()
        return {
            worker for worker, question in self._asked.items() if now - question.since > seconds
        }
