"""Maps assembled from blocks that workers of a cluster computed.

They are the same as the maps that one machine makes.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from segment.cluster.map_job import MapJob
from segment.core.cluster.block_file import BlockFile
from segment.core.cluster.scene_job import BlockOptions, ClusterModel, SceneJob, ScenePlan
from segment.core.labels.classes import IGNORED
from segment.core.outputs import Stage
from segment.core.raster.blocks import Block, Blocks, divide
from segment.core.raster.sources import Source
from segment.mapping.journal import CLASSES, CONFIDENCE, Journal
from segment.mapping.model_view import ModelView
from segment.mapping.options import MapOptions
from segment.mapping.result import SceneMap
from segment.mapping.scene import OpenScene, open_scene, output_names

_ROWS = 256  # assembled at a time


class MapAssembly(SceneJob[SceneMap]):
    """A scene to be mapped by a cluster.

    Its blocks follow the rows and columns of tiles, so that as few tiles as possible are computed
    twice.
    """

    def __init__(
        self,
        source: Source,
        model: ClusterModel,
        options: MapOptions,
        blocks: BlockOptions,
        reference: Source | None = None,
    ):
        """Plans the blocks of a scene, which is closed again until they are computed.

        Args:
            source: Scene.
            model: The model.
            options: How the scene is mapped.
            blocks: How the scene is divided, and where outputs are written.
            reference: Reference mask, or None.

        Raises:
            InputError: As in `segment.predict_scene` before it computes.
        """
        self._model, self._open_scene = (
            model,
            partial(open_scene, source, model.info, options, reference),
        )
        planned = SceneMap.planned(source, blocks.output, options.confidence, options.polygons)
        planned.spare([source.path, None if reference is None else reference.path])
        self._rasters = [CLASSES, CONFIDENCE] if options.confidence else [CLASSES]
        with self._open_scene() as work:
            description = work.describe(model.identity, model.runtime)
            plan = ScenePlan(
                blocks=plan_blocks(work.view, work.raster.height, work.raster.width, blocks.size),
                job=partial(
                    MapJob,
                    model.reference,
                    view=replace(work.view, source=work.view.source.absolute),
                    likeness=work.raster.likeness,
                    reference=None if reference is None else reference.absolute,
                    reference_table=None if work.reference is None else work.reference.class_table,
                    confidence=options.confidence,
                ),
                ingredients=f"{description} in blocks of {blocks.size}",
                made_of=work.made_of(description),
            )
        super().__init__(source, planned, output_names(source, blocks.output), plan, blocks)

    def _write(
        self, stage: Stage, holes: set[Block], seconds: float, details: dict[str, Any]
    ) -> dict[str, Any]:
        with self._open_scene() as work:
            journal = Journal(stage.work, work.raster.width)
            for row in range(len(self.blocks.rows) - 1):
                with ExitStack() as stack:
                    files = {
                        block: stack.enter_context(self._open(block))
                        for block in self.blocks.row(row)
                        if block not in holes
                    }
                    self._append_rows(row, files, journal, work)
            return work.write(
                stage.new,
                journal,
                seconds,
                self._model.reference.folder,
                runtime=self._model.runtime,
                **details,
            ).report

    def _append_rows(
        self, row: int, files: Mapping[Block, BlockFile], journal: Journal, work: OpenScene
    ) -> None:
        """Appends a row of blocks to the journal; missing blocks are nodata."""
        top, bottom = self.blocks.rows[row : row + 2]
        for start in range(top, bottom, _ROWS):
            count = min(_ROWS, bottom - start)
            rows = {
                name: np.full((count, work.raster.width), IGNORED, np.uint8)
                for name in self._rasters
            }
            for block, file in files.items():
                for name in self._rasters:
                    rows[name][:, block.left : block.right] = file.read(name, count)
            work.tally.add(start, self._model.info.class_table.indices(rows[CLASSES]))
            journal.append(rows, {})
        for file in files.values():
            work.tally.confidence.merge(file.state["confidence"])
        if work.reference:
            for file in files.values():
                work.tally.merge_scores(file.state["scores"])
                work.reference.undeclared.update(file.state["undeclared"])


def plan_blocks(view: ModelView, height: int, width: int, edge: int) -> Blocks:
    """Plans the blocks of a scene, which begin and end between rows and columns of tiles.

    Args:
        view: How the model sees the scene.
        height: Rows of the scene.
        width: Columns of the scene.
        edge: Approximate edge of a block in pixels.

    Returns:
        The blocks.

    Raises:
        InputError: If `edge` is not positive.
    """
    plan = view.plan
    rows = [round((start - plan.top) * height / plan.height) for start in plan.rows]
    columns = [round((start - plan.left) * width / plan.width) for start in plan.columns]
    return Blocks(divide(height, edge, rows), divide(width, edge, columns))
