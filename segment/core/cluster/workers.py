"""Workers of a cluster that can be given blocks."""

import time
from importlib.metadata import version
from importlib.util import find_spec
from operator import getitem
from typing import TYPE_CHECKING, NamedTuple

from segment.core.errors import InputError
from segment.core.progress import Progress

if TYPE_CHECKING:
    from distributed import Client, Future

_PACKAGE = "aerial-segment"
_PAUSE = 0.2  # seconds between checks of the workers


class SchedulerLost(InputError):
    """The scheduler does not answer any more."""


class _Process(NamedTuple):
    """A process that works or worked at an address; each has a folder of its own."""

    address: str
    folder: str


class Workers:
    """Workers of a cluster: those that have our version of the package, and those left out.

    Each new worker is asked for its version by a task that runs there and that nothing waits for,
    since the worker may hang.

    Attributes:
        client: Client of the scheduler.
        address: Address of the scheduler, for messages.
        fit: Number of cores of each worker that can be given blocks, by its address.
        present: Addresses of all workers that the scheduler knows.
        refused: Workers that are left out, with the reason for each.
    """

    def __init__(self, client: "Client", address: str, progress: Progress):
        """Starts without workers.

        Args:
            client: Client of the scheduler.
            address: Address of the scheduler, for messages.
            progress: Receives a line for each worker that is left out, and when there are none.
        """
        self.client, self.address, self._progress = client, address, progress
        self.fit: dict[str, int] = {}
        self.present: set[str] = set()
        self.refused: dict[str, str] = {}
        self._versions: dict[_Process, Future] = {}
        self._running: set[str] = set()
        self._is_waiting = False  # for a worker, which was reported

    def update(self) -> None:
        """Asks the scheduler for its workers, and new ones for their versions.

        Raises:
            SchedulerLost: If the scheduler does not answer any more.
        """
        self.require_scheduler()
        known = self.client.scheduler_info(n_workers=-1)["workers"]
        self.require_scheduler()
        found = {_Process(address, one["local_directory"]): one for address, one in known.items()}
        for gone in self._versions.keys() - found.keys():
            self.refused.pop(gone.address, None)
        self._versions = {
            process: self._ask_version(process)
            if (answer := self._versions.get(process)) is None
            or answer.status in ("cancelled", "lost")
            else answer
            for process in found
        }
        for process, answer in self._versions.items():
            if answer.status == "error" and process.address not in self.refused:
                error = answer.exception()
                other = error.args[0] if isinstance(error, KeyError) else "none"
                self._refuse(
                    process.address,
                    f"it has {_PACKAGE} {other}, this machine {version(_PACKAGE)}. Install the"
                    " same there.",
                )
        self._running = {p.address for p, one in found.items() if one["status"] == "running"}
        self.fit = {
            process.address: one["nthreads"]
            for process, one in found.items()
            if process.address in self._running - self.refused.keys()
            and self._versions[process].status == "finished"
        }
        self._report_absence(bool(self.present))
        self.present = set(known)

    def wait(self) -> None:
        """Waits for the first worker that can be given blocks.

        Raises:
            InputError: If there are only workers that are left out.
            SchedulerLost: If the scheduler does not answer any more.
        """
        self.update()
        while not self.fit:
            self.require_some()
            time.sleep(_PAUSE)
            self.update()

    def refuse(self, worker: str, problem: str) -> None:
        """Gives a worker no further blocks.

        Args:
            worker: Address of the worker.
            problem: Reason, in a sentence.

        Raises:
            InputError: If it was the last worker.
            SchedulerLost: If the scheduler does not answer any more.
        """
        if worker not in self.refused:
            self._refuse(worker, problem)
            self.update()
            self.require_some()

    def require_some(self) -> None:
        """Checks that not all workers are left out.

        Raises:
            InputError: If all are.
        """
        if self.refused and not self._running - self.refused.keys():
            first = next(iter(self.refused.values()))
            raise InputError(
                f"{self.address}: no worker can be used, {len(self.refused)} refused. The first:"
                f" {first}"
            )

    def require_scheduler(self) -> None:
        """Checks that the scheduler answers.

        Raises:
            SchedulerLost: If it does not.
        """
        if self.client.status != "running":
            raise SchedulerLost(f"{self.address}: the scheduler does not answer. Start it again.")

    @property
    def unanswered(self) -> int:
        """Number of workers whose version is not known yet."""
        return sum(answer.status == "pending" for answer in self._versions.values())

    @property
    def introduction(self) -> str:
        """A line with the number of workers and the address of Dask's dashboard."""
        services = self.client.scheduler_info(n_workers=0)["services"]
        here = self.client.cluster is not None
        dashboard = (
            self.client.dashboard_link
            if "dashboard" in services and (not here or find_spec("bokeh"))
            else "none, the scheduler lacks the package bokeh"
        )
        more = f", {self.unanswered} more being checked" if self.unanswered else ""
        return f"{self.address}: {self}{more}; dashboard: {dashboard}"

    def __str__(self) -> str:
        """The number of workers and cores."""
        return " with ".join(
            f"{count} {noun}{'' if count == 1 else 's'}"
            for count, noun in ((len(self.fit), "worker"), (sum(self.fit.values()), "core"))
        )

    def _ask_version(self, process: _Process) -> "Future":
        """Runs only functions of the standard library, which need no package of ours."""
        ours, there = version(_PACKAGE), [process.address]
        found = self.client.submit(version, _PACKAGE, workers=there, pure=False)
        # raises KeyError for another version: Dask reports errors by itself, but not results
        return self.client.submit(getitem, {ours: ours}, found, workers=there, pure=False)

    def _refuse(self, worker: str, problem: str) -> None:
        self.refused[worker] = f"{worker}: {problem}"
        self.fit.pop(worker, None)
        self._progress.say(f"A worker is left out. {self.refused[worker]}")

    def _report_absence(self, had_some: bool) -> None:
        if self._running or self.refused:
            self._is_waiting = False
        elif not self._is_waiting:
            self._is_waiting = True
            self._progress.say(
                f"{self.address}: all workers are gone, waiting for others."
                if had_some
                else f"{self.address}: no worker yet, waiting. Start some: dask worker"
                f" {self.address}"
            )
