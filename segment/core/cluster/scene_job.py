"""A scene that a cluster does block by block, whatever is made of it."""

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
    """What became of a scene. result: None where there is none. problems: a sentence each, with a result one for each hole."""

    result: R_co | None
    problems: list[str]


class Undertaking(ABC, Generic[R_co]):
    """A scene to be done.

    name: told to users. blocks: of it. found: the result, where an earlier command made it.
    """

    def __init__(self, source: Source, folder: BlockFolder, blocks: Blocks, job: BlockJob, made_of: str, found: R_co | None):
        """folder: for finished blocks of `job`. made_of: what the report says that the result was made of."""
        self.name, self.blocks, self.found = str(source.path), blocks, found
        self._folder, self._job, self._made_of = folder, job, made_of

    @property
    def keeps(self) -> bool:
        """Whether finished blocks stay for another command when this one is ended."""
        return self._folder.keep

    def begin(self) -> BlockJob:
        """Makes room for finished blocks, and finds those that an earlier command left. Raises InputError when that cannot be."""
        self._folder.open()
        return self._job

    def assemble(self, holes: Sequence[Block], seconds: float) -> R_co:
        """Makes the result of finished blocks; those in `holes` are lacking, and told in the report.

        seconds: that the blocks took. Raises InputError when it cannot be written.
        """
        details: dict[str, Any] = {"made_of": self._made_of}
        if holes:
            details["holes"] = [[hole.top, hole.bottom, hole.left, hole.right] for hole in holes]
            details["notes"] = [f"{len(holes)} of {len(self.blocks)} blocks could not be computed, and are nodata."]
        result = self._write(holes, seconds, details)
        self._folder.done = not holes
        return result

    @abstractmethod
    def _write(self, holes: Sequence[Block], seconds: float, details: dict[str, Any]) -> R_co:
        """Puts finished blocks together and writes what is made of them; details: keys of the report."""

    def end(self) -> None:
        """Lets go of what `begin` took, if anything."""
        self._folder.close()
