"""Jobs on the blocks of a scene, as the workers of a cluster do them."""

import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from segment.core.cluster.block_file import block_path, is_finished, write_block
from segment.core.cluster.worker import Unfit
from segment.core.cluster.worker_model import ModelReference, kept_model
from segment.core.errors import InputError
from segment.core.model.runtime import Model
from segment.core.raster.blocks import Block


@dataclass(frozen=True)
class BlockJob(ABC):
    """A job on blocks, see `segment.core.cluster.worker.Job`.

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

    def check(self, cores: int) -> None:
        """Checks that this process can do the job: scene, folder and model.

        Args:
            cores: Number of cores that it may compute with.

        Raises:
            InputError: If the scene or the model is not available, or blocks cannot be written.
        """
        self.check_input()
        probe = self.folder / f".{uuid.uuid4().hex}"
        try:
            if not self.folder.is_dir():
                raise InputError(
                    f"{self.folder}: workers must see the folder of the maps. Received none there."
                    " Share it with them."
                )
            probe.write_bytes(b"\0" * 4096)
        except OSError as error:
            raise InputError(self._unwritable(error)) from error
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)
        with kept_model(self.model, cores):
            pass

    def do(self, block: Block, cores: int) -> None:
        """Computes a block and writes it into the folder, unless it is there already.

        Args:
            block: Block to compute.
            cores: Number of cores to compute with.

        Raises:
            InputError: If the block cannot be computed.
            Unfit: If this process cannot write it.
        """
        path = block_path(self.folder, block)
        if is_finished(path):
            return
        with kept_model(self.model, cores) as model:
            arrays, state = self.compute(block, model)
        try:
            write_block(path, arrays, state)
        except OSError as error:
            raise Unfit(self._unwritable(error)) from error

    def _unwritable(self, error: OSError) -> str:
        problem = error.strerror or str(error) or os.strerror(error.errno or 0)
        return (
            f"{self.folder}: workers must write their blocks to their end. Received: {problem}."
            " Free space there, or fix it."
        )
