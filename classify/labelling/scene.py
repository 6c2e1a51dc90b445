"""Labelling of a scene cell by cell, as a coarse class raster and as polygons."""

import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.labelling.cell_labels import CellAnswers, CellLabels, answer_cells
from classify.labelling.cells import SMALLEST, Cells
from classify.labelling.doubt import shown_classes
from classify.labelling.inference import label_info, require_input
from classify.labelling.result import SceneLabels, class_areas, describe
from classify.labelling.scene_inputs import scaled_sources, scene_bands
from segment.core.choices import Runtime
from segment.core.disk import writable
from segment.core.errors import InputError
from segment.core.maps.class_raster import write_class_raster
from segment.core.maps.cog import RawRows
from segment.core.maps.geopackage import write_geopackage
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model
from segment.core.onnx_models.loading import load_model, load_model_info
from segment.core.outputs import Stage, finish_moving, staged_files
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.progress import Progress
from segment.core.raster.grid import PixelGrid
from segment.core.raster.nodata import Nodata
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Scene, Source, as_source
from segment.core.reports.map_pictures import read_photograph, write_overlay


def label_scene(  # noqa: PLR0913 - public, its parameters are options
    scene: Scene,
    model: Path | str | Model = BUNDLED,
    output: Path | str = Path("."),
    *,
    grid: int,
    bands: Sequence[int] | None = None,
    nodata: Nodata | None = None,
    scale: ScaleOption = "auto",
    augment: bool = False,
    smooth: bool = False,
    runtime: Runtime = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> SceneLabels:
    """Labels a scene cell by cell and writes a raster, polygons, an overlay and a report.

    SCENE_labels.tif is a class raster with one pixel per cell, whose last row and column can reach
    beyond the scene. SCENE_labels.gpkg holds a square, cut off at the edge of the scene, for each
    cell with a label, and SCENE_labels_overlay.jpg shows the labels over the scene, above a legend.
    With several labels, the class of a cell is the most probable label that reaches its threshold.
    Cells in which fewer than half of the pixels are valid, or no label reaches its threshold, are
    nodata (255). Cells that may show none of the classes are of a class *unsure*, see `Doubt`. If
    one of the files cannot be written, none is.

    The scene is read forward only, and once more for the overlay. Memory holds two row strips of
    `grid` scene rows, one or two kilobytes per cell, and a picture of at most 4096 pixels a side.

    Args:
        scene: GeoTIFF, PNG, JPEG or whatever GDAL reads, also /vsicurl/... and s3://..., or an open
            rasterio dataset.
        model: Model folder, or a loaded model.
        output: Folder to write to.
        grid: Edge of a cell in pixels of the scene, 8 or more. A cell is resized to the input of
            the network; see `Cells` for those at the right and lower edge. A scene that is smaller
            than a cell is treated like any other image.
        bands: Band numbers from 1 in the order of the model; by default those that the file names
            as the model's, see `choose_bands`.
        nodata: Value, or range (lowest, highest), that means no data in all bands, in addition to
            what the file declares.
        scale: How pixels are brought to the 8 bits of a model. "auto": pixels of another type by
            the scale of the model's training, or else from their 0.5th to their 99.5th percentile;
            "never": pixels stay as they are. For all pixels: two values (low, high) or "LOW,HIGH",
            or percentages in each band such as "2%,98%". The report of a scene, a path: pixels of
            the same type by its scale. A `Source` that has a scale keeps it.
        augment: Averages over the eight flips and quarter turns of each cell, which takes eight
            times as long.
        smooth: Averages the probabilities of each cell with those of its eight neighbours, see
            `CellAnswers.smoothed`.
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
    (source,) = scaled_sources([as_source(scene, bands, nodata)], info, scale, progress)
    planned, folder = SceneLabels.planned(source, Path(output)), Path(output)
    planned.refuse_inputs([source.path])
    finish_moving(folder, planned.names[0])
    with ExitStack() as stack:
        opened = stack.enter_context(open_scene(source, info, grid))
        stage = stack.enter_context(staged_files(folder, planned.names, overwrite))
        # load the network last, so that a missing file is reported without waiting for it
        network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
        started = time.monotonic()
        advance = partial(progress.advance, f"labelling {source.name}") if progress else None
        answers = answer_cells(
            opened.source, opened.cells, opened.cells.whole, network, augment, advance
        )
        report = opened.write(stage, answers, smooth, started, runtime=network.runtime).report
    return replace(planned, report=report)


@dataclass(frozen=True)
class OpenScene:
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
        self, stage: Stage, answers: CellAnswers, smooth: bool, started: float, **details: Any
    ) -> SceneLabels:
        """Writes raster, polygons, overlay and report.

        Args:
            stage: Where files are written first.
            answers: What the model answers for all cells.
            smooth: Whether probabilities are averaged with those of neighbouring cells.
            started: Time when labelling began, from `time.monotonic`.
            **details: Further keys of the report. `notes` are appended to those of the report. With
                `holes`, parts of the scene may be unreadable.

        Returns:
            Paths of the files and the report.

        Raises:
            InputError: If a file cannot be written, for example because the disk is full.
        """
        files = SceneLabels.planned(self.source, stage.new)
        labels = CellLabels.of(answers, self.info, smooth)
        self._write_raster(files.labels, stage.work / "labels.rows", labels)
        self._write_polygons(files.polygons, labels)
        self._write_overlay(files.overlay, labels, damaged="holes" in details)
        seconds = time.monotonic() - started
        report = describe(labels, self.cells, self.raster, self.info, seconds)
        undeclared = filter(None, [self.raster.undeclared_nodata()])
        notes = [*report["notes"], *details.get("notes", []), *undeclared]
        report |= {"smooth": smooth} | details | {"notes": notes}
        return files.written({"scene": self.source.name} | report)

    def _write_raster(self, path: Path, rows: Path, labels: CellLabels) -> None:
        """Writes the class raster; `rows` is a working file with the values it is made from."""
        cells, raster, class_table = self.cells, self.raster, shown_classes(self.info)
        transform, content = raster.transform, class_table.values()[labels.indices].tobytes()
        if raster.crs is not None or not transform.is_identity:
            transform = transform @ type(transform).scale(cells.edge)
        coarse = PixelGrid(cells.rows, cells.columns, raster.crs, transform)
        with writable(rows):
            rows.write_bytes(content)
        counts = labels.count(len(class_table))
        values = RawRows(rows, zlib.crc32(content))
        write_class_raster(values, path, coarse, class_table, counts, "scene label")

    def _write_overlay(self, path: Path, labels: CellLabels, damaged: bool) -> None:
        bands, colors = self.raster.bands, label_info(self.info).rgb
        shown = colors if len(bands) > max(colors) else range(len(bands))
        scale = self.source.scale and self.source.scale.of_bands(shown)
        source = replace(self.source, bands=tuple(bands[i] for i in shown), scale=scale)
        photograph = read_photograph(source, damaged)
        rows, columns = (
            ((np.arange(seen) + 0.5) * side / seen).astype(np.int64) // self.cells.edge
            for seen, side in zip(
                photograph.shape[:2], (self.raster.height, self.raster.width), strict=True
            )
        )
        indices = labels.indices.reshape(self.cells.whole.shape)[np.ix_(rows, columns)]
        class_table = shown_classes(self.info)
        _, shares = class_areas(labels, self.cells, self.raster, len(class_table))
        legend = dict(zip(class_table.names, shares, strict=True))
        write_overlay(path, photograph, indices, class_table, legend)

    def _write_polygons(self, path: Path, labels: CellLabels) -> None:
        import shapely

        class_table = shown_classes(self.info)
        (numbers,) = np.nonzero(labels.labelled)
        row, column = np.divmod(numbers, self.cells.columns)
        rows, columns = self.cells.borders()
        squares = shapely.box(columns[column], rows[row], columns[column + 1], rows[row + 1])
        indices, classes = labels.indices[numbers], class_table.classes
        fields: dict[str, NDArray[Any]] = {
            "class": np.array([c.name for c in classes], object)[indices],
            "value": class_table.values()[indices].astype(np.int32),
            "color": np.array([c.map_color for c in classes], object)[indices],
            "probability": labels.probabilities[numbers],
        }
        if label_info(self.info).multi_label:
            fields["labels"] = labels.given[numbers]
        write_geopackage(squares, fields, self.raster, class_table, path, "labels")


@contextmanager
def open_scene(source: Source, info: ModelInfo, grid: int) -> Iterator[OpenScene]:
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
        raise InputError(f"grid: cells must be at least {SMALLEST} pixels wide. Received {grid}.")
    source = replace(source, bands=source.bands or scene_bands(source, label_info(info)))
    with source.open(info.wanted_bands) as raster:
        _check_scene(raster, source, info)
        cells = Cells(raster.height, raster.width, grid)
        yield OpenScene(source.as_opened(raster), raster, info, cells)


def _check_scene(raster: Raster, source: Source, info: ModelInfo) -> None:
    """Raises InputError if the model cannot take the scene's bands or dtype."""
    if source.bands is None and raster.info.has_palette:
        raise InputError(
            f"{raster.path}: has a palette. Received indices of colours, not colours. Run:"
            " gdal_translate -expand rgb IN OUT"
        )
    reason = " ".join(raster.choice.notes)
    require_input(raster.path, len(raster.bands), raster.dtype.name, info, reason)
