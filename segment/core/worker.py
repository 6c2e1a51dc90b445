"""What runs on the workers of a cluster."""

import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from segment.core.block_file import block_path, is_finished, write_block
from segment.core.blocks import Block
from segment.core.errors import InputError
from segment.core.kept_model import ModelReference, kept_model
from segment.core.runtime import Model


class Job(Protocol):
    """What is done with all blocks of a scene, as it is told to workers. folder: for finished blocks, see `BlockFolder`."""

    @property
    def model(self) -> ModelReference: ...

    @property
    def folder(self) -> Path: ...

    def check_scene(self) -> None:
        """Raises InputError when the scene is not to be had here, or is another."""

    def compute(self, block: Block, model: Model) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """Arrays and plain values of a block, see `write_block`. Raises InputError when it cannot be computed."""


@dataclass(frozen=True)
class Failure:
    """What went wrong with a block. problem: in a sentence. is_fault_of_worker: which is of no use any more."""

    worker: str
    problem: str
    is_fault_of_worker: bool


class BlockFailed(Exception):
    """Carries a Failure to the process that asked: Dask tells errors at once, and would have to be asked for results."""


def do_block(job: Job, block: Block) -> None:
    """Computes a block and writes it into the job's folder, unless it is there already. Raises BlockFailed."""
    from distributed import get_worker

    worker = get_worker()
    try:
        _do_block(job, block, worker.state.nthreads)
    except _Unfit as error:
        raise BlockFailed(Failure(worker.address, str(error), True)) from None
    except Exception as error:
        fault = check_place(job, worker.state.nthreads)  # it may be the worker's
        raise BlockFailed(Failure(worker.address, fault or _in_a_line(error), bool(fault))) from None


class _Unfit(Exception):
    """The worker is of no use, in a sentence."""


def _do_block(job: Job, block: Block, cores: int) -> None:
    path = block_path(job.folder, block)
    if is_finished(path):
        return
    with kept_model(job.model, cores) as model:
        arrays, state = job.compute(block, model)
    try:
        write_block(path, arrays, state)
    except OSError as error:
        raise _Unfit(_unwritable(job.folder, error)) from error


def check_worker(job: Job) -> str:
    """Why this process cannot do a job, in a sentence, or nothing."""
    from distributed import get_worker

    try:
        job.check_scene()
    except Exception as error:
        return _in_a_line(error)
    return check_place(job, get_worker().state.nthreads)


def check_place(job: Job, cores: int) -> str:
    """As `check_worker`, of all but the scene."""
    probe = job.folder / f".{uuid.uuid4().hex}"
    try:
        if not job.folder.is_dir():
            return f"{job.folder}: workers must see the folder of the maps. Received none there. Share it with them."
        probe.write_bytes(b"\0" * 4096)
    except OSError as error:
        return _unwritable(job.folder, error)
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    try:
        with kept_model(job.model, cores):
            return ""
    except Exception as error:
        return _in_a_line(error)


def has_gpu_for_keras() -> bool:
    """Whether Keras sees a GPU here."""
    from segment.core.runtime import may_have_gpu

    if not may_have_gpu():
        return False
    from segment.core.command import load_keras
    from segment.core.runtime import has_gpu

    load_keras()
    return has_gpu()


async def grant(dask_worker: Any, **resources: float) -> None:
    """Gives a worker of Dask resources, or takes them with 0."""
    await dask_worker.set_resources(**resources)


def _unwritable(folder: Path, error: OSError) -> str:
    problem = error.strerror or str(error) or os.strerror(error.errno or 0)
    return f"{folder}: workers must write their blocks to their end. Received: {problem}. Free space there, or mend it."


def _in_a_line(error: Exception) -> str:
    line = " ".join(str(error).split())[:500]
    return line if isinstance(error, InputError) else f"{type(error).__name__}: {line}"
