"""Prediction of scenes: read, predicted, merged, scored and written in row strips.

Memory does not depend on the height of a scene.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from segment.annotations.area_of_interest import AreaOfInterest
from segment.annotations.label_source import (
    LabelSource,
    as_label_source,
    files_of,
    require_one_scene,
)
from segment.bundled import BUNDLED
from segment.core.choices import BOUNDARY_WIDTH, OVERLAP, PolygonFormat, Runtime
from segment.core.errors import InputError, Interrupted, is_utf8
from segment.core.inputs.named_scenes import require_own_names
from segment.core.inputs.scene_scales import scale_sources
from segment.core.labels.classes import ClassTable
from segment.core.labels.map_colors import recolor
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import Model, folder_of
from segment.core.onnx_models.loading import load_model, load_model_info
from segment.core.outputs import finish_moving, staged_files
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.prefetch import calls_behind
from segment.core.progress import Progress
from segment.core.raster.nodata import Nodata
from segment.core.raster.sources import Scene, Source, as_source
from segment.mapping.journal import REFERENCE, Journal, rows_to_keep
from segment.mapping.loop import Watch
from segment.mapping.model_view import check_scene, choose_tile
from segment.mapping.options import MapOptions
from segment.mapping.result import SceneMap, output_names
from segment.mapping.scene import OpenScene, open_scene
from segment.merging import RowStrip


def predict_scene(  # noqa: PLR0913 - public, its parameters are options
    scene: Scene,
    model: Path | str | Model = BUNDLED,
    output: Path | str = Path("."),
    *,
    truth: Path | str | LabelSource | None = None,
    overlap: float = OVERLAP,
    tile: int | None = None,
    batch_size: int | None = None,
    rows: int = 256,
    augment: bool = False,
    confidence: bool = False,
    polygons: bool | PolygonFormat | None = None,
    min_area: float = 0.0,
    boundary_width: int = BOUNDARY_WIDTH,
    aoi: AreaOfInterest | None = None,
    suggest: int = 0,
    colors: Path | str | ClassTable | None = None,
    timing: bool | float = False,
    bands: Sequence[int] | None = None,
    nodata: Nodata | None = None,
    scale: ScaleOption = "auto",
    resample: bool | None = None,
    gsd: float | None = None,
    runtime: Runtime = "auto",
    resume: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> SceneMap:
    """Maps a scene and writes class raster, coloured mask, overlay, report and a page.

    If one of the files cannot be written, none is. Pixels that are nodata or transparent are 255 in
    the map and count nowhere. Memory grows with the width of the scene (and with the number of
    polygons), never with its height; polygons take the whole class raster besides, a byte a pixel.

    Args:
        scene: GeoTIFF, PNG, JPEG or whatever GDAL reads, also /vsicurl/... and s3://..., or an open
            rasterio dataset.
        model: Model folder, ONNX file, or a loaded model; see `load_model`.
        output: Folder to write to.
        truth: Reference mask of the scene, in values or colours, for scores in the report. It may
            be on any grid where both are georeferenced, else it has the size of the scene. Or
            `VectorLabels`, whose names are those of the model's classes; pixels that no shape
            covers are not scored.
        overlap: Fraction of the tile edge shared with its neighbour, 0 to below 1.
        tile: Edge of a tile in pixels, by default the fastest.
        batch_size: Tiles predicted at a time; the map does not depend on it. By default what suits
            the model.
        rows: Rows of the scene read at a time; the map does not depend on them.
        augment: Averages over the eight flips and quarter turns of each tile, at eight times the
            work.
        confidence: Writes SCENE_confidence.tif, too.
        polygons: Writes polygons, too: True or "gpkg" a GeoPackage, SCENE.gpkg; "parquet"
            GeoParquet, SCENE.parquet, for which pyarrow must be installed.
        min_area: Smallest area of a polygon, see `write_polygons`.
        boundary_width: Width in pixels of the boundaries that are scored against `truth`, see
            `Boundaries`.
        aoi: Area of interest: a box (left, bottom, right, top) in the coordinates of the scene or
            in longitude and latitude, or a vector file with polygons, see `open_area`. The map
            covers the window around it and is nodata outside; its pixels are those of the whole.
        suggest: Writes so many windows that are worth labelling next to SCENE_suggest.gpkg.
        colors: Colours of the map, a class table or its path; see `recolor`.
        timing: Whether the report has where the time went (`timing`); a moment of `time.monotonic`
            is that from which the start counts, by default the call.
        bands: Band numbers from 1 in the order of the model; by default those that the file names
            as the model's, see `choose_bands`.
        nodata: Value, or range (lowest, highest), that means "no data" in all bands, in addition to
            what the file declares.
        scale: How pixels are brought to the 8 bits of a model. "auto": pixels of another type by
            the scale of the model's training, or else from their 0.5th to their 99.5th percentile;
            "never": pixels stay as they are. For all pixels: two values (low, high) or "LOW,HIGH",
            or percentages in each band such as "2%,98%". The report of a map, a path: pixels of
            the same type by its scale. A `Source` that has a scale keeps it.
        resample: None brings a scene whose pixels lie outside the range that the model learned from
            to its nearer end for the network; True brings it to the ground sampling distance that
            the model learned from; False leaves pixels as they are. The map is on the scene's own
            grid.
        gsd: Metres per pixel, in place of what the file says; see `choose_scale`.
        runtime: What computes, where `model` is a folder.
        resume: Whether to continue what a call with the same scene, model and settings left
            unfinished when it was stopped, was killed or met an error. The map is the same, byte
            for byte. What such a call finished is not mapped again.
        overwrite: Whether existing outputs are replaced.
        progress: Where progress is reported.

    Returns:
        Paths of the files and the report, which print as a short table.

    Raises:
        InputError: If scene, reference and model do not fit together, an option is out of range, a
            file cannot be read or written completely, or an output exists already.
        Interrupted: If Ctrl-C stops a run that can be resumed; the message says how many rows are
            kept.
    """
    if (batch_size is not None and batch_size < 1) or rows < 1:
        raise InputError(
            f"batch_size and rows must be at least 1. Received batch_size={batch_size},"
            f" rows={rows}."
        )
    mask = as_label_source(truth)
    options = MapOptions(
        overlap=overlap,
        tile=tile,
        augment=augment,
        confidence=confidence,
        polygons=polygons,
        min_area=min_area,
        boundary_width=boundary_width,
        aoi=aoi,
        suggest=suggest,
        colors=colors,
        timing=timing,
        resample=resample,
        gsd=gsd,
    )
    clock = options.clock()
    info = load_model_info(Path(model)) if isinstance(model, (str, Path)) else model.info
    info.require_task("segment")
    (source,) = scale_sources([as_source(scene, bands, nodata)], scale, info.pixels, progress)
    planned = SceneMap.planned(source, Path(output), options)
    finish_moving(Path(output), planned.classes.name)
    inputs = [source.path, *files_of(mask), *options.files]
    names = output_names(source, Path(output), options, inputs)
    with ExitStack() as stack:
        opened = stack.enter_context(open_scene(source, info, options, mask))
        # load the network last, so that a missing file is reported without waiting for it
        network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
        folder = folder_of(network)
        description = opened.describe(network.identity, network.runtime)
        made_of = opened.made_of(description)
        if resume and not overwrite and (earlier := planned.found(made_of)):
            return earlier.with_note_on_timing(options)
        overwrite |= planned.has_holes(made_of)
        stage = stack.enter_context(
            staged_files(Path(output), names, overwrite, description if resume else None)
        )
        raster, area = opened.raster, opened.area
        journal = Journal(stage.work, area.height, area.width)
        with _resumable(journal, area.height, resume):
            remaining = (area.top + journal.rows, *area.region[1:])
            advance = partial(progress.advance, f"mapping {source.name}") if progress else None
            watch = Watch(advance=advance, photograph=opened.photograph, clock=clock)
            strips = opened.view.map_region(
                raster, remaining, network, rows=rows, batch_size=batch_size, watch=watch
            )
            with closing(strips):
                seconds = _write_rows(strips, journal, opened, watch)
            changed = opened.note_change(description, network.identity, network.runtime)
            details = {"runtime": network.runtime, "made_of": made_of, "notes": changed}
            report = opened.write(stage.new, journal, seconds, folder, clock, **details).report
    return replace(planned, report=report)


def _write_rows(
    strips: Iterable[RowStrip], journal: Journal, scene: OpenScene, watch: Watch
) -> float:
    """Appends the rows of strips to the journal, and counts their pixels.

    Returns the seconds that this took, including those of earlier calls.
    """
    earlier, reference = 0.0, scene.reference
    if journal.state is not None:
        earlier = journal.state["seconds"]
        scene.tally.restore(journal.state["tally"])
        if reference:
            reference.undeclared = Counter(journal.state["undeclared"])
    started = time.monotonic()
    values, area = scene.info.class_table.values(), scene.area
    keeps_confidence = scene.options.needs_confidence
    with watch.measure("write"), calls_behind() as behind:
        for strip in strips:
            labels = strip.labels()
            rows = rows_to_keep(strip, labels, values, keeps_confidence)
            stop = strip.start + len(labels)
            true = reference.read(strip.start, stop, area.left, area.right) if reference else None
            if true is not None:
                rows[REFERENCE] = true  # boundaries are scored once all rows are known
            scene.tally.add(strip.start - area.top, labels, strip.probabilities, true)
            state = {
                "seconds": earlier + time.monotonic() - started,
                "tally": scene.tally.state(),
                "undeclared": dict(reference.undeclared) if reference else {},
            }
            behind(journal.append, rows, state)
    return earlier + time.monotonic() - started


def check_inputs(
    scenes: Sequence[Source],
    model: Path,
    output: Path,
    *,
    truth: Path | LabelSource | None = None,
    tile: int | None = None,
    colors: Path | str | ClassTable | None = None,
) -> ModelInfo:
    """Checks what would stop `predict_scene` at every scene, or at one because of another.

    Scenes are not opened; see `check_input`.

    Args:
        scenes: The scenes.
        model: Model folder or ONNX file.
        output: Folder of the outputs.
        truth: Reference of the only scene, or None.
        tile: Edge of a tile in pixels that is asked for, or None.
        colors: Colours of the maps, or None.

    Returns:
        Description of the model.

    Raises:
        InputError: If the model does not map scenes or take such tiles, the mask is missing or
            belongs to one of several scenes, or outputs would replace one another or a scene.
    """
    info = load_model_info(model)
    info.require_task("segment")
    choose_tile(info, tile)
    recolor(info.class_table, colors)
    require_one_scene(truth, len(scenes))
    references = files_of(as_label_source(truth))
    for file in references:
        if not (Path(file).exists() or str(file).startswith("/vsi")):
            raise InputError(f"{file}: no such file. Check the path of --truth.")
    require_own_names(scenes)
    every = [*(scene.path for scene in scenes if is_utf8(scene.path)), *references]
    for source in scenes:
        output_names(source, output, MapOptions(), every)
    return info


def check_input(source: Source, info: ModelInfo) -> None:
    """Checks by its header whether a model can map a scene.

    Args:
        source: The scene.
        info: Description of the model.

    Raises:
        InputError: If the file cannot be opened, or the model does not take its bands or pixels.
    """
    with source.open(info.wanted_bands) as raster:
        check_scene(raster, info)


@contextmanager
def _resumable(journal: Journal, height: int, resume: bool) -> Iterator[None]:
    """Adds a note to the error of an interrupted run: the same command continues it."""
    try:
        yield
    except (KeyboardInterrupt, InputError) as error:
        if not (resume and journal.rows):
            raise
        kept = (
            f"The first {journal.rows} of {height} rows are kept: the same command goes on from"
            " there."
        )
        if isinstance(error, InputError):
            raise InputError(f"{error} {kept}") from error
        raise Interrupted(f"stopped. {kept}") from error
