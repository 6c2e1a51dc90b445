"""Labelling of a scene cell by cell, as a coarse class raster and as polygons."""

import json
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.labelling.cells import SMALLEST, Batch, Cells, Part, read_batches
from classify.labelling.inference import (
    answer,
    given_labels,
    label_info,
    require_input,
    scene_bands,
)
from classify.labelling.result import CellLabels, describe
from classify.labelling.result import SceneLabels as SceneLabels
from segment.core.choices import Runtime
from segment.core.errors import InputError
from segment.core.model.folder import load_model_info
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model, load_model
from segment.core.outputs import Stage, finish_moving, staged_files, writable
from segment.core.prefetch import prefetch
from segment.core.progress import Progress
from segment.core.raster.class_raster import write_class_raster
from segment.core.raster.classes import IGNORED
from segment.core.raster.geopackage import write_geopackage
from segment.core.raster.grid import PixelGrid
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source, as_source

LABEL_ENDINGS = ("_labels.tif",)
"""What is appended to the name of a scene in the names of its rasters."""
_LAYER = "labels"


def label_scene(
    scene: Path | str | Source,
    model: Path | str | Model = BUNDLED,
    output: Path | str = Path("."),
    *,
    grid: int,
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
    augment: bool = False,
    runtime: Runtime = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> SceneLabels:
    """Labels a scene cell by cell and writes a raster, polygons and a report.

    SCENE_labels.tif is a class raster with one pixel per cell, whose last row and column can reach
    beyond the scene. SCENE_labels.gpkg holds a square, cut off at the edge of the scene, for each
    cell with a label. With several labels, the class of a cell is the most probable label that
    reaches its threshold. Cells in which fewer than half of the pixels are valid, or no label
    reaches its threshold, are nodata (255). If one of the files cannot be written, none is.

    The scene is read forward only. Memory holds two row strips of `grid` scene rows, and about a
    kilobyte per cell.

    Args:
        scene: GeoTIFF, PNG, JPEG or whatever GDAL reads, also /vsicurl/... and s3://...
        model: Model folder, or a loaded model.
        output: Folder to write to.
        grid: Edge of a cell in pixels of the scene, 8 or more. A cell is resized to the input of
            the network; see `Cells` for those at the right and lower edge. A scene that is smaller
            than a cell is treated like any other image.
        bands: Band numbers from 1 in the order of the model. By default the bands that the model
            reads.
        nodata: Value that means no data in all bands, in addition to what the file declares.
        augment: Averages over the eight flips and quarter turns of each cell, which takes eight
            times as long.
        runtime: What computes, if `model` is a folder.
        overwrite: Whether existing outputs are replaced.
        progress: Where progress is reported.

    Returns:
        Paths of the files and the report, which print as a short table.

    Raises:
        InputError: If grid, scene and model do not match, a file cannot be read or written
            completely, or an output exists.
    """
    info = load_model_info(Path(model)) if isinstance(model, (str, Path)) else model.info
    source = as_source(scene, bands, nodata)
    planned, folder = SceneLabels.planned(source, Path(output)), Path(output)
    planned.spare([source.path])
    finish_moving(folder, planned.names)
    with ExitStack() as stack:
        work = stack.enter_context(open_grid(source, info, grid))
        stage = stack.enter_context(staged_files(folder, planned.names, overwrite))
        # load the network last, so that a missing file is reported without waiting for it
        network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
        started = time.monotonic()
        advance = partial(progress.advance, f"labelling {source.name}") if progress else None
        labels = label_cells(work.source, work.cells, work.cells.whole, network, augment, advance)
        report = work.write(stage, labels, started, runtime=network.runtime).report
    return replace(planned, report=report)


@dataclass(frozen=True)
class GridWork:
    """An open scene that fits a model, and its cells.

    Attributes:
        source: Scene, with the bands that the model reads.
        raster: The open scene.
        info: Description of the model.
        cells: Cells of the scene.
    """

    source: Source
    raster: Raster
    info: ModelInfo
    cells: Cells

    def write(
        self, stage: Stage, labels: CellLabels, started: float, **details: Any
    ) -> SceneLabels:
        """Writes raster, polygons and report.

        Args:
            stage: Where files are written first.
            labels: Labels of all cells.
            started: Time when labelling began, from `time.monotonic`.
            **details: Further keys of the report. `notes` are appended to those of the report.

        Returns:
            Paths of the files and the report.

        Raises:
            InputError: If a file cannot be written, for example because the disk is full.
        """
        files, cells, raster, info = (
            SceneLabels.planned(self.source, stage.new),
            self.cells,
            self.raster,
            self.info,
        )
        _write_raster(files.labels, stage.work / "labels.rows", labels, cells, raster, info)
        _write_polygons(files.polygons, labels, cells, raster, info)
        report = {"scene": self.source.name} | describe(
            labels, cells, raster, info, time.monotonic() - started
        )
        report |= details | {"notes": [*report["notes"], *details.get("notes", [])]}
        with writable(files.report_file):
            files.report_file.write_text(json.dumps(report, indent=2) + "\n")
        return replace(files, report=report)


@contextmanager
def open_grid(source: Source, info: ModelInfo, grid: int) -> Iterator[GridWork]:
    """Opens a scene to label its cells.

    Args:
        source: Scene.
        info: Description of the model.
        grid: Edge of a cell in pixels.

    Yields:
        The open scene with its cells.

    Raises:
        InputError: If grid, scene and model do not match.
    """
    if grid < SMALLEST:
        raise InputError(
            f"grid: cells have an edge of {SMALLEST} pixels or more. Received {grid}. Raise it."
        )
    source = replace(source, bands=source.bands or scene_bands(source, label_info(info)))
    with source.open(info.bands) as raster:
        source = replace(source, alpha=raster.alpha)
        _check_scene(raster, source, info)
        yield GridWork(source, raster, info, Cells(raster.height, raster.width, grid))


def _check_scene(raster: Raster, source: Source, info: ModelInfo) -> None:
    """Raises InputError if the model cannot take the scene's bands or dtype."""
    if source.bands is None and raster.info.colors == ("palette",):
        raise InputError(
            f"{raster.path}: scenes have colours. Received a palette. Expand it: gdal_translate"
            " -expand rgb IN OUT"
        )
    require_input(raster.path, len(raster.bands), raster.dtype.name, info)


def label_cells(
    source: Source,
    cells: Cells,
    part: Part,
    network: Model,
    augment: bool,
    advance: Callable[[int, int], None] | None = None,
) -> CellLabels:
    """Labels a part of the cells of a scene.

    Args:
        source: Scene.
        cells: All cells of the scene.
        part: Cells to label.
        network: Loaded model.
        augment: Whether to average over the eight flips and quarter turns of each cell.
        advance: Called with the number of cells that are done and of all cells.

    Returns:
        Labels of the cells, in the order of the part.

    Raises:
        InputError: If the scene cannot be read, or the network returns NaN.
    """
    info, count = network.info, part.count
    names, multi_label = info.class_table.names, label_info(info).multi_label
    found = CellLabels(
        np.full(count, IGNORED, np.uint8), np.zeros(count, np.float32), np.full(count, "", object)
    )
    size, workers = network.recommended_batches(info.tile)

    def compute(batch: Batch) -> NDArray[np.float32]:
        return answer(network, batch.pixels, augment)[: len(batch.cells)]

    with closing(
        prefetch(read_batches(source, cells, part, info, size), compute, workers)
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


def _write_raster(
    path: Path, rows: Path, labels: CellLabels, cells: Cells, raster: Raster, info: ModelInfo
) -> None:
    """Writes the class raster; `rows` is a working file with the values it is made from."""
    transform, content = raster.transform, info.class_table.values()[labels.indices].tobytes()
    if raster.crs is not None or not transform.is_identity:
        transform = transform @ type(transform).scale(cells.edge)
    coarse = PixelGrid(cells.rows, cells.columns, raster.crs, transform)
    with writable(rows):
        rows.write_bytes(content)
    write_class_raster(
        rows,
        zlib.crc32(content),
        path,
        coarse,
        info.class_table,
        labels.count(len(info.class_table)),
        "scene label",
    )


def _write_polygons(
    path: Path, labels: CellLabels, cells: Cells, raster: Raster, info: ModelInfo
) -> None:
    import shapely

    (numbers,) = np.nonzero(labels.labelled)
    (row, column), (rows, columns) = np.divmod(numbers, cells.columns), cells.borders()
    squares = shapely.box(columns[column], rows[row], columns[column + 1], rows[row + 1])
    indices, classes = labels.indices[numbers], info.class_table.classes
    fields: dict[str, NDArray[Any]] = {
        "class": np.array([c.name for c in classes], object)[indices],
        "value": info.class_table.values()[indices].astype(np.int32),
        "color": np.array([c.map_color for c in classes], object)[indices],
        "probability": labels.probabilities[numbers],
    }
    if label_info(info).multi_label:
        fields["labels"] = labels.given[numbers]
    write_geopackage(squares, fields, raster, info.class_table, path, _LAYER)
