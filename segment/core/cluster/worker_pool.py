"""Pool of the workers that are fit for a job, each of which does one task at a time."""

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from segment.core.choices import Runtime
from segment.core.cluster.worker import Job, Refusal, enlist, grant, require_gpu
from segment.core.cluster.worker_checks import WorkerChecks
from segment.core.errors import InputError
from segment.core.model.folder import load_model_info
from segment.core.model.runtime import choose_runtime

if TYPE_CHECKING:
    from distributed import Client

_PACKAGE = "aerial-segment"
_PATIENCE = 60.0  # seconds after which a worker that does not answer is reported
_BRIEFLY = 5.0  # seconds that workers have to give back the resource
_AGAIN = 0.2


class SchedulerLost(InputError):
    """The scheduler does not answer any more."""


class WorkerPool:
    """A worker pool: workers that were checked, also those that come later.

    A task takes a resource (in Dask's sense) that only workers which passed the check have, one
    each. So Dask gives no task to a worker that would fail it, and no second one to a busy worker.
    A worker is released by taking the resource back.

    Attributes:
        client: Client of the scheduler.
        address: Address of the scheduler, for messages.
        resource: Name of the resource.
        size: Number of workers in the pool.
        cores: Number of cores that they have together.
        job: Job with which new workers are checked, one that is not finished; with None they wait
            for one.
        refused: Workers that cannot be used, with the reason for each.
    """

    def __init__(self, client: "Client", address: str, tell: Callable[[str], None]):
        """Starts without workers.

        Args:
            client: Client of the scheduler.
            address: Address of the scheduler, for messages.
            tell: Called with a sentence about each worker that is refused or late, and when there
                are no workers.
        """
        self.client, self.address, self._tell = client, address, tell
        self.resource = f"piece-{uuid.uuid4().hex}"
        self.size = self.cores = 0
        self.job: Job | None = None
        self.refused: dict[str, str] = {}
        self._versions, self._checks = WorkerChecks(client), WorkerChecks(client)
        self._ours: set[str] = set()  # with our version of the package
        self._late: set[str] = set()  # reported because they do not answer
        # their own folders, which distinguish processes at one address
        self._homes: dict[str, str] = {}
        self._is_absence_told = False

    def await_workers(self) -> None:
        """Waits for the first worker.

        Raises:
            SchedulerLost: If the scheduler does not answer any more.
        """
        while not self._look():
            time.sleep(_AGAIN)

    def assemble(self, job: Job) -> None:
        """Waits for the first worker that is fit for a job.

        Others join when they have passed the check, see `look_around`.

        Args:
            job: The job.

        Raises:
            InputError: If all workers are unfit.
            SchedulerLost: If the scheduler does not answer any more.
        """
        self.job = job
        self.look_around()
        while not self.size:
            self.require_some()
            time.sleep(_AGAIN)
            self.look_around()

    def look_around(self) -> None:
        """Begins to check new workers, and adds those that passed; waits for none.

        Raises:
            SchedulerLost: If the scheduler does not answer any more.
        """
        present = self._look()
        held = self._count(present)
        for worker in self._of_our_version(present):
            if self.job is not None and worker not in held and worker not in self._checks.asked:
                self._checks.ask(worker, enlist, self.job, self.resource)
        answers = self._checks.answers()
        for answer in answers:
            if isinstance(answer.error, Refusal):
                # else the job was finished meanwhile: it is asked again
                if answer.arguments[0].folder.is_dir():
                    self._refuse(answer.worker, str(answer.error))
            elif answer.error is not None:
                self._refuse(
                    answer.worker,
                    f"workers do what the others do. Received: {answer.error}. Start it again.",
                )
        if answers:
            self._count(self._present())
        self._tell_late(self._versions, self._checks)

    @property
    def addresses(self) -> set[str]:
        """Addresses of all workers that the scheduler knows, also paused and refused ones."""
        return set(self._workers())

    @property
    def is_in_need(self) -> bool:
        """Whether workers are being checked, or there are none."""
        return not self.size or bool((self._versions.asked | self._checks.asked) - self._late)

    def dismiss(self, worker: str, problem: str) -> None:
        """Gives a worker no further task.

        Args:
            worker: Address of the worker.
            problem: Reason, in a sentence.

        Raises:
            InputError: If it was the last worker.
            SchedulerLost: If the scheduler does not answer any more.
        """
        if worker in self.refused:
            return
        self._refuse(worker, problem)
        self._take_back([worker])
        self._count(self._present())
        self.require_some()

    def require_some(self) -> None:
        """Checks that not all workers were refused.

        Raises:
            InputError: If all were.
            SchedulerLost: If the scheduler does not answer any more.
        """
        if not self.size and self.refused and not set(self._present()) - set(self.refused):
            first = next(iter(self.refused.values()))
            raise InputError(
                f"{self.address}: no worker can be used, {len(self.refused)} refused. The first:"
                f" {first}"
            )

    def scheduler_lost(self) -> SchedulerLost:
        """Returns the error to raise when the scheduler is gone."""
        return SchedulerLost(
            f"{self.address}: the scheduler must go on running. Received no answer. Start it again."
        )

    def describe(self) -> str:
        """Returns the number of workers and cores, in words."""
        workers, cores = (
            f"{n} {noun}{'' if n == 1 else 's'}"
            for n, noun in ((self.size, "worker"), (self.cores, "core"))
        )
        return f"{workers} with {cores}"

    def have_gpus(self) -> bool:
        """Checks whether Keras finds a GPU on all workers that are there.

        Workers that do not answer are left out.

        Returns:
            Whether it does.

        Raises:
            SchedulerLost: If the scheduler does not answer any more.
        """
        questions, seen = WorkerChecks(self.client), set[str]()
        while True:
            present = self._look()
            questions.keep(present)
            for worker in self._of_our_version(present):
                if worker not in seen and worker not in questions.asked:
                    questions.ask(worker, require_gpu)
            for answer in questions.answers():
                if answer.error is not None:
                    return False
                seen.add(answer.worker)
            self._tell_late(self._versions, questions)
            if not present.keys() - self.refused.keys() - self._late - seen and (
                seen or self.refused
            ):
                return bool(seen)
            time.sleep(_AGAIN)

    @property
    def introduction(self) -> str:
        """A line with the number of workers and the address of Dask's dashboard."""
        here = self.client.cluster is not None
        has_dashboard = "dashboard" in self._ask_scheduler("identity", n_workers=0)[
            "services"
        ] and (not here or find_spec("bokeh"))
        dashboard = (
            self.client.dashboard_link
            if has_dashboard
            else "none, the scheduler lacks the package bokeh"
        )
        others = len(
            (self._versions.asked | self._checks.asked) - set(self._count(self._present()))
        )
        more = f", {others} more being checked" if others else ""
        return f"{self.address}: {self.describe()}{more}; dashboard: {dashboard}"

    def disband(self) -> None:
        """Takes the resource back from all workers.

        Nothing is done if the scheduler is gone, since its answer would be waited for.
        """
        if self.client.status == "running":
            self._take_back(list(self._present()))

    def _ask_scheduler(self, question: str, **arguments: Any) -> Any:
        """Asks the scheduler itself, as the answers that Dask's client keeps may lack workers.

        Raises SchedulerLost.
        """
        while self.client.status == "running":
            # the connection broke; another is made if the scheduler is there
            with suppress(OSError):
                return self.client.sync(getattr(self.client.scheduler, question), **arguments)
            time.sleep(_AGAIN)
        raise self.scheduler_lost()

    def _workers(self) -> dict[str, Any]:
        workers: dict[str, Any] = self._ask_scheduler("identity", n_workers=-1)["workers"]
        return workers

    def _present(self) -> dict[str, Any]:
        return {
            address: told
            for address, told in self._workers().items()
            if told["status"] == "running"
        }

    def _look(self) -> dict[str, Any]:
        """Returns the running workers; forgets those that left, and reports when none is left."""
        workers = self._workers()
        homes = {address: told["local_directory"] for address, told in workers.items()}
        same = {
            address for address, home in homes.items() if self._homes.get(address, home) == home
        }
        had_some, self._homes = bool(self._homes), self._homes | homes
        self._ours &= same
        self._late &= same
        self.refused = {
            address: problem for address, problem in self.refused.items() if address in same
        }
        present = {
            address: told for address, told in workers.items() if told["status"] == "running"
        }
        for checks in (self._versions, self._checks):
            checks.keep(present.keys() & same)
        if present.keys() - self.refused.keys():
            self._is_absence_told = False
        elif not self._is_absence_told and (not present or self.size):
            self._is_absence_told = True
            self._tell(
                f"{self.address}: all workers are gone, waiting for others."
                if had_some
                else (
                    f"{self.address}: no worker yet, waiting. Start some: dask worker"
                    f" {self.address}"
                )
            )
        return present

    def _count(self, present: dict[str, Any]) -> list[str]:
        """Returns the workers that hold the resource, which form the pool from now on."""
        held = [
            worker
            for worker, told in present.items()
            if told["resources"].get(self.resource) and worker not in self.refused
        ]
        self.size, self.cores = len(held), sum(present[worker]["nthreads"] for worker in held)
        self._late.difference_update(held)
        return held

    def _of_our_version(self, present: dict[str, Any]) -> list[str]:
        """Returns the workers with our version of the package, as far as known; asks others."""
        ours = version(_PACKAGE)
        for worker in present.keys() - self._ours - self.refused.keys() - self._versions.asked:
            # Only functions of the standard library, so that a worker without our package can
            # answer, too. A worker with another version raises KeyError.
            found = self.client.submit(version, _PACKAGE, workers=[worker], pure=False)
            self._versions.ask(worker, getitem, {ours: ours}, found)
        for answer in self._versions.answers():
            if answer.error is None:
                self._ours.add(answer.worker)
            else:
                received = answer.error.args[0] if isinstance(answer.error, KeyError) else "none"
                self._refuse(
                    answer.worker,
                    f"workers have {_PACKAGE} {ours}, as this machine. Received {received}. Install"
                    " it there.",
                )
        return [worker for worker in present if worker in self._ours and worker not in self.refused]

    def _refuse(self, worker: str, problem: str) -> None:
        self.refused[worker] = f"{worker}: {problem}"
        self._tell(f"A worker is left out. {self.refused[worker]}")

    def _tell_late(self, *checks: WorkerChecks) -> None:
        for worker in set[str]().union(*(each.overdue(_PATIENCE) for each in checks)) - self._late:
            self._late.add(worker)
            self._tell(
                f"{worker}: this worker has not answered for {_PATIENCE:.0f} seconds. It is given"
                " work when it does."
            )

    def _take_back(self, workers: list[str]) -> None:
        """Takes the resource back from workers.

        It is taken back at the scheduler first, which then gives them no further task. Workers that
        hang are not waited for.
        """
        for worker in workers:
            with suppress(KeyError):  # it has just left
                self._ask_scheduler("set_resources", worker=worker, resources={self.resource: 0})
        if workers:
            with suppress(TimeoutError):
                self.client.run(
                    grant,
                    workers=workers,
                    on_error="ignore",
                    callback_timeout=_BRIEFLY,
                    **{self.resource: 0},
                )


def choose_common_runtime(
    pool: WorkerPool, folder: Path, runtime: Runtime
) -> Literal["keras", "openvino"]:
    """Chooses what computes on all workers, because the outputs of two runtimes differ.

    It waits for a worker. "auto" chooses Keras where every worker has a GPU for it.

    Args:
        pool: Worker pool.
        folder: Model folder.
        runtime: What the user asks for.

    Returns:
        "keras" or "openvino".

    Raises:
        InputError: If the model cannot be computed with this runtime.
        SchedulerLost: If the scheduler does not answer any more.
    """
    pool.await_workers()
    if runtime == "auto" and load_model_info(folder).openvino is not None:
        return "keras" if pool.have_gpus() else "openvino"
    return choose_runtime(folder, runtime)
