"""Maps assembled from blocks that workers of a cluster computed.

They are the same as the maps that one machine makes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.cluster.map_job import MapJob
from segment.core.cluster.block_file import BlockFile, block_path
from segment.core.cluster.block_folder import BlockFolder
from segment.core.cluster.scene_job import SceneJob
from segment.core.cluster.worker_model import ModelReference
from segment.core.model.info import ModelInfo
from segment.core.outputs import finish_moving, refuse_existing, staged_files
from segment.core.raster.blocks import Block, Blocks, divide
from segment.core.raster.classes import IGNORED
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
        reference: ModelReference,
        identity: tuple[str, str],
        info: ModelInfo,
        output: Path,
        options: MapOptions,
        *,
        truth: Source | None = None,
        edge: int,
        resume: bool = True,
        overwrite: bool = False,
    ):
        """Plans the blocks of a scene, which is closed again until they are computed.

        Args:
            source: Scene.
            reference: The model, as workers find it.
            identity: Identity and runtime of the model, see `segment.core.model.runtime.identify`.
            info: Description of the model.
            output: Folder of the outputs.
            options: How the scene is mapped.
            truth: Reference mask, or None.
            edge: Approximate edge of a block in pixels.
            resume: Whether to continue from the blocks that an earlier call left, and to keep
                blocks for a later one.
            overwrite: Whether existing outputs are replaced.

        Raises:
            InputError: As in `segment.predict_scene` before it computes.
        """
        self._source, self._info, self._output, self._options, self._truth = (
            source,
            info,
            output,
            options,
            truth,
        )
        self._overwrite, (_, self._runtime), self._model = overwrite, identity, reference.folder
        self._names = output_names(source, output)
        planned = SceneMap.planned(source, output, options.confidence, options.polygons)
        planned.spare([source.path, None if truth is None else truth.path])
        finish_moving(output, self._names)
        with open_scene(source, info, options, truth) as work:
            description = work.describe(*identity)
            made_of = work.made_of(description)
            folder = BlockFolder(
                output, self._names[0], f"{description} in blocks of {edge}", resume
            )
            blocks = plan_blocks(work.view, work.raster.height, work.raster.width, edge)
            job = MapJob(
                reference,
                folder.path,
                replace(work.view, source=work.view.source.absolute),
                work.raster.likeness,
                None if truth is None else truth.absolute,
                None if work.reference is None else work.reference.class_table,
                options.confidence,
            )
        found = planned.found(made_of) if resume and not overwrite else None
        self._overwrite |= planned.has_holes(made_of)
        if not found:
            for name in self._names:
                refuse_existing(output / name, self._overwrite)
        self._planned = planned
        super().__init__(source, folder, blocks, job, made_of, found)

    def _write(self, holes: Sequence[Block], seconds: float, details: dict[str, Any]) -> SceneMap:
        with (
            open_scene(self._source, self._info, self._options, self._truth) as work,
            staged_files(self._output, self._names, self._overwrite) as stage,
        ):
            journal = Journal(stage.work, work.raster.width)
            for start, rows in self._rows(work, holes):
                work.tally.add(start, self._info.class_table.indices(rows[CLASSES]))
                journal.append(rows, {})
            report = work.write(
                stage.new, journal, seconds, self._model, runtime=self._runtime, **details
            ).report
        return replace(self._planned, report=report)

    def _rows(
        self, work: OpenScene, holes: Sequence[Block]
    ) -> Iterator[tuple[int, dict[str, NDArray[np.uint8]]]]:
        """Yields the first row and the rows of each raster, from the top, and merges scores."""
        names, lacking = [CLASSES, *([CONFIDENCE] if self._options.confidence else [])], set(holes)
        for row in range(len(self.blocks.rows) - 1):
            blocks = list(self.blocks.row(row))
            files = {
                block: BlockFile(block_path(self._folder.path, block))
                for block in blocks
                if block not in lacking
            }
            top, bottom = blocks[0].top, blocks[0].bottom
            for start in range(top, bottom, _ROWS):
                stop = min(start + _ROWS, bottom)
                rows = {
                    name: np.full((stop - start, work.raster.width), IGNORED, np.uint8)
                    for name in names
                }
                for block, file in files.items():
                    for name in names:
                        rows[name][:, block.left : block.right] = file.read(
                            name, start - top, stop - top
                        )
                yield start, rows
            for file in files.values():
                if work.reference:
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
