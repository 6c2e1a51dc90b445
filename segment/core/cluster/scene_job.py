"""Scene jobs: scenes that a cluster does block by block."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from segment.core.cluster.block_folder import BlockFolder
from segment.core.cluster.block_job import BlockJob
from segment.core.raster.blocks import Block, Blocks
from segment.core.raster.sources import Source

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class Done(Generic[R_co]):
    """Outcome of a scene.

    Attributes:
        result: The result, None where there is none.
        problems: One sentence each; where there is a result, one for each missing block.
    """

    result: R_co | None
    problems: list[str]


class SceneJob(ABC, Generic[R_co]):
    """A scene job: a scene to be done block by block.

    Attributes:
        name: Name of the scene in messages.
        blocks: Blocks of the scene.
        found: The result, where an earlier command made it; else None.
    """

    def __init__(
        self,
        source: Source,
        folder: BlockFolder,
        blocks: Blocks,
        job: BlockJob,
        made_of: str,
        found: R_co | None,
    ):
        """Describes the work.

        Args:
            source: Scene.
            folder: Folder for the finished blocks of `job`.
            blocks: Blocks of the scene.
            job: Job that computes blocks.
            made_of: Digest of everything that the result depends on, for the report.
            found: The result, where an earlier command made it; else None.
        """
        self.name, self.blocks, self.found = str(source.path), blocks, found
        self._folder, self._job, self._made_of = folder, job, made_of

    @property
    def keeps(self) -> bool:
        """Whether finished blocks are kept for another command if this one is ended."""
        return self._folder.keep

    def begin(self) -> BlockJob:
        """Opens the folder of finished blocks, with those that an earlier command left.

        Returns:
            The job that computes blocks.

        Raises:
            InputError: If the folder cannot be opened, see `BlockFolder.open`.
        """
        self._folder.open()
        return self._job

    def assemble(self, holes: Sequence[Block], seconds: float) -> R_co:
        """Makes the result of finished blocks.

        Args:
            holes: Blocks that are missing; the report lists them.
            seconds: Time that the blocks took.

        Returns:
            The result.

        Raises:
            InputError: If the result cannot be written.
        """
        details: dict[str, Any] = {"made_of": self._made_of}
        if holes:
            details["holes"] = [[hole.top, hole.bottom, hole.left, hole.right] for hole in holes]
            details["notes"] = [
                f"{len(holes)} of {len(self.blocks)} blocks could not be computed, and are nodata."
            ]
        result = self._write(holes, seconds, details)
        self._folder.done = not holes
        return result

    @abstractmethod
    def _write(self, holes: Sequence[Block], seconds: float, details: dict[str, Any]) -> R_co:
        """Assembles finished blocks and writes the outputs; `details` are keys of the report."""

    def end(self) -> None:
        """Closes what `begin` opened, if anything."""
        self._folder.close()
