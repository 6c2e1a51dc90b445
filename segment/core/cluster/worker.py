"""Code that runs on the workers of a cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from segment.core.errors import InputError


class Job(Protocol):
    """A job that workers do task by task."""

    @property
    def folder(self) -> Path:
        """Folder that is there for as long as the job is."""
        ...

    @property
    def cure(self) -> str:
        """What users should check when workers die of the job."""
        ...

    def check(self, cores: int) -> None:
        """Checks that this process can do the job.

        Args:
            cores: Number of cores that it may compute with.

        Raises:
            InputError: If it cannot.
        """

    def check_input(self) -> None:
        """Checks that the inputs of the job are available to this process.

        If the process that gives out tasks lacks them as well, no worker can do the job.

        Raises:
            InputError: If they are not available.
        """

    def do(self, piece: Any, cores: int) -> None:
        """Does a task.

        Args:
            piece: The task.
            cores: Number of cores to compute with.

        Raises:
            InputError: If the task cannot be done.
            Unfit: If that is the fault of this process.
        """


class Unfit(Exception):
    """This worker cannot be used any more; the message is a sentence."""


@dataclass(frozen=True)
class Failure:
    """What went wrong with a task.

    Attributes:
        worker: Address of the worker.
        problem: What went wrong, in a sentence.
        is_fault_of_worker: Whether the worker is at fault and cannot be used any more.
    """

    worker: str
    problem: str
    is_fault_of_worker: bool


class PieceFailed(Exception):
    """Brings a `Failure` to the process that gave out the task.

    It is an exception because Dask reports those at once, but would have to be asked for results.
    """


def do_piece(job: Job, piece: Any) -> None:
    """Does a task of a job on this worker.

    Args:
        job: The job.
        piece: The task.

    Raises:
        PieceFailed: If the task fails.
    """
    from distributed import get_worker

    worker = get_worker()
    try:
        job.do(piece, worker.state.nthreads)
        return
    except Unfit as error:
        failure = Failure(worker.address, str(error), True)
    except Exception as error:
        fault = _complaint(job.check, worker.state.nthreads)  # the worker may be at fault
        failure = Failure(worker.address, fault or _in_a_line(error), bool(fault))
    raise PieceFailed(failure)  # here, without a context: another error may not be serializable


class Refusal(Exception):
    """This worker cannot do a job; the message is a sentence.

    It is an exception because Dask reports those at once, see `PieceFailed`.
    """


def enlist(job: Job, resource: str) -> None:
    """Gives this worker one of a Dask resource if it can do a job.

    The worker sets its resource itself, so that the process that asks need not wait for it.

    Args:
        job: The job.
        resource: Name of the resource.

    Raises:
        Refusal: If the worker cannot do the job.
    """
    from distributed import get_worker
    from distributed.utils import sync

    worker = get_worker()
    if problem := _complaint(job.check, worker.state.nthreads):
        raise Refusal(problem)
    sync(worker.loop, worker.set_resources, **{resource: 1})


def require_gpu() -> None:
    """Checks that Keras finds a GPU on this worker.

    Raises:
        Refusal: If it finds none.
    """
    from segment.core.model.backend import has_gpu, may_have_gpu

    if not (may_have_gpu() and has_gpu()):
        raise Refusal("Keras sees no GPU.")


async def grant(dask_worker: Any, **resources: float) -> None:
    """Sets resources of a Dask worker.

    Args:
        dask_worker: The worker, passed by Dask.
        **resources: Amount of each resource; 0 takes it back.
    """
    await dask_worker.set_resources(**resources)


def _complaint(check: Callable[[int], None], cores: int) -> str:
    try:
        check(cores)
    except Exception as error:
        return _in_a_line(error)
    return ""


def _in_a_line(error: Exception) -> str:
    line = " ".join(str(error).split())[:1000]
    return line if isinstance(error, InputError) else f"{type(error).__name__}: {line}"
