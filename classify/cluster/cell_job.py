"""Job of the workers of a cluster: labelling the cells in blocks of a scene."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from classify.labelling.cell_labels import answer_cells
from classify.labelling.cells import Cells
from segment.core.cluster.block_job import BlockJob
from segment.core.model.runtime import Model
from segment.core.raster.blocks import Block
from segment.core.raster.sources import Source

ARRAYS = ("probabilities", "seen", "unfamiliar")
"""Names of the arrays with the answers for a block's cells; see `CellAnswers`."""


@dataclass(frozen=True)
class CellJob(BlockJob):
    """What all blocks of a scene have in common.

    Attributes:
        model: The model, as workers find it.
        folder: Folder of finished blocks, see `BlockFolder`.
        source: Scene, by a path that is valid on every machine.
        likeness: What the scene has in common with its copies, see `Raster.likeness`.
        cells: Cells of the whole scene.
        augment: Whether to average over the eight flips and quarter turns of each cell.
    """

    source: Source
    likeness: list[Any]
    cells: Cells
    augment: bool

    def check_input(self) -> None:
        """Checks that the scene on this machine is the one to be labelled.

        Raises:
            InputError: If the scene cannot be opened, or is another one.
        """
        self.source.require_alike(self.likeness)

    def compute(self, block: Block, model: Model) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Labels the cells of a block.

        Args:
            block: Block to label.
            model: Network in use.

        Returns:
            The arrays of `CellAnswers`, and an empty dictionary.

        Raises:
            InputError: If the scene cannot be read, or the network returns NaN.
        """
        area = self.cells.within(block)
        answers = answer_cells(self.source, self.cells, area, model, self.augment)
        return {name: getattr(answers, name) for name in ARRAYS}, {}
