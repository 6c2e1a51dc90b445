"""One block of a scene's cells, as a worker of a cluster labels it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.labelling.cells import Cells
from classify.labelling.grid import label_cells
from segment.core.cluster.block_job import BlockJob
from segment.core.model.runtime import Model
from segment.core.raster.blocks import Block
from segment.core.raster.sources import Source

INDICES, PROBABILITIES, GIVEN = "indices", "probabilities", "given"
"""What the labels of a block's cells are kept as; see `CellLabels`."""


@dataclass(frozen=True)
class CellJob(BlockJob):
    """What all blocks of a scene have in common.

    source: by a path that is right on every machine. likeness: of the scene.
    """

    source: Source
    likeness: list[Any]
    cells: Cells
    augment: bool

    def check_input(self) -> None:
        self.source.require_alike(self.likeness)

    def compute(self, block: Block, model: Model) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Indices, probabilities and all labels given, in UTF-8, (rows, columns) each, of the block's cells."""
        part = self.cells.part(block)
        labels = label_cells(self.source, self.cells, part, model, self.augment)
        arrays: dict[str, NDArray[Any]] = {
            INDICES: labels.indices.reshape(part.shape),
            PROBABILITIES: labels.probabilities.reshape(part.shape),
            GIVEN: np.char.encode(labels.given.reshape(part.shape).astype(str), "utf-8"),
        }
        return arrays, {}
