"""The labels of a scene's cells, put together from blocks that workers of a cluster labelled."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from classify.cell_job import GIVEN, INDICES, PROBABILITIES, CellJob
from classify.grid import check_outputs, open_grid
from classify.scene_labels import CellLabels, SceneLabels
from segment.core.block_file import BlockFile, block_path
from segment.core.block_folder import BlockFolder
from segment.core.blocks import Block, Blocks, divide
from segment.core.kept_model import ModelReference
from segment.core.model_folder import ModelInfo
from segment.core.output import finish_moving, refuse_existing, staged_files
from segment.core.palette import IGNORED
from segment.core.sources import Source


class CellMosaic:
    """A scene to be labelled by a cluster; see `segment.core.campaign.Undertaking`. found: the labels, where they were there."""

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
        """Looks at the scene, and leaves it alone until blocks are done.

        identity: of the model and its runtime, see `segment.core.runtime.identify`. edge: of a block, pixels.
        Raises InputError as `classify.label_scene` does before it computes.
        """
        self._source, self._info, self._output, self._grid = source, info, output, grid
        _, self._runtime = identity
        self._planned = SceneLabels.planned(source, output)
        check_outputs(self._planned, source)
        finish_moving(output, self._planned.names)
        with open_grid(source, info, grid) as work:
            rows, columns = (edges.tolist() for edges in work.cells.borders())
            self.blocks = Blocks(divide(rows[-1], edge, rows), divide(columns[-1], edge, columns))
            made_of = {
                "version": version("aerial-segment"),
                "scene": work.raster.identity,
                "model": [*identity, info.model_dump(mode="json")],
                "cells": asdict(work.cells),
                "augment": augment,
            }
            self._folder = BlockFolder(output, self._planned.labels.name, json.dumps([made_of, edge]))
            self._job = CellJob(reference, self._folder.path, work.source.absolute, work.raster.likeness, work.cells, augment)
        self._made_of = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
        self.found = None if overwrite else self._planned.found(self._made_of)
        self._overwrite = overwrite or self._planned.has_holes(self._made_of)
        if not self.found:
            for name in self._planned.names:
                refuse_existing(output / name, self._overwrite)

    @property
    def name(self) -> str:
        return str(self._source.path)

    @property
    def keeps(self) -> bool:
        return self._folder.keep

    def begin(self) -> CellJob:
        """Makes the folder for finished blocks. Raises InputError when that cannot be."""
        self._folder.open()
        return self._job

    def end(self) -> None:
        self._folder.close()

    def assemble(self, holes: Sequence[Block], seconds: float) -> SceneLabels:
        """Puts finished blocks together and writes raster, polygons and report; cells in `holes` have no label."""
        begun = time.monotonic() - seconds
        labels = self._labels(holes)
        details: dict[str, Any] = {"runtime": self._runtime, "made_of": self._made_of}
        if holes:
            details["holes"] = [[hole.top, hole.bottom, hole.left, hole.right] for hole in holes]
            details["notes"] = [f"{len(holes)} of {len(self.blocks)} blocks could not be labelled, and are nodata."]
        with (
            open_grid(self._source, self._info, self._grid) as work,
            staged_files(self._output, self._planned.names, self._overwrite) as stage,
        ):
            report = work.write(stage, labels, begun, **details).report
        self._folder.done = not holes
        return replace(self._planned, report=report)

    def _labels(self, holes: Sequence[Block]) -> CellLabels:
        cells, lacking = self._job.cells, set(holes)
        shape = cells.whole.shape
        indices, probabilities = np.full(shape, IGNORED, np.uint8), np.zeros(shape, np.float32)
        given = np.full(shape, "", object)
        for block in self.blocks:
            if block in lacking:
                continue
            file, part = BlockFile(block_path(self._folder.path, block)), cells.part(block)
            place = slice(part.rows.start, part.rows.stop), slice(part.columns.start, part.columns.stop)
            indices[place], probabilities[place] = file.read(INDICES), file.read(PROBABILITIES)
            given[place] = np.char.decode(file.read(GIVEN), "utf-8")
        return CellLabels(indices.ravel(), probabilities.ravel(), given.ravel())
