"""Maps assembled from blocks that workers of a cluster computed.

They are the same as the maps that one machine makes.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from segment.annotations.label_source import LabelSource, absolute, files_of
from segment.cluster.map_job import MapJob
from segment.core.cluster.block_file import BlockFile
from segment.core.cluster.scene_job import BlockOptions, ClusterModel, SceneJob, ScenePlan
from segment.core.disk import sample_file
from segment.core.labels.classes import IGNORED
from segment.core.outputs import Stage, finish_moving
from segment.core.raster.blocks import Block, Blocks, divide
from segment.core.raster.grid import PixelGrid
from segment.core.raster.sources import Source
from segment.mapping.journal import CLASSES, CONFIDENCE, REFERENCE, Journal
from segment.mapping.model_view import ModelView
from segment.mapping.options import MapOptions
from segment.mapping.result import SceneMap, output_names
from segment.mapping.scene import OpenScene, open_scene

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
        reference: LabelSource | None = None,
    ):
        """Plans the blocks of a scene, which is closed again until they are computed.

        Args:
            source: Scene.
            model: The model.
            options: How the scene is mapped.
            blocks: How the scene is divided, and where outputs are written.
            reference: Reference mask or vector labels, or None.

        Raises:
            InputError: As in `segment.predict_scene` before it computes.
        """
        self._model, self._open_scene = (
            model,
            partial(open_scene, source, model.info, options, reference),
        )
        planned = SceneMap.planned(source, blocks.output, options)
        finish_moving(blocks.output, planned.classes.name)
        references = files_of(reference)
        inputs = [source.path, *references, *options.files]
        names = output_names(source, blocks.output, options, inputs)
        asked = {CONFIDENCE: options.needs_confidence, REFERENCE: reference is not None}
        self._rasters = [CLASSES, *(name for name in asked if asked[name])]
        with self._open_scene() as work:
            self._description = description = work.describe(model.identity, model.runtime)
            plan = ScenePlan(
                blocks=plan_blocks(work.view, work.raster, blocks.size),
                job=partial(
                    MapJob,
                    model.reference,
                    view=replace(work.view, source=work.view.source.absolute),
                    likeness=work.raster.likeness,
                    reference=None if reference is None else absolute(reference),
                    samples=[sample_file(file) for file in references],
                    reference_table=None if work.reference is None else work.reference.class_table,
                    confidence=options.needs_confidence,
                ),
                ingredients=f"{description} in blocks of {blocks.size}",
                made_of=work.made_of(description),
            )
        super().__init__(source, planned, names, plan, blocks)
        self.found = self.found and self.found.with_note_on_timing(options)

    def _write(
        self, stage: Stage, holes: set[Block], seconds: float, details: dict[str, Any]
    ) -> dict[str, Any]:
        with self._open_scene() as work:
            model = self._model
            changed = work.note_change(self._description, model.identity, model.runtime)
            details["notes"] = [*details.get("notes", []), *changed]
            clock = work.options.clock("wait", seconds)
            if clock:
                clock.switch("merge")
            journal = Journal(stage.work, work.area.height, work.area.width)
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
                model.reference.folder,
                clock,
                runtime=model.runtime,
                **details,
            ).report

    def _append_rows(
        self, row: int, files: Mapping[Block, BlockFile], journal: Journal, work: OpenScene
    ) -> None:
        """Appends a row of blocks to the journal; missing blocks are nodata."""
        (top, bottom), area = self.blocks.rows[row : row + 2], work.area
        for start in range(top, bottom, _ROWS):
            count = min(_ROWS, bottom - start)
            rows = {name: np.full((count, area.width), IGNORED, np.uint8) for name in self._rasters}
            for block, file in files.items():
                for name in self._rasters:
                    columns = slice(block.left - area.left, block.right - area.left)
                    rows[name][:, columns] = file.read(name, count)
            work.tally.add(start - area.top, self._model.info.class_table.indices(rows[CLASSES]))
            journal.append(rows, {})
        for file in files.values():
            work.tally.confidence.merge(file.state["confidence"])
        if work.reference:
            for file in files.values():
                work.tally.merge_scores(file.state["scores"])
                work.reference.undeclared.update(file.state["undeclared"])


def plan_blocks(view: ModelView, scene: PixelGrid, edge: int) -> Blocks:
    """Plans the blocks of a scene, which begin and end between rows and columns of tiles.

    Args:
        view: How the model sees the scene.
        scene: Grid of the scene.
        edge: Approximate edge of a block in pixels.

    Returns:
        The blocks of the view's area; those that hold no pixel of it are left out.

    Raises:
        InputError: If `edge` is not positive.
    """
    plan, area = view.plan, view.area
    top, bottom, left, right = (0, scene.height, 0, scene.width) if area is None else area.region
    rows = [round((start - plan.top) * scene.height / plan.height) - top for start in plan.rows]
    columns = [
        round((start - plan.left) * scene.width / plan.width) - left for start in plan.columns
    ]
    blocks = Blocks(
        tuple(top + row for row in divide(bottom - top, edge, rows)),
        tuple(left + column for column in divide(right - left, edge, columns)),
    )
    if area is None or area.polygons is None:
        return blocks
    return replace(
        blocks,
        left_out=frozenset(
            (b.row, b.column)
            for b in blocks
            if not area.covers(b.top, b.bottom, b.left, b.right).any()
        ),
    )
