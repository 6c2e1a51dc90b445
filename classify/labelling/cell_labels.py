"""Labels of the cells of a scene, with their probabilities."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from classify.labelling.cells import Batch, CellArea, Cells, read_batches
from classify.labelling.doubt import Doubt
from classify.labelling.inference import answer, given_labels, label_info
from segment.core.labels.classes import IGNORED
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model
from segment.core.prefetch import prefetch
from segment.core.raster.sources import Source

_WEIGHTS = {(i, k): (2 - abs(i)) * (2 - abs(k)) for i in (-1, 0, 1) for k in (-1, 0, 1)}
"""Weights of a cell and its eight neighbours: 4 in the middle, 2 at sides, 1 at corners."""


@dataclass(frozen=True)
class CellAnswers:
    """What a model answers for cells, (rows, columns) of them.

    Attributes:
        probabilities: Calibrated probabilities, (rows, columns, classes) float32; 0 where nodata.
        seen: Whether each cell has pixels enough to be labelled, (rows, columns) bool.
        unfamiliar: Whether it differs from all training images, (rows, columns) bool.
    """

    probabilities: NDArray[np.float32]
    seen: NDArray[np.bool_]
    unfamiliar: NDArray[np.bool_]

    @classmethod
    def empty(cls, shape: tuple[int, int], classes: int) -> "CellAnswers":
        """Makes answers for cells that are nodata.

        Args:
            shape: Rows and columns of cells.
            classes: Number of classes.

        Returns:
            The answers, to be filled.
        """
        return cls(
            np.zeros((*shape, classes), np.float32), np.zeros(shape, bool), np.zeros(shape, bool)
        )

    def smoothed(self) -> "CellAnswers":
        """Averages the probabilities of each cell and its eight neighbours.

        Weights are 4 for the cell, 2 at its sides and 1 at its corners. Neighbours that are nodata
        or unfamiliar do not count.

        Returns:
            The averaged answers.
        """
        rows, columns = self.seen.shape
        weights = np.pad((self.seen & ~self.unfamiliar).astype(np.float64), 1)
        sums = np.zeros(self.probabilities.shape, np.float64)
        total = np.zeros(self.seen.shape, np.float64)
        padded = np.pad(self.probabilities, ((1, 1), (1, 1), (0, 0)))
        for (down, right), weight in _WEIGHTS.items():
            place = slice(1 + down, 1 + down + rows), slice(1 + right, 1 + right + columns)
            share = weight * weights[place]
            total += share
            sums += share[..., None] * padded[place]
        own = (~self.seen | (total == 0))[..., None]
        means = sums / np.maximum(total, 1)[..., None]
        return replace(
            self, probabilities=np.where(own, self.probabilities, means).astype(np.float32)
        )


@dataclass(frozen=True)
class CellLabels:
    """Labels of cells, in reading order.

    Attributes:
        indices: Index in `shown_classes` of each cell, (cells,) uint8; 255 without a label.
        probabilities: Probability of that class, of an unsure cell of its most probable one,
            (cells,) float32.
        given: All labels of each cell, joined with `;`, (cells,) of str.
    """

    indices: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    given: NDArray[np.object_]

    @classmethod
    def of(cls, answers: CellAnswers, info: ModelInfo, smooth: bool = False) -> "CellLabels":
        """Chooses the labels of cells.

        Smoothed, a cell is unsure if neither its own probabilities nor those averaged with its
        neighbours are sure.

        Args:
            answers: What the model answers.
            info: Description of the model.
            smooth: Whether probabilities are averaged with those of neighbouring cells.

        Returns:
            The labels.
        """
        labels, names = label_info(info), info.class_table.names
        doubt, unfamiliar = Doubt(labels.unsure or 0.0), answers.unfamiliar.ravel()
        own = answers.probabilities.reshape(-1, len(names))
        final = answers.smoothed().probabilities.reshape(own.shape) if smooth else own
        unsure = doubt.unsure(own, unfamiliar) & doubt.unsure(final, unfamiliar)
        given = [
            some if seen else []
            for some, seen in zip(given_labels(final, info), answers.seen.ravel(), strict=True)
        ]
        indices = np.array([names.index(some[0]) if some else IGNORED for some in given], np.uint8)
        labelled = indices != IGNORED
        probabilities = np.zeros(len(own), np.float32)
        probabilities[labelled] = final[labelled, indices[labelled]]
        if labels.unsure is not None:
            indices[labelled & unsure] = len(names)
        joined = [";".join(some) if labels.multi_label else "" for some in given]
        return cls(indices, probabilities, np.array(joined, object))

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Whether each cell has a label, (cells,) bool."""
        labelled: NDArray[np.bool_] = self.indices != IGNORED
        return labelled

    def count(self, classes: int) -> NDArray[np.int64]:
        """Counts the cells of each class.

        Args:
            classes: Number of classes, see `shown_classes`.

        Returns:
            Counts (classes,) int64.
        """
        return np.bincount(self.indices[self.labelled], minlength=classes)


def answer_cells(
    source: Source,
    cells: Cells,
    area: CellArea,
    network: Model,
    augment: bool,
    advance: Callable[[int, int], None] | None = None,
) -> CellAnswers:
    """Computes the answers of a model for a rectangle of the cells of a scene.

    Args:
        source: Scene.
        cells: All cells of the scene.
        area: Cells to label.
        network: Loaded model.
        augment: Whether to average over the eight flips and quarter turns of each cell.
        advance: Called with the number of cells that are done and of all cells.

    Returns:
        Answers for the cells of `area`.

    Raises:
        InputError: If the scene cannot be read, or the network returns NaN.
    """
    info, count, doubt = network.info, area.count, Doubt.of(network)
    found = CellAnswers.empty(area.shape, len(info.class_table))
    probabilities = found.probabilities.reshape(count, -1)
    seen, unfamiliar = found.seen.reshape(count), found.unfamiliar.reshape(count)
    size, workers = network.recommended_batches(info.tile)

    def compute(batch: Batch) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        own = len(batch.cells)
        return answer(network, batch.pixels, augment)[:own], doubt.unfamiliar(batch.pixels[:own])

    with closing(
        prefetch(read_batches(source, cells, area, info, size), compute, workers)
    ) as answers:
        for batch, (rows, strange) in answers:
            probabilities[batch.cells], unfamiliar[batch.cells] = rows, strange
            seen[batch.cells] = True
            if advance:
                advance(batch.cells[-1] + 1, count)
    if advance:
        advance(count, count)
    return found
