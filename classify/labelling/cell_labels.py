"""Labels of the cells of a scene, with their probabilities."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.labelling.cells import Batch, CellArea, Cells, read_batches
from classify.labelling.inference import answer, given_labels, label_info
from segment.core.labels.classes import IGNORED
from segment.core.model.runtime import Model
from segment.core.prefetch import prefetch
from segment.core.raster.sources import Source


@dataclass(frozen=True)
class CellLabels:
    """Labels of cells, in reading order.

    Attributes:
        indices: Class index of each cell, (cells,) uint8; 255 without a label.
        probabilities: Probability of that class, (cells,) float32.
        given: All labels of each cell, joined with `;`, (cells,) of str.
    """

    indices: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    given: NDArray[np.object_]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Whether each cell has a label, (cells,) bool."""
        labelled: NDArray[np.bool_] = self.indices != IGNORED
        return labelled

    def count(self, classes: int) -> NDArray[np.int64]:
        """Counts the cells of each class.

        Args:
            classes: Number of classes.

        Returns:
            Counts (classes,) int64.
        """
        return np.bincount(self.indices[self.labelled], minlength=classes)


def label_cells(
    source: Source,
    cells: Cells,
    area: CellArea,
    network: Model,
    augment: bool,
    advance: Callable[[int, int], None] | None = None,
) -> CellLabels:
    """Labels a rectangle of the cells of a scene.

    Args:
        source: Scene.
        cells: All cells of the scene.
        area: Cells to label.
        network: Loaded model.
        augment: Whether to average over the eight flips and quarter turns of each cell.
        advance: Called with the number of cells that are done and of all cells.

    Returns:
        Labels of the cells, in the reading order of `area`.

    Raises:
        InputError: If the scene cannot be read, or the network returns NaN.
    """
    info, count = network.info, area.count
    names, multi_label = info.class_table.names, label_info(info).multi_label
    found = CellLabels(
        np.full(count, IGNORED, np.uint8), np.zeros(count, np.float32), np.full(count, "", object)
    )
    size, workers = network.recommended_batches(info.tile)

    def compute(batch: Batch) -> NDArray[np.float32]:
        return answer(network, batch.pixels, augment)[: len(batch.cells)]

    with closing(
        prefetch(read_batches(source, cells, area, info, size), compute, workers)
    ) as answers:
        for batch, probabilities in answers:
            given = given_labels(probabilities, info)
            for cell, row, labels in zip(batch.cells, probabilities, given, strict=True):
                if labels:
                    index = names.index(labels[0])
                    found.indices[cell], found.probabilities[cell] = index, row[index]
                    if multi_label:
                        found.given[cell] = ";".join(labels)
            if advance:
                advance(batch.cells[-1] + 1, count)
    if advance:
        advance(count, count)
    return found
