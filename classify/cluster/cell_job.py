"""Labelling of a scene by a cluster: the job of its workers, and what it is assembled to."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

from numpy.typing import NDArray

from classify.labelling.cell_labels import CellAnswers, answer_cells
from classify.labelling.cells import Cells
from classify.labelling.result import SceneLabels
from classify.labelling.scene import open_scene
from segment.core.cluster.block_job import BlockJob
from segment.core.cluster.scene_job import BlockOptions, ClusterModel, SceneJob, ScenePlan
from segment.core.model.runtime import Model
from segment.core.outputs import Stage
from segment.core.raster.blocks import Block, Blocks, divide
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


class CellAssembly(SceneJob[SceneLabels]):
    """A scene to be labelled by a cluster."""

    def __init__(
        self,
        source: Source,
        model: ClusterModel,
        grid: int,
        augment: bool,
        smooth: bool,
        blocks: BlockOptions,
    ):
        """Plans the blocks of a scene, which is closed again until they are labelled.

        Args:
            source: Scene.
            model: The model.
            grid: Edge of a cell in pixels of the scene.
            augment: Whether to average over the eight flips and quarter turns of each cell.
            smooth: Whether probabilities are averaged with those of neighbouring cells.
            blocks: How the scene is divided, and where outputs are written.

        Raises:
            InputError: As in `classify.label_scene` before it computes.
        """
        self._open_scene = partial(open_scene, source, model.info, grid)
        self._runtime, self._smooth = model.runtime, smooth
        planned = SceneLabels.planned(source, blocks.output)
        planned.refuse_inputs([source.path])
        with self._open_scene() as work:
            rows, columns = (edges.tolist() for edges in work.cells.borders())
            ingredients = {
                "version": version("aerial-segment"),
                "scene": work.raster.identity,
                "model": [model.identity, model.runtime, model.info.model_dump(mode="json")],
                "cells": asdict(work.cells),
                "augment": augment,
                "arrays": ARRAYS,
            }
            plan = ScenePlan(
                blocks=Blocks(
                    divide(rows[-1], blocks.size, rows), divide(columns[-1], blocks.size, columns)
                ),
                job=partial(
                    CellJob,
                    model.reference,
                    source=work.source.absolute,
                    likeness=work.raster.likeness,
                    cells=work.cells,
                    augment=augment,
                ),
                ingredients=json.dumps([ingredients, blocks.size]),
                made_of=hashlib.sha256(
                    json.dumps(ingredients | {"smooth": smooth}).encode()
                ).hexdigest(),
            )
        super().__init__(source, planned, planned.names, plan, blocks)

    def _write(
        self, stage: Stage, holes: set[Block], seconds: float, details: dict[str, Any]
    ) -> dict[str, Any]:
        begun = time.monotonic() - seconds
        with self._open_scene() as work:
            answers = self._answers(work.cells, len(work.info.class_table), holes)
            details = {"runtime": self._runtime} | details
            return work.write(stage, answers, self._smooth, begun, **details).report

    def _answers(self, cells: Cells, classes: int, holes: set[Block]) -> CellAnswers:
        answers = CellAnswers.empty(cells.whole.shape, classes)
        for block in self.blocks:
            if block in holes:
                continue
            area = cells.within(block)
            place = (
                slice(area.rows.start, area.rows.stop),
                slice(area.columns.start, area.columns.stop),
            )
            with self._open(block) as file:
                for name in ARRAYS:
                    getattr(answers, name)[place] = file.read(name)
        return answers
