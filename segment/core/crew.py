"""The workers of a cluster that were found fit for a job, each of which does one piece at a time."""

import time
import uuid
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from segment.core.errors import InputError
from segment.core.worker import Job, check_worker, grant, has_gpu_for_keras

if TYPE_CHECKING:
    from distributed import Client, Future

_PACKAGE = "aerial-segment"
_PATIENCE = 60.0  # seconds in which the first worker must be there, and those that are there have time to be checked
_AGAIN = 0.2


class SchedulerLost(InputError):
    """The scheduler does not answer any more."""


class Crew:
    """Workers that were checked, those that come later, too.

    To do a piece takes a resource (in Dask's sense) that only workers which passed the check are given, one each. So Dask
    gives no piece to a worker that would fail it, or a second one to one that is busy, and a worker is let go by taking it back.

    size: workers that are at it. cores: that they have together. job: that they were assembled for. tell: is given a sentence
    about each worker that was refused.
    """

    def __init__(self, client: "Client", address: str, tell: Callable[[str], None]):
        self.client, self.address, self._tell = client, address, tell
        self.resource = f"piece-{uuid.uuid4().hex}"
        self.size = self.cores = 0
        self.refused: dict[str, str] = {}
        self.job: Job | None = None
        self._checks: dict[str, tuple[Job, Future[str]]] = {}

    def await_workers(self) -> None:
        """Waits for the first worker. Raises InputError when none comes."""
        deadline = time.monotonic() + _PATIENCE
        while not self._present():
            if time.monotonic() > deadline:
                raise InputError(f"{self.address}: a cluster has workers. Received none. Start some: dask worker {self.address}")
            time.sleep(_AGAIN)

    def assemble(self, job: Job) -> None:
        """Checks the workers that are there; those that are long about it, as when they do other work, are counted as late.

        Raises InputError when none is fit.
        """
        self.job, deadline = job, time.monotonic() + _PATIENCE
        self.look_around(job)
        while not self.size or (self._checks and time.monotonic() < deadline):
            self.require_some()
            time.sleep(_AGAIN)
            self.look_around(job)

    def look_around(self, job: Job) -> None:
        """Begins to check workers that are new, and takes on those that passed."""
        present = self._present()
        held = self._count(present)
        for address in [a for a in self._checks if a not in present]:
            self._checks.pop(address)
        new = [a for a in present if a not in held and a not in self.refused and a not in self._checks]
        for address in self._of_this_version(new):
            self._checks[address] = job, self.client.submit(check_worker, job, workers=[address], pure=False)
        passed = [address for address in list(self._checks) if self._has_passed(address)]
        if passed:
            self._grant(passed, 1)
            self.size, self.cores = self.size + len(passed), self.cores + sum(present[a]["nthreads"] for a in passed)

    @property
    def addresses(self) -> set[str]:
        """Of all workers that the scheduler knows, paused ones and strangers among them."""
        return set(self.client.scheduler_info(n_workers=-1)["workers"])

    @property
    def is_in_need(self) -> bool:
        """Whether workers are being checked, or none is there."""
        return bool(self._checks) or not self.size

    def dismiss(self, worker: str, problem: str) -> None:
        """Gives a worker no further piece. Raises InputError when it was the last one."""
        if worker in self.refused:
            return
        self._refuse(worker, problem)
        self._grant([worker], 0)
        self._count(self._present())
        self.require_some()

    def require_some(self) -> None:
        """Raises InputError when all workers were refused."""
        if not self.size and self.refused and not self._checks and not set(self._present()) - set(self.refused):
            first = next(iter(self.refused.values()))
            raise InputError(f"{self.address}: no worker is of use, {len(self.refused)} refused. The first: {first}")

    def scheduler_lost(self) -> SchedulerLost:
        """The error to raise when the scheduler is gone."""
        return SchedulerLost(f"{self.address}: the scheduler must go on running. Received no answer. Start it again.")

    def describe(self) -> str:
        """How many they are, in words."""
        workers, cores = (f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in ((self.size, "worker"), (self.cores, "core")))
        return f"{workers} with {cores}"

    def have_gpus(self) -> bool:
        """Whether Keras sees a GPU on all workers that are there."""
        questions = [
            self.client.submit(has_gpu_for_keras, workers=[address], pure=False)
            for address in self._of_this_version(list(self._present()))
        ]
        return bool(questions) and all(self.client.gather(questions))

    @property
    def introduction(self) -> str:
        """How many they are, and where they can be looked at, in a line."""
        here = self.client.cluster is not None
        has_dashboard = "dashboard" in self.client.scheduler_info(n_workers=0)["services"] and (not here or find_spec("bokeh"))
        dashboard = self.client.dashboard_link if has_dashboard else "none, the scheduler lacks the package bokeh"
        return f"{self.address}: {self.describe()}; dashboard: {dashboard}"

    def disband(self) -> None:
        """Takes the resource back from all, if the scheduler is there to be asked: it would be waited for."""
        if self.client.status == "running":
            self._grant(list(self._present()), 0)

    def _present(self) -> dict[str, Any]:
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        return {address: told for address, told in workers.items() if told["status"] == "running"}

    def _count(self, present: dict[str, Any]) -> list[str]:
        """Those of the workers that hold the resource, who are the crew from now on."""
        held = [address for address, told in present.items() if told["resources"].get(self.resource)]
        self.size, self.cores = len(held), sum(present[address]["nthreads"] for address in held)
        return held

    def _of_this_version(self, workers: list[str]) -> list[str]:
        if not workers:
            return []
        # the standard library's own function: a worker without our package can answer it, too
        told = self.client.run(version, _PACKAGE, workers=workers, on_error="return")
        ours, fit = version(_PACKAGE), []
        for worker in workers:
            found = told.get(worker)
            if found == ours:
                fit.append(worker)
            elif not isinstance(found, OSError) and found is not None:  # else it has just gone
                received = found if isinstance(found, str) else "none"
                self._refuse(worker, f"workers have {_PACKAGE} {ours}, as this machine. Received {received}. Install it there.")
        return fit

    def _refuse(self, worker: str, problem: str) -> None:
        self.refused[worker] = f"{worker}: {problem}"
        self._tell(f"A worker is left out. {self.refused[worker]}")

    def _has_passed(self, worker: str) -> bool:
        job, check = self._checks[worker]
        if not check.done():
            return False
        del self._checks[worker]
        if check.status == "error":
            self._refuse(worker, f"workers do what the others do. Received: {check.exception()}. Start it anew.")
        elif check.status == "finished" and (problem := check.result()):
            if job.folder.is_dir():  # else the job, e.g. a scene, was finished meanwhile: the worker is asked again
                self._refuse(worker, problem)
        else:
            return bool(check.status == "finished")
        return False

    def _grant(self, workers: list[str], count: int) -> None:
        if workers:
            self.client.run(grant, workers=workers, on_error="ignore", **{self.resource: count})
