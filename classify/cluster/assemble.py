"""Labels of a scene's cells, assembled from blocks that workers of a cluster labelled."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from classify.cluster.cell_job import GIVEN, INDICES, PROBABILITIES, CellJob
from classify.labelling.cell_labels import CellLabels
from classify.labelling.result import SceneLabels
from classify.labelling.scene import open_scene
from segment.core.cluster.block_file import BlockFile, block_path
from segment.core.cluster.block_folder import BlockFolder
from segment.core.cluster.scene_job import SceneJob
from segment.core.cluster.worker_model import ModelReference
from segment.core.model.info import ModelInfo
from segment.core.outputs import finish_moving, refuse_existing, staged_files
from segment.core.raster.blocks import Block, Blocks, divide
from segment.core.raster.classes import IGNORED
from segment.core.raster.sources import Source


class CellAssembly(SceneJob[SceneLabels]):
    """A scene to be labelled by a cluster."""

    def __init__(
        self,
        source: Source,
        reference: ModelReference,
        identity: tuple[str, str],
        info: ModelInfo,
        output: Path,
        *,
        grid: int,
        augment: bool,
        edge: int,
        overwrite: bool = False,
    ):
        """Plans the blocks of a scene, which is closed again until they are labelled.

        Args:
            source: Scene.
            reference: The model, as workers find it.
            identity: Identity and runtime of the model, see `segment.core.model.runtime.identify`.
            info: Description of the model.
            output: Folder of the outputs.
            grid: Edge of a cell in pixels of the scene.
            augment: Whether to average over the eight flips and quarter turns of each cell.
            edge: Approximate edge of a block in pixels.
            overwrite: Whether existing outputs are replaced.

        Raises:
            InputError: As in `classify.label_scene` before it computes.
        """
        self._source, self._info, self._output, self._grid = source, info, output, grid
        _, self._runtime = identity
        self._planned = SceneLabels.planned(source, output)
        self._planned.spare([source.path])
        finish_moving(output, self._planned.names)
        with open_scene(source, info, grid) as work:
            rows, columns = (edges.tolist() for edges in work.cells.borders())
            blocks = Blocks(divide(rows[-1], edge, rows), divide(columns[-1], edge, columns))
            ingredients = {
                "version": version("aerial-segment"),
                "scene": work.raster.identity,
                "model": [*identity, info.model_dump(mode="json")],
                "cells": asdict(work.cells),
                "augment": augment,
            }
            folder = BlockFolder(output, self._planned.labels.name, json.dumps([ingredients, edge]))
            job = CellJob(
                reference,
                folder.path,
                work.source.absolute,
                work.raster.likeness,
                work.cells,
                augment,
            )
            self._cells = work.cells
        made_of = hashlib.sha256(json.dumps(ingredients).encode()).hexdigest()
        found = None if overwrite else self._planned.found(made_of)
        self._overwrite = overwrite or self._planned.has_holes(made_of)
        if not found:
            for name in self._planned.names:
                refuse_existing(output / name, self._overwrite)
        super().__init__(source, folder, blocks, job, made_of, found)

    def _write(
        self, holes: Sequence[Block], seconds: float, details: dict[str, Any]
    ) -> SceneLabels:
        begun = time.monotonic() - seconds
        labels = self._labels(holes)
        with (
            open_scene(self._source, self._info, self._grid) as work,
            staged_files(self._output, self._planned.names, self._overwrite) as stage,
        ):
            report = work.write(stage, labels, begun, runtime=self._runtime, **details).report
        return replace(self._planned, report=report)

    def _labels(self, holes: Sequence[Block]) -> CellLabels:
        cells, lacking = self._cells, set(holes)
        shape = cells.whole.shape
        indices, probabilities = np.full(shape, IGNORED, np.uint8), np.zeros(shape, np.float32)
        given = np.full(shape, "", object)
        for block in self.blocks:
            if block in lacking:
                continue
            file, area = BlockFile(block_path(self._folder.path, block)), cells.within(block)
            place = (
                slice(area.rows.start, area.rows.stop),
                slice(area.columns.start, area.columns.stop),
            )
            indices[place], probabilities[place] = file.read(INDICES), file.read(PROBABILITIES)
            given[place] = np.char.decode(file.read(GIVEN), "utf-8")
        return CellLabels(indices.ravel(), probabilities.ravel(), given.ravel())
