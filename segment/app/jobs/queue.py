"""Jobs: what is computed for a visitor, in a folder of its own that is removed."""

import logging
import math
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from segment.app.jobs.server_folder import ServerFolder
from segment.app.uploads.messages import rephrase
from segment.app.uploads.quota import Quota
from segment.core.errors import InputError, Interrupted
from segment.core.progress import Silent

T = TypeVar("T")

Kind = Literal["classify", "map"]

AT_ONCE: dict[Kind, int] = {"classify": 2, "map": 1}
"""Jobs of each kind that are computed at a time, those of the page and of the API together; others wait their turn."""

KEPT_SECONDS = 3600.0
"""How long results and uploads stay, if their visitor does not leave or ask for something else before."""

_LOOK = 0.5  # seconds after which a job that waits looks whether it was cancelled
_SWEEPING_SECONDS = 60.0
_CLOSING_SECONDS = 30.0  # a batch of tiles, or the writing of a file, is not interrupted


@dataclass(eq=False)
class Job:
    """Work for a visitor. folder: its files. slot: held while it is computed. quota: has to have room when its turn comes.

    done, total: steps of the work so far. started, ended: time.monotonic(); ended is None while it is computed.
    result: what came of it, None before. error: what ended it in place of a result.
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
        """Told of the steps that are done. Raises Interrupted when the job was cancelled."""
        self.check()
        self.done, self.total = done, total

    def check(self) -> None:
        """Raises Interrupted when the job was cancelled."""
        if self.stopped:
            raise Interrupted("Cancelled. Nothing was kept.")

    @property
    def stopped(self) -> bool:
        """Whether it was cancelled or has failed, which leaves no files."""
        return self._stopped.is_set()

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled before it ended."""
        return self.stopped and (self.error is None or isinstance(self.error, Interrupted))

    def cancel(self) -> None:
        """Ends the job with its next step, and its files go; one that has ended stays as it is."""
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
        """Does the work, when it is this job's turn, and returns what it gives.

        Raises what the work raises. A job that failed or was cancelled leaves no files.
        """
        self.ended = None
        try:
            while not self.slot.acquire(timeout=_LOOK):
                self.check()
            try:
                self.check()
                self.quota.require()
                self.result = found = work()
            finally:
                self.slot.release()
            with self._ending:  # from here on it is too late to cancel it
                self.check()
                self.ended = time.monotonic()
            return found
        except BaseException as error:
            self.error = error if isinstance(error, Exception) else None
            self._stopped.set()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.ended = time.monotonic()
            raise

    def watch(self, work: Callable[[], T], look: Callable[[], Any], every: float = 0.4) -> Generator[Any, None, T]:
        """As `do`, but in a thread, and yields what `look` gives while it lasts, every so many seconds."""
        pool = ThreadPoolExecutor(1)
        self.ended = None
        future = pool.submit(self.do, work)
        try:
            while wait([future], every).not_done:
                yield look()
            return future.result()
        finally:
            if not future.done():  # whoever waited has gone
                self.stop()
            pool.shutdown(wait=False)

    def tell(self, error: Exception) -> str:
        """What to say of an error: without where the server keeps its files. A fault of ours goes to the log, too."""
        if isinstance(error, InputError):
            return rephrase(str(error), self.folder)
        if isinstance(error, MemoryError):
            return "The work must fit into memory. Received more. Choose a smaller file."
        logging.getLogger(__name__).error("a job failed", exc_info=error)
        return f"A fault of ours, not of the file: {type(error).__name__}. Please report it, with what the server's log says."


class JobProgress(Silent):
    """Shows a library's progress as that of a job, and stops it where the job was cancelled."""

    def __init__(self, job: Job):
        self._job = job

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        self._job.advance(done, total)


class Jobs:
    """All jobs of a server, and the folder under which it keeps files: `uploads`, `results`, `samples`.

    quota: of that folder, for at most `most_kept` bytes.
    """

    def __init__(self, most_kept: float = math.inf) -> None:
        self._folder = ServerFolder()
        self.root = self._folder.path
        self.uploads, self.results, self.samples = (self.root / name for name in ("uploads", "results", "samples"))
        for folder in (self.uploads, self.results, self.samples):
            folder.mkdir()
        self.quota = Quota(self.root, most_kept)
        self._slots = {kind: threading.Semaphore(number) for kind, number in AT_ONCE.items()}
        self._jobs: dict[tuple[str, Kind], list[Job]] = {}
        self._expected: set[tuple[str, Kind]] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        threading.Thread(target=self._keep_sweeping, daemon=True).start()

    @property
    def received(self) -> tuple[Path, ...]:
        """Folders whose files visitors may ask for."""
        return self.uploads, self.samples

    def expect(self, visitor: str, kind: Kind) -> bool:
        """Notes that a job of the visitor waits for its turn, unless one is computed; whether it does."""
        with self._lock:
            if any(job.ended is None for job in self._jobs.get((visitor, kind), [])):
                return False
            self._expected.add((visitor, kind))
            return True

    def withdraw(self, visitor: str, kind: Kind) -> bool:
        """Whether a job was expected; it is no longer."""
        with self._lock:
            expected = (visitor, kind) in self._expected
            self._expected.discard((visitor, kind))
            return expected

    def begin(self, visitor: str, kind: Kind, *, instead: bool = True) -> Job:
        """A new job, instead of what the visitor had of this kind or beside it."""
        if instead:
            self.forget(visitor, [kind])
        folder = self.results / secrets.token_urlsafe(16)
        folder.mkdir()
        job = Job(visitor, kind, folder, self._slots[kind], self.quota)
        with self._lock:
            self._jobs.setdefault((visitor, kind), []).append(job)
        return job

    def last(self, visitor: str, kind: Kind) -> Job | None:
        """The visitor's latest job of a kind, if it is still kept."""
        with self._lock:
            found = self._jobs.get((visitor, kind), [])
            return next((job for job in reversed(found) if not job.stopped), None)

    def stop(self, visitor: str, kind: Kind) -> Job | None:
        """The visitor's latest job of a kind, cancelled if it had not ended; None if there is none."""
        with self._lock:
            job = next(reversed(self._jobs.get((visitor, kind), [])), None)
        if job is not None:
            job.cancel()
        return job

    def forget(self, visitor: str, kinds: Iterable[Kind] = tuple(AT_ONCE)) -> None:
        """Cancels a visitor's jobs and removes their files. Uploads stay until they are swept: others may have sent the same."""
        with self._lock:
            self._expected -= {(visitor, kind) for kind in kinds}
            jobs = [job for kind in kinds for job in self._jobs.get((visitor, kind), [])]
        for job in jobs:  # those that are computed are listed until they end
            job.stop()

    def running(self) -> int:
        """How many jobs are being computed, or wait for their turn."""
        with self._lock:
            return sum(job.ended is None for jobs in self._jobs.values() for job in jobs)

    def sweep(self, kept_seconds: float = KEPT_SECONDS) -> None:
        """Removes results that came longer than `kept_seconds` ago, and uploads that were last received before that."""
        with self._lock:
            for key, jobs in list(self._jobs.items()):
                for job in list(jobs):
                    if job.ended is not None and (job.stopped or time.monotonic() - job.ended > kept_seconds):
                        job.stop()
                        jobs.remove(job)
                if not jobs:
                    del self._jobs[key]
        for place in self.uploads.iterdir():
            with suppress(OSError):  # what is just being put in its place, or removed
                if time.time() - max(entry.stat().st_mtime for entry in (place, *place.glob("*"))) > kept_seconds:
                    shutil.rmtree(place) if place.is_dir() else place.unlink()

    def _keep_sweeping(self) -> None:
        while not self._closing.wait(_SWEEPING_SECONDS):
            with suppress(OSError):
                self.sweep()

    def close(self) -> None:
        """Cancels and removes everything."""
        self._closing.set()
        with self._lock:
            jobs = [job for jobs in self._jobs.values() for job in jobs]
        for job in jobs:
            job.stop()
        latest = time.monotonic() + _CLOSING_SECONDS  # files of a job that still writes would come back
        while any(job.ended is None for job in jobs) and time.monotonic() < latest:
            time.sleep(0.05)
        self._folder.remove()
