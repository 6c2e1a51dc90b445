"""Jobs: what is computed for a visitor, in a folder of its own that is removed later."""

import math
import secrets
import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from segment.app.jobs.job import Job, Kind
from segment.app.jobs.server_folder import ServerFolder
from segment.app.uploads.quota import Quota

AT_ONCE: dict[Kind, int] = {"classify": 2, "map": 1}
"""How many jobs of each kind are computed at once, for page and API together; others wait."""

KEPT_SECONDS = 3600.0
"""How long results and uploads are kept, unless their visitor leaves or replaces them earlier."""

_SWEEPING_SECONDS = 60.0
_CLOSING_SECONDS = 30.0  # a batch of tiles, or the writing of a file, runs to its end


class Jobs:
    """All jobs of a server, and the folder in which it keeps files.

    Attributes:
        root: Folder that holds the others.
        uploads: Folder of uploaded files.
        results: Folder of the jobs' folders.
        samples: Folder of sample scenes.
        quota: Room for the files under `root`.
    """

    def __init__(self, most_kept: float = math.inf) -> None:
        """Creates the folders, and starts removing what is older than KEPT_SECONDS.

        Args:
            most_kept: Most bytes that the files under `root` may have.
        """
        self._folder = ServerFolder()
        self.root = self._folder.path
        self.uploads, self.results, self.samples = (
            self.root / name for name in ("uploads", "results", "samples")
        )
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
        """Notes that a job of a visitor waits for its turn, unless one is computed.

        Args:
            visitor: Whose job it is.
            kind: Kind of work.

        Returns:
            Whether the job waits.
        """
        with self._lock:
            if any(job.ended is None for job in self._jobs.get((visitor, kind), [])):
                return False
            self._expected.add((visitor, kind))
            return True

    def withdraw(self, visitor: str, kind: Kind) -> bool:
        """Notes that a job of a visitor no longer waits.

        Args:
            visitor: Whose job it is.
            kind: Kind of work.

        Returns:
            Whether one waited.
        """
        with self._lock:
            expected = (visitor, kind) in self._expected
            self._expected.discard((visitor, kind))
            return expected

    def begin(self, visitor: str, kind: Kind, *, instead: bool = True) -> Job:
        """Creates a job with a folder of its own.

        Args:
            visitor: Whose job it is.
            kind: Kind of work.
            instead: Whether it replaces the visitor's other jobs of this kind, which are stopped.

        Returns:
            The job.
        """
        if instead:
            self.forget(visitor, [kind])
        folder = self.results / secrets.token_urlsafe(16)
        folder.mkdir()
        job = Job(visitor, kind, folder, self._slots[kind], self.quota)
        with self._lock:
            self._jobs.setdefault((visitor, kind), []).append(job)
        return job

    def last(self, visitor: str, kind: Kind) -> Job | None:
        """Returns the latest job of a visitor that is still kept.

        Args:
            visitor: Whose job it is.
            kind: Kind of work.

        Returns:
            The job, or None if there is none.
        """
        with self._lock:
            found = self._jobs.get((visitor, kind), [])
            return next((job for job in reversed(found) if not job.stopped), None)

    def stop(self, visitor: str, kind: Kind) -> Job | None:
        """Cancels the latest job of a visitor, if it has not ended.

        Args:
            visitor: Whose job it is.
            kind: Kind of work.

        Returns:
            The job, or None if there is none.
        """
        with self._lock:
            job = next(reversed(self._jobs.get((visitor, kind), [])), None)
        if job is not None:
            job.cancel()
        return job

    def forget(self, visitor: str, kinds: Iterable[Kind] = tuple(AT_ONCE)) -> None:
        """Cancels the jobs of a visitor and removes their files.

        Uploads stay until they are swept: other visitors may have sent the same files.

        Args:
            visitor: Whose jobs they are.
            kinds: Kinds of work, by default all.
        """
        with self._lock:
            self._expected -= {(visitor, kind) for kind in kinds}
            jobs = [job for kind in kinds for job in self._jobs.get((visitor, kind), [])]
        for job in jobs:  # running ones stay listed until they end
            job.stop()

    def running(self) -> int:
        """Returns how many jobs are computed or wait for their turn."""
        with self._lock:
            return sum(job.ended is None for jobs in self._jobs.values() for job in jobs)

    def sweep(self, kept_seconds: float = KEPT_SECONDS) -> None:
        """Removes old results and uploads.

        Args:
            kept_seconds: Age from which they are removed: of results since they were finished, of
                uploads since they were last received.
        """
        with self._lock:
            for key, jobs in list(self._jobs.items()):
                for job in list(jobs):
                    if job.ended is not None and (
                        job.stopped or time.monotonic() - job.ended > kept_seconds
                    ):
                        job.stop()
                        jobs.remove(job)
                if not jobs:
                    del self._jobs[key]
        for place in self.uploads.iterdir():
            with suppress(OSError):  # it may just be moved or removed
                if (
                    time.time() - max(entry.stat().st_mtime for entry in (place, *place.glob("*")))
                    > kept_seconds
                ):
                    shutil.rmtree(place) if place.is_dir() else place.unlink()

    def _keep_sweeping(self) -> None:
        while not self._closing.wait(_SWEEPING_SECONDS):
            with suppress(OSError):
                self.sweep()

    def close(self) -> None:
        """Cancels all jobs and removes all files."""
        self._closing.set()
        with self._lock:
            jobs = [job for jobs in self._jobs.values() for job in jobs]
        for job in jobs:
            job.stop()
        # A job that still writes would create files again after they are removed.
        latest = time.monotonic() + _CLOSING_SECONDS
        while any(job.ended is None for job in jobs) and time.monotonic() < latest:
            time.sleep(0.05)
        self._folder.remove()
