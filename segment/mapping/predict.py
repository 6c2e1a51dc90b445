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

from segment.bundled import BUNDLED
from segment.core.choices import OVERLAP, PolygonFormat, Runtime
from segment.core.errors import InputError, Interrupted, is_utf8
from segment.core.labels.classes import ClassTable
from segment.core.labels.map_colors import recolor
from segment.core.model.folder import load_model_info
from segment.core.model.runtime import Model, folder_of, load_model
from segment.core.outputs import finish_moving, staged_files
from segment.core.progress import Progress
from segment.core.raster.sources import Source, as_source, require_own_names
from segment.mapping.journal import Journal, rows_to_keep
from segment.mapping.loop import RowStrip
from segment.mapping.model_view import check_scene
from segment.mapping.options import MapOptions
from segment.mapping.result import SceneMap
from segment.mapping.scene import OpenScene, open_scene, output_names


def predict_scene(  # noqa: PLR0913 - public, its parameters are options
    scene: Path | str | Source,
    model: Path | str | Model = BUNDLED,
    output: Path | str = Path("."),
    *,
    truth: Path | str | Source | None = None,
    overlap: float = OVERLAP,
    tile: int | None = None,
    batch_size: int | None = None,
    rows: int = 256,
    augment: bool = False,
    confidence: bool = False,
    polygons: bool | PolygonFormat | None = False,
    min_area: float = 0.0,
    colors: Path | str | ClassTable | None = None,
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
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
        scene: GeoTIFF, PNG, JPEG or whatever GDAL reads, also /vsicurl/... and s3://...
        model: Model folder, or a loaded model.
        output: Folder to write to.
        truth: Reference mask of the scene, in values or colours, for scores in the report. It may
            be on any grid where both are georeferenced, else it has the size of the scene.
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
        colors: Colours of the map, a class table or its path; see `recolor`.
        bands: Band numbers from 1 in the order of the model, by default all but alpha.
        nodata: Value that means "no data" in all bands, in addition to what the file declares.
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
    source = as_source(scene, bands, nodata)
    mask = Source(Path(truth)) if isinstance(truth, (str, Path)) else truth
    options = MapOptions(
        overlap=overlap,
        tile=tile,
        augment=augment,
        confidence=confidence,
        polygons=polygons,
        min_area=min_area,
        colors=colors,
        resample=resample,
        gsd=gsd,
    )
    info = load_model_info(Path(model)) if isinstance(model, (str, Path)) else model.info
    info.require_task("segment")
    planned = SceneMap.planned(source, Path(output), confidence, options.polygons)
    planned.spare([source.path, None if mask is None else mask.path])
    names = output_names(source, Path(output))
    finish_moving(Path(output), names)
    with ExitStack() as stack:
        opened = stack.enter_context(open_scene(source, info, options, mask))
        # load the network last, so that a missing file is reported without waiting for it
        network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
        folder = folder_of(network)
        description = opened.describe(network.identity, network.runtime)
        made_of = opened.made_of(description)
        if resume and not overwrite and (earlier := planned.found(made_of)):
            return earlier
        overwrite |= planned.has_holes(made_of)
        stage = stack.enter_context(
            staged_files(Path(output), names, overwrite, description if resume else None)
        )
        raster = opened.raster
        journal = Journal(stage.work, raster.width)
        with _resumable(journal, raster.height, resume):
            remaining = (journal.rows, raster.height, 0, raster.width)
            advance = partial(progress.advance, f"mapping {source.name}") if progress else None
            strips = opened.view.map_region(
                raster, remaining, network, rows=rows, batch_size=batch_size, advance=advance
            )
            with closing(strips):
                seconds = _write_rows(strips, journal, opened)
            details = {"runtime": network.runtime, "made_of": made_of}
            report = opened.write(stage.new, journal, seconds, folder, **details).report
    return replace(planned, report=report)


def _write_rows(strips: Iterable[RowStrip], journal: Journal, scene: OpenScene) -> float:
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
    values = scene.info.class_table.values()
    for strip in strips:
        labels = strip.labels()
        rows = rows_to_keep(strip, labels, values, scene.options.confidence)
        stop = strip.start + len(labels)
        true = reference.read(strip.start, stop) if reference else None
        scene.tally.add(strip.start, labels, strip.probabilities, true)
        state = {
            "seconds": earlier + time.monotonic() - started,
            "tally": scene.tally.state(),
            "undeclared": dict(reference.undeclared) if reference else {},
        }
        journal.append(rows, state)
    return earlier + time.monotonic() - started


def check_inputs(
    scenes: Sequence[Source],
    model: Path,
    output: Path,
    *,
    truth: Path | None = None,
    colors: Path | str | ClassTable | None = None,
) -> None:
    """Checks several scenes before any of them is mapped.

    Args:
        scenes: The scenes.
        model: Model folder.
        output: Folder of the outputs.
        truth: Reference mask of the only scene, or None.
        colors: Colours of the maps, or None.

    Raises:
        InputError: If something would stop `predict_scene` at one of the scenes.
    """
    info = load_model_info(model)
    info.require_task("segment")
    recolor(info.class_table, colors)
    if truth is not None and len(scenes) > 1:
        raise InputError(
            f"--truth belongs to one scene. Received {len(scenes)} scenes. Map them one by one."
        )
    require_own_names(scenes)
    for source in scenes:
        if len(scenes) > 1 and not is_utf8(source.path):  # the other scenes are mapped
            continue
        SceneMap.planned(source, output, True, True).spare(
            [*(scene.path for scene in scenes), truth]
        )
        with source.open(info.bands) as raster:
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
