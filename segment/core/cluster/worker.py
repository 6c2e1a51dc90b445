"""What runs on the workers of a cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from segment.core.errors import InputError


class Job(Protocol):
    """What workers do, piece by piece. folder: is there for as long as the job is. cure: what to see to when they die of it."""

    @property
    def folder(self) -> Path: ...

    @property
    def cure(self) -> str: ...

    def check(self, cores: int) -> None:
        """Raises InputError when this process cannot do the job. cores: that it may compute with."""

    def check_input(self) -> None:
        """Raises InputError when no worker can do the job, for this process does not have what it is done with either."""

    def do(self, piece: Any, cores: int) -> None:
        """Raises InputError when the piece cannot be done, Unfit when that is the fault of this process."""


class Unfit(Exception):
    """The worker is of no use, in a sentence."""


@dataclass(frozen=True)
class Failure:
    """What went wrong with a piece. problem: in a sentence. is_fault_of_worker: which is of no use any more."""

    worker: str
    problem: str
    is_fault_of_worker: bool


class PieceFailed(Exception):
    """Carries a Failure to the process that asked: Dask tells errors at once, and would have to be asked for results."""


def do_piece(job: Job, piece: Any) -> None:
    """Does a piece of a job. Raises PieceFailed."""
    from distributed import get_worker

    worker = get_worker()
    try:
        job.do(piece, worker.state.nthreads)
        return
    except Unfit as error:
        failure = Failure(worker.address, str(error), True)
    except Exception as error:
        fault = _complaint(job.check, worker.state.nthreads)  # it may be the worker's
        failure = Failure(worker.address, fault or _in_a_line(error), bool(fault))
    raise PieceFailed(failure)  # here, to hold on to no other error, which may be one that cannot be sent


class Refusal(Exception):
    """A worker cannot do a job, in a sentence: an error, since Dask tells of it at once, as of PieceFailed."""


def enlist(job: Job, resource: str) -> None:
    """Has this worker take one of a resource of Dask's, if it can do a job: whoever asks need not wait for it. Raises Refusal."""
    from distributed import get_worker
    from distributed.utils import sync

    worker = get_worker()
    if problem := _complaint(job.check, worker.state.nthreads):
        raise Refusal(problem)
    sync(worker.loop, worker.set_resources, **{resource: 1})


def require_gpu() -> None:
    """Raises Refusal when Keras sees no GPU here."""
    from segment.core.model.runtime import has_gpu, may_have_gpu

    if not (may_have_gpu() and has_gpu()):
        raise Refusal("Keras sees no GPU.")


async def grant(dask_worker: Any, **resources: float) -> None:
    """Gives a worker of Dask resources, or takes them with 0."""
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
