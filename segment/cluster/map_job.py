"""Job of the workers of a cluster: mapping the blocks of a scene."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.annotations.label_source import LabelSource, files_of, open_labels
from segment.core.cluster.block_job import BlockJob
from segment.core.disk import sample_file
from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable
from segment.core.model.runtime import Model
from segment.core.raster.blocks import Block
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.mapping.journal import REFERENCE, rows_to_keep
from segment.mapping.model_view import ModelView
from segment.mapping.reference import Reference
from segment.mapping.tally import ConfidenceCounts
from segment.scores import Confusion


@dataclass(frozen=True)
class MapJob(BlockJob):
    """What all blocks of a map have in common.

    Attributes:
        model: The model, as workers find it.
        folder: Folder of finished blocks, see `BlockFolder`.
        view: How the model sees the scene, by a path that is valid on every machine.
        likeness: What the scene has in common with its copies, see `Raster.likeness`.
        reference: Reference of the scene, by such a path, or None.
        samples: What its files hold, see `sample_file`.
        reference_table: Class table by which it is decoded, as decided from the whole of it.
        confidence: Whether probabilities are kept, too.
    """

    view: ModelView
    likeness: list[Any]
    reference: LabelSource | None
    samples: list[int]
    reference_table: ClassTable | None
    confidence: bool

    @property
    def scene(self) -> Source:
        """The scene on its own grid."""
        return replace(self.view.source, factor=1.0)

    def check_input(self) -> None:
        """Checks that scene and reference on this machine are those of the map.

        Raises:
            InputError: If the scene cannot be opened, or one of them is another.
        """
        self.scene.require_alike(self.likeness)
        for file, sample in zip(files_of(self.reference), self.samples, strict=True):
            if sample_file(file) != sample:
                raise InputError(
                    f"{file}: not the reference that the cluster was asked to score with. Share the"
                    " same file with all machines."
                )

    def compute(
        self, block: Block, model: Model
    ) -> tuple[dict[str, NDArray[np.uint8]], dict[str, Any]]:
        """Maps a block.

        Args:
            block: Block to map.
            model: Network in use.

        Returns:
            Rows of each raster by its name, see `rows_to_keep`, (height, width) uint8; and the
            confidence of the block and, where there is a reference, its scores and its pixels
            without a class.

        Raises:
            InputError: If scene or reference cannot be read, or the output of the network is wrong.
        """
        class_table = model.info.class_table
        rasters: dict[str, NDArray[np.uint8]] = {}
        confusion, undeclared = Confusion(class_table.names), Counter[str]()
        with ExitStack() as stack:
            raster = stack.enter_context(self.scene.open())
            confidence = ConfidenceCounts(len(class_table), raster.height, raster.width)
            reference = self._open_reference(stack, raster, class_table.names)
            for strip in stack.enter_context(
                closing(self.view.map_region(raster, block.region, model))
            ):
                labels = strip.labels()
                stop = strip.start + len(labels)
                confidence.add(strip.start, block.left, labels, strip.probabilities)
                kept = rows_to_keep(strip, labels, class_table.values(), self.confidence)
                if reference:
                    true = reference.read(strip.start, stop, block.left, block.right)
                    confusion.add(true, labels, strip.probabilities)
                    kept[REFERENCE] = true
                for name, rows in kept.items():
                    whole = rasters.setdefault(
                        name, np.empty((block.height, block.width), np.uint8)
                    )
                    whole[strip.start - block.top : stop - block.top] = rows
            if reference:
                undeclared = reference.undeclared
        state = {"confidence": confidence.state()}
        if self.reference:
            state |= {"scores": confusion.state(), "undeclared": undeclared}
        return rasters, state

    def _open_reference(
        self, stack: ExitStack, raster: Raster, names: Sequence[str]
    ) -> Reference | None:
        if self.reference is None or self.reference_table is None:
            return None
        return Reference(
            stack.enter_context(open_labels(self.reference, raster, self.reference_table)),
            self.reference_table,
            names,
        )
