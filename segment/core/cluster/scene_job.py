"""Scene jobs: scenes that a cluster does block by block."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from segment.core.cluster.block_file import BlockFile, block_path
from segment.core.cluster.block_folder import BlockFolder
from segment.core.cluster.block_job import BlockJob
from segment.core.cluster.worker_model import ModelReference
from segment.core.maps.scene_outputs import SceneOutputs
from segment.core.model.info import ModelInfo
from segment.core.outputs import Stage, finish_moving, refuse_existing, staged_files
from segment.core.raster.blocks import EDGE, Block, Blocks
from segment.core.raster.sources import Source

R = TypeVar("R", bound=SceneOutputs)
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


@dataclass(frozen=True, kw_only=True)
class ClusterModel:
    """The model with which all workers compute.

    Attributes:
        reference: The model, as workers find it.
        identity: Identity of the model, see `segment.core.model.runtime.Model`.
        runtime: What computes, in words.
        info: Description of the model.
    """

    reference: ModelReference
    identity: str
    runtime: str
    info: ModelInfo


@dataclass(frozen=True, kw_only=True)
class BlockOptions:
    """How the scenes of a command are divided, and what happens to files that exist.

    Attributes:
        output: Folder of the outputs.
        edge: Approximate edge of a block in pixels; None for `EDGE`.
        resume: Whether to continue from the blocks and results that an earlier command left, and
            to keep blocks for a later one.
        overwrite: Whether existing outputs are replaced.
    """

    output: Path
    edge: int | None = None
    resume: bool = True
    overwrite: bool = False

    @property
    def size(self) -> int:
        """Approximate edge of a block in pixels."""
        return EDGE if self.edge is None else self.edge


@dataclass(frozen=True, kw_only=True)
class ScenePlan:
    """What is known of a scene before its blocks are computed.

    Attributes:
        blocks: Blocks of the scene.
        job: Returns the job that computes blocks into a folder.
        ingredients: Description of everything that the blocks depend on.
        made_of: Digest of everything that the result depends on, for the report.
    """

    blocks: Blocks
    job: Callable[[Path], BlockJob]
    ingredients: str
    made_of: str


class SceneJob(ABC, Generic[R]):
    """A scene to be done block by block.

    Attributes:
        name: Name of the scene in messages.
        blocks: Blocks of the scene.
        found: The result, where an earlier command made it; else None.
    """

    def __init__(
        self,
        source: Source,
        planned: R,
        names: Sequence[str],
        plan: ScenePlan,
        options: BlockOptions,
    ):
        """Looks for what earlier commands left.

        Args:
            source: Scene.
            planned: Outputs of the scene.
            names: Names of all files that the scene can have.
            plan: Blocks of the scene, and what they depend on.
            options: Where outputs and blocks are written.

        Raises:
            InputError: If outputs exist that must not be replaced.
        """
        self.name, self.blocks = str(source.path), plan.blocks
        self._planned, self._names, self._plan, self._options = planned, names, plan, options
        self._folder = BlockFolder(options.output, names[0], plan.ingredients, options.resume)
        finish_moving(options.output, names[0])
        known = options.resume and not options.overwrite
        self.found = planned.found(plan.made_of) if known else None
        self._overwrite = options.overwrite or planned.has_holes(plan.made_of)
        if not self.found:
            for name in names:
                refuse_existing(options.output / name, self._overwrite)

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
        return self._plan.job(self._folder.path)

    def assemble(self, holes: Sequence[Block], seconds: float) -> R:
        """Makes the result of finished blocks.

        Args:
            holes: Blocks that are missing; the report lists them.
            seconds: Time that the blocks took.

        Returns:
            The result.

        Raises:
            InputError: If the result cannot be written.
        """
        details: dict[str, Any] = {"made_of": self._plan.made_of}
        if holes:
            details["holes"] = [[hole.top, hole.bottom, hole.left, hole.right] for hole in holes]
            details["notes"] = [
                f"{len(holes)} of {len(self.blocks)} blocks could not be computed, and are nodata."
            ]
        with staged_files(self._options.output, self._names, self._overwrite) as stage:
            report = self._write(stage, set(holes), seconds, details)
        self._folder.done = not holes
        return replace(self._planned, report=report)

    @abstractmethod
    def _write(
        self, stage: Stage, holes: set[Block], seconds: float, details: dict[str, Any]
    ) -> dict[str, Any]:
        """Writes the outputs of finished blocks; `details` are keys of the report it returns."""

    def _open(self, block: Block) -> BlockFile:
        return BlockFile(block_path(self._folder.path, block))

    def end(self) -> None:
        """Closes what `begin` opened, if anything."""
        self._folder.close()
