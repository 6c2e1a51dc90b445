"""Jobs of the workers of a cluster: computing the blocks of a scene."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from segment.core.cluster.block_file import block_path, is_finished, write_block
from segment.core.cluster.worker_model import ModelReference, kept_model
from segment.core.errors import InputError, brief
from segment.core.model.runtime import Model
from segment.core.raster.blocks import Block


class BlockFailed(Exception):
    """A block that failed; the argument is the reason, in a sentence."""


class WorkerUnfit(Exception):
    """A worker that can compute no block; the arguments are its address and the reason."""


class _Unfit(Exception):
    """This process can compute no block; the message is a sentence."""


@dataclass(frozen=True)
class BlockJob(ABC):
    """What all blocks of a scene have in common.

    Attributes:
        model: The model, as workers find it.
        folder: Folder of finished blocks, see `BlockFolder`.
        cure: What users should check when workers die of the job.
    """

    model: ModelReference
    folder: Path
    cure: ClassVar[str] = "See that a block fits into their memory: --block"

    @abstractmethod
    def check_input(self) -> None:
        """Checks that the scene is available on this machine.

        Raises:
            InputError: If it is not, or is another one.
        """

    @property
    def has_input(self) -> bool:
        """Whether the scene is available to this process.

        If it is not, a worker that lacks it is as good as any.
        """
        try:
            self.check_input()
        except InputError:
            return False
        return True

    @abstractmethod
    def compute(
        self, block: Block, model: Model
    ) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]:
        """Computes a block.

        Args:
            block: Block to compute.
            model: Network in use.

        Returns:
            Arrays of the block by their names, and values that JSON can hold, see `write_block`.

        Raises:
            InputError: If the block cannot be computed.
        """

    def do(self, block: Block, cores: int) -> None:
        """Computes a block and writes it into the folder, unless it is there already.

        Args:
            block: Block to compute.
            cores: Number of cores to compute with.

        Raises:
            Exception: If the block cannot be computed, or this process cannot do the job.
        """
        path = block_path(self.folder, block)
        if is_finished(path):
            return
        self._require_fit(cores)
        try:
            with kept_model(self.model, cores) as model:
                arrays, state = self.compute(block, model)
        except Exception:
            self._require_fit(cores)  # it may have lost the scene, or the model
            raise
        try:
            write_block(path, arrays, state)
        except OSError as error:
            problem = error.strerror or str(error) or os.strerror(error.errno or 0)
            raise _Unfit(
                f"{self.folder}: cannot write blocks ({problem}). Free space there, or fix it."
            ) from error

    def _require_fit(self, cores: int) -> None:
        """Checks scene, folder and model; raises _Unfit."""
        try:
            self.check_input()
            if not os.access(self.folder, os.W_OK):
                raise InputError(
                    f"{self.folder}: missing or read-only on a worker. Share it with all workers."
                )
            with kept_model(self.model, cores):
                pass
        except Exception as error:
            raise _Unfit(_in_a_line(error)) from error


def compute_block(job: BlockJob, block: Block) -> None:
    """Computes a block on this worker.

    Results would have to be fetched; errors are sent by Dask itself, so nothing is returned.

    Args:
        job: The job.
        block: Block to compute.

    Raises:
        BlockFailed: If the block fails.
        WorkerUnfit: If that is the fault of this worker.
    """
    from distributed import get_worker

    worker = get_worker()
    problem: Exception
    try:
        job.do(block, worker.state.nthreads)
        return
    except _Unfit as error:
        problem = WorkerUnfit(worker.address, str(error))
    except Exception as error:
        problem = BlockFailed(_in_a_line(error))
    raise problem  # here, without a context: another error may not be serializable


def _in_a_line(error: Exception) -> str:
    line = brief(error, 1000)
    return line if isinstance(error, InputError) else f"{type(error).__name__}: {line}"
