"""Prediction of scenes: maps of whole scenes, and of single windows.

A whole scene is read, predicted, merged, scored and written in memory that does not depend on its
height.
"""

import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.bundled import BUNDLED
from segment.core.choices import OVERLAP, Runtime
from segment.core.errors import InputError, Interrupted, is_utf8
from segment.core.model.folder import load_model_info
from segment.core.model.runtime import Model, folder_of, load_model
from segment.core.outputs import finish_moving, staged_files
from segment.core.progress import Progress
from segment.core.raster.sources import Source, as_source, require_own_names
from segment.mapping.journal import Journal, rows_to_keep
from segment.mapping.loop import RowStrip
from segment.mapping.model_view import ModelView, Region, check_scene, check_window
from segment.mapping.options import MapOptions
from segment.mapping.result import SceneMap
from segment.mapping.scale import choose_scale
from segment.mapping.scene_job import SceneWork, open_work, output_names

_WINDOW_OPTIONS = ("bands", "nodata", "runtime", "overlap", "tile", "augment", "resample", "gsd")
"""Keywords of `predict_scene` that functions for windows take, too."""


def predict_scene(
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
    polygons: bool = False,
    min_area: float = 0.0,
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
    resample: bool | None = None,
    gsd: float | None = None,
    runtime: Runtime = "auto",
    resume: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> SceneMap:
    """Maps a scene and writes class raster, coloured mask, overlay and report.

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
        polygons: Writes SCENE.gpkg, too.
        min_area: Smallest area of a polygon, see `write_polygons`.
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
            f"Batches and rows read are at least 1. Received batch_size={batch_size}, rows={rows}."
            " Raise them."
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
        resample=resample,
        gsd=gsd,
    )
    info = load_model_info(Path(model)) if isinstance(model, (str, Path)) else model.info
    info.require_task("segment")
    planned = SceneMap.planned(source, Path(output), confidence, polygons)
    planned.spare([source.path, None if mask is None else mask.path])
    names = output_names(source, Path(output))
    finish_moving(Path(output), names)
    with ExitStack() as stack:
        work = stack.enter_context(open_work(source, info, options, mask))
        # load the network last, so that a missing file is reported without waiting for it
        network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
        description = work.describe(network.identity, network.runtime)
        made_of = work.made_of(description)
        if resume and not overwrite and (earlier := planned.found(made_of)):
            return earlier
        overwrite |= planned.has_holes(made_of)
        stage = stack.enter_context(
            staged_files(Path(output), names, overwrite, description if resume else None)
        )
        journal, height = Journal(stage.work, work.raster.width), work.raster.height
        with _resumable(journal, height, resume):
            left_over = (journal.rows, height, 0, work.raster.width)
            advance = partial(progress.advance, f"mapping {source.name}") if progress else None
            strips = work.view.map_region(
                work.raster, left_over, network, rows=rows, batch_size=batch_size, advance=advance
            )
            with closing(strips):
                seconds = _write_rows(strips, journal, work)
            details = {"runtime": network.runtime, "made_of": made_of}
            report = work.write(stage.new, journal, seconds, folder_of(network), **details).report
    return replace(planned, report=report)


def predict_window(
    scene: Path | str | Source,
    model: Path | str | Model,
    top: int,
    left: int,
    height: int,
    width: int,
    **options: Any,
) -> NDArray[np.uint8]:
    """Maps one window of a scene; nothing else of the scene is computed.

    Args:
        scene: As in `predict_scene`.
        model: A model folder, or a loaded model.
        top: First row of the window, pixels of the scene.
        left: First column of the window.
        height: Rows of the window.
        width: Columns of the window.
        **options: `bands`, `nodata`, `runtime`, `overlap`, `tile`, `augment`, `resample` and `gsd`
            of `predict_scene`.

    Returns:
        Class values of shape (height, width), 255 where nodata: what the class raster of
        `predict_scene` holds there, bit for bit.

    Raises:
        InputError: If the window does not lie inside the scene, and as `predict_scene`.
    """
    network, strips = _window_strips(scene, model, (top, top + height, left, left + width), options)
    labels = np.concatenate([strip.labels() for strip in strips])
    values: NDArray[np.uint8] = network.info.class_table.values()[labels]
    return values


def predict_probabilities(
    scene: Path | str | Source,
    model: Path | str | Model,
    top: int,
    left: int,
    height: int,
    width: int,
    **options: Any,
) -> NDArray[np.float32]:
    """Predicts the class probabilities of one window of a scene.

    Args:
        scene: As in `predict_scene`.
        model: A model folder, or a loaded model.
        top: First row of the window, pixels of the scene.
        left: First column of the window.
        height: Rows of the window.
        width: Columns of the window.
        **options: As in `predict_window`.

    Returns:
        Shape (height, width, classes), 0 to 1; NaN where nodata.

    Raises:
        InputError: As `predict_window`.
    """
    _, strips = _window_strips(scene, model, (top, top + height, left, left + width), options)
    # copy each strip, because it is valid only until the next one
    return np.concatenate(
        [np.where(s.valid[..., None], s.probabilities, np.float32(np.nan)) for s in strips]
    )


def _window_strips(
    scene: Path | str | Source, model: Path | str | Model, region: Region, options: dict[str, Any]
) -> tuple[Model, Generator[RowStrip, None, None]]:
    if unknown := options.keys() - _WINDOW_OPTIONS:
        raise TypeError(
            f"unexpected keyword argument {min(unknown)!r}, known are {', '.join(_WINDOW_OPTIONS)}"
        )
    source = as_source(scene, options.pop("bands", None), options.pop("nodata", None))
    runtime: Runtime = options.pop("runtime", "auto")
    network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
    network.info.require_task("segment")
    return network, _map_region(source, network, region, MapOptions(**options))


def _map_region(
    source: Source, network: Model, region: Region, options: MapOptions
) -> Generator[RowStrip, None, None]:
    with source.open(network.info.bands) as raster:
        source = replace(source, alpha=raster.alpha)
        check_scene(raster, network.info)
        check_window(raster, *region)
        factor = choose_scale(raster, network.info, options.resample, options.gsd).factor
        yield from ModelView.of(source, raster, network.info, options, factor).map_region(
            raster, region, network
        )


def _write_rows(strips: Iterable[RowStrip], journal: Journal, work: SceneWork) -> float:
    """Appends the rows of strips to the journal, and counts their pixels.

    Returns the seconds that this took, including those of earlier calls.
    """
    earlier, truth = 0.0, work.truth
    if journal.state is not None:
        earlier = journal.state["seconds"]
        work.tally.restore(journal.state["tally"])
        if truth:
            truth.undeclared = Counter(journal.state["undeclared"])
    started = time.monotonic()
    values = work.info.class_table.values()
    for strip in strips:
        labels = strip.labels()
        rows = rows_to_keep(strip, labels, values, work.options.confidence)
        true = truth.read(strip.start, strip.start + len(labels)) if truth else None
        work.tally.add(strip.start, labels, strip.probabilities, true)
        state = {
            "seconds": earlier + time.monotonic() - started,
            "tally": work.tally.state(),
            "undeclared": dict(truth.undeclared) if truth else {},
        }
        journal.append(rows, state)
    return earlier + time.monotonic() - started


def check_inputs(
    scenes: Sequence[Source], model: Path, output: Path, *, truth: Path | None = None
) -> None:
    """Checks several scenes before any of them is mapped.

    Args:
        scenes: The scenes.
        model: Model folder.
        output: Folder of the outputs.
        truth: Reference mask of the only scene, or None.

    Raises:
        InputError: If something would stop `predict_scene` at one of the scenes.
    """
    info = load_model_info(model)
    info.require_task("segment")
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
