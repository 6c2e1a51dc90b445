"""A job of the app: work for a visitor that waits for its turn."""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from segment.app.uploads.quota import Quota
from segment.app.uploads.visitors import rephrase
from segment.core.errors import InputError, Interrupted
from segment.core.progress import Silent

T = TypeVar("T")
Kind = Literal["classify", "map"]

_CHECK_SECONDS = 0.5  # seconds between two checks of a waiting job for cancellation


@dataclass(eq=False)
class Job:
    """Work for a visitor.

    Attributes:
        visitor: Whose job it is, see `identify_visitor`.
        kind: Kind of work.
        folder: Folder of its files.
        slot: Held while the job is computed.
        quota: Must have room when the turn of the job comes.
        started: Time when it was created, as `time.monotonic` gives it.
        ended: Time when it ended, as `time.monotonic` gives it; None while it waits for its turn or
            is computed. Until then, the time when it was created.
        done: Steps of the work that are done.
        total: All steps of the work, 0 while they are not known.
        result: Result of the work, None until there is one.
        error: Error that ended the work in place of a result.
    """

    visitor: str
    kind: Kind
    folder: Path
    slot: threading.Semaphore
    quota: Quota
    started: float = field(default_factory=time.monotonic)
    ended: float | None = field(default_factory=time.monotonic)
    done: int = 0
    total: int = 0
    result: Any = None
    error: Exception | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _ending: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, done: int, total: int) -> None:
        """Records how many steps are done.

        Args:
            done: Steps that are done.
            total: All steps.

        Raises:
            Interrupted: If the job was cancelled.
        """
        self.check()
        self.done, self.total = done, total

    def check(self) -> None:
        """Checks that the job goes on.

        Raises:
            Interrupted: If it was cancelled.
        """
        if self.stopped:
            raise Interrupted("Cancelled. Nothing was kept.")

    @property
    def stopped(self) -> bool:
        """Whether the job was cancelled or has failed, which leaves no files."""
        return self._stopped.is_set()

    @property
    def cancelled(self) -> bool:
        """Whether the job was cancelled before it ended."""
        return self.stopped and (self.error is None or isinstance(self.error, Interrupted))

    def cancel(self) -> None:
        """Ends the job at its next step and has its files removed.

        A job that has ended stays as it is.
        """
        with self._ending:
            if self.ended is None:
                self._stopped.set()

    def stop(self) -> None:
        """Cancels the job, and removes its files, now or when it ends."""
        with self._ending:
            self._stopped.set()
        if self.ended is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def do(self, work: Callable[[], T]) -> T:
        """Does the work when it is the turn of this job.

        A job that failed or was cancelled leaves no files.

        Args:
            work: Function that does the work.

        Returns:
            The result of the work.

        Raises:
            InputError: If the server has no room for more files.
            Interrupted: If the job was cancelled.
            Exception: Whatever the work raises.
        """
        self.ended = None
        try:
            while not self.slot.acquire(timeout=_CHECK_SECONDS):
                self.check()
            try:
                self.check()
                self.quota.require()
                self.result = found = work()
            finally:
                self.slot.release()
            with self._ending:  # after this it is too late to cancel the job
                self.check()
                self.ended = time.monotonic()
            return found
        except BaseException as error:
            self.error = error if isinstance(error, Exception) else None
            self._stopped.set()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.ended = time.monotonic()
            raise

    def watch(
        self, work: Callable[[], T], report: Callable[[], Any], every: float = 0.4
    ) -> Generator[Any, None, T]:
        """Does the work as `do` does, but in a thread, and reports on it meanwhile.

        The job is stopped if the caller closes the generator.

        Args:
            work: Function that does the work.
            report: Function that returns what to yield.
            every: Seconds between two reports.

        Yields:
            What `report` returns, as long as the work lasts.

        Returns:
            The result of the work.
        """
        pool = ThreadPoolExecutor(1)
        self.ended = None
        future = pool.submit(self.do, work)
        try:
            while wait([future], every).not_done:
                yield report()
            return future.result()
        finally:
            if not future.done():  # the caller has gone
                self.stop()
            pool.shutdown(wait=False)

    def message(self, error: Exception) -> str:
        """Returns the message for an error, without paths of the server.

        Faults of the app are written to the log as well.

        Args:
            error: Error that ended the job.

        Returns:
            A message for the visitor.
        """
        if isinstance(error, InputError):
            return rephrase(str(error), self.folder)
        if isinstance(error, MemoryError):
            return "Not enough memory. Choose a smaller file."
        logging.getLogger(__name__).error("a job failed", exc_info=error)
        return (
            f"A fault of ours, not of the file: {type(error).__name__}. Please report it, with the"
            " lines of the server's log."
        )


class JobProgress(Silent):
    """Shows a library's progress as that of a job, and stops it where the job was cancelled."""

    def __init__(self, job: Job):
        self._job = job

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        """Shows the steps done, and stops a cancelled job (see `Silent`)."""
        self._job.advance(done, total)


def check_augment(augment: Any) -> None:
    """Checks the setting `augment` of a job: the API takes any value.

    Args:
        augment: Value that was sent.

    Raises:
        InputError: If it is neither true nor false.
    """
    if augment not in (True, False):
        raise InputError(f"augment: {augment!r} is unknown. Choose true or false.")
