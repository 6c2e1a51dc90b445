"""predict_scene(): a scene read, predicted, merged, scored and written, in memory that its height does not change."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment.bands import Band, predict_bands
from segment.bundled import BUNDLED
from segment.core.choices import OVERLAP, Runtime
from segment.core.class_raster import companions, write_class_raster
from segment.core.errors import InputError, Interrupted
from segment.core.journal import Journal
from segment.core.model_folder import ModelInfo, load_model_info
from segment.core.output import finish_moving, staged_files, writable
from segment.core.raster import Raster
from segment.core.runtime import Model, load_model
from segment.core.sources import Source, require_own_names
from segment.inference import Progress
from segment.maps import (
    CLASSES,
    CONFIDENCE,
    CONFIDENCE_STEPS,
    write_confidence_raster,
)
from segment.pictures import read_photograph, write_pictures
from segment.polygons import check_options, write_polygons
from segment.regrid import regrid, seen_window
from segment.scene import SceneTiles, check_scene, check_window, choose_factor, plan_tiles
from segment.scene_map import SceneMap, SceneTally
from segment.stitch import TilePlan, Window
from segment.truth import Truth, open_truth


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
    resample: bool = False,
    runtime: Runtime = "auto",
    resume: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> SceneMap:
    """Maps a scene; writes class raster, coloured mask, overlay and report into `output`, all or none.

    scene: GeoTIFF, PNG, JPEG or what else GDAL reads, also /vsicurl/... and s3://... model: a model folder, or a loaded model.
    truth: mask of the scene's size, in values or colours, for scores in the report.
    overlap: fraction of the tile edge shared with its neighbour, 0 to below 1. tile: edge in pixels, by default the fastest.
    batch_size, rows: tiles predicted and scene rows read at a time; the map does not depend on them.
    augment: averages over the eight flips and quarter turns, at eight times the work.
    confidence, polygons: writes SCENE_confidence.tif, SCENE.gpkg too. min_area: see `write_polygons`.
    bands: band numbers from 1 in the model's order, by default all but alpha. nodata: a value that means "no data" in
    all bands, beside what the file declares. runtime: what computes, where `model` is a folder.
    resample: the model sees the scene at the ground sampling distance it learned from; the map is on the scene's own grid.
    resume: go on with what a call with the same scene, model and settings left unfinished when it was stopped, killed
    or met an error; the map is the same, byte for byte. What it finished is not mapped again.

    Pixels that are nodata or transparent are 255 in the map and count nowhere. Memory grows with the scene's width (and
    with the number of polygons), never with its height.

    Raises InputError when scene, truth and model do not fit each other, when a file cannot be read or written to its
    end, and when an output exists already; Interrupted, when Ctrl-C stops it.
    """
    if (batch_size is not None and batch_size < 1) or rows < 1:
        raise InputError(f"Batches and rows read are at least 1. Received batch_size={batch_size}, rows={rows}. Raise them.")
    source = _source(scene, bands, nodata)
    mask = Source(Path(truth)) if isinstance(truth, (str, Path)) else truth
    check_options(min_area)
    info = load_model_info(Path(model)) if isinstance(model, (str, Path)) else model.info
    info.require_task("segment")
    planned = SceneMap.planned(source, Path(output), confidence, polygons)
    check_outputs(planned, [source], None if mask is None else mask.path)
    names = _names(source, Path(output))
    finish_moving(Path(output), names)
    with ExitStack() as stack:
        raster = stack.enter_context(source.open())
        check_scene(raster, info)
        seen = replace(source, factor=choose_factor(raster, info) if resample else 1.0)
        plan = plan_tiles(raster, info, tile, overlap, seen.factor)
        reference = stack.enter_context(open_truth(mask, raster, info.palette)) if mask else None
        # the network comes last: nobody should wait for it to hear that a file is missing
        network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
        work = _describe_work(raster, network, plan, reference, augment, confidence)
        made_of = hashlib.sha256(json.dumps([work, polygons and min_area]).encode()).hexdigest()
        if resume and not overwrite and (earlier := planned.found(made_of)):
            return earlier
        stage = stack.enter_context(staged_files(Path(output), names, overwrite, work if resume else None))
        files = SceneMap.planned(source, stage.new, confidence, polygons)
        tally, journal = SceneTally(raster, info, resample), Journal(stage.work, raster.width)
        with _resumable(journal, raster.height, resume):
            left_over = (journal.rows, raster.height, 0, raster.width)
            with closing(_bands(seen, raster, plan, left_over, network, augment, rows, batch_size, progress)) as found:
                seconds = _write_rows(found, journal, tally, reference, info, confidence)
            started = time.monotonic()
            _write_maps(files, journal, tally, source, raster, info, min_area)
            report = tally.report(seconds + time.monotonic() - started)
            report |= {"runtime": network.runtime, "made_of": made_of}
            if reference:
                report["undeclared"] = dict(reference.undeclared.most_common())
            with writable(planned.report_file):
                files.report_file.write_text(json.dumps(report, indent=2) + "\n")
    return replace(planned, report=report)


def _write_maps(
    files: SceneMap, journal: Journal, tally: SceneTally, source: Source, raster: Raster, info: ModelInfo, min_area: float
) -> None:
    """All that is made of finished rows: rasters, pictures, polygons."""
    with ThreadPoolExecutor(1) as pool:
        photograph = pool.submit(read_photograph, source)  # while the rasters are compressed
        rows, checksum = journal.file(CLASSES), journal.checksum(CLASSES)
        write_class_raster(rows, checksum, files.classes, raster, info.palette, tally.pixels, "land cover")
        if files.confidence:
            write_confidence_raster(journal, files.confidence, raster)
        write_pictures(files.classes, raster, photograph.result(), info.palette, files.mask, files.overlay, tally.shares)
    if files.polygons:
        write_polygons(files.classes, raster, info.palette, files.polygons, "land_cover", min_area=min_area)


def predict_window(
    scene: Path | str | Source,
    model: Path | str | Model,
    top: int,
    left: int,
    height: int,
    width: int,
    *,
    overlap: float = OVERLAP,
    tile: int | None = None,
    augment: bool = False,
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
    resample: bool = False,
    runtime: Runtime = "auto",
) -> NDArray[np.uint8]:
    """Class values (height, width) of one window of a scene, 255 where nodata; nothing else of the scene is computed.

    top, left, height, width: pixels of the scene. The rest as in `predict_scene`, whose class raster holds the same there,
    bit for bit.

    Raises InputError when the window does not lie inside the scene, and as `predict_scene`.
    """
    network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
    region = (top, top + height, left, left + width)
    found = _window_bands(_source(scene, bands, nodata), network, region, overlap, tile, augment, resample)
    labels = np.concatenate([band.labels() for band in found])
    values: NDArray[np.uint8] = network.info.palette.values()[labels]
    return values


def predict_probabilities(
    scene: Path | str | Source,
    model: Path | str | Model,
    top: int,
    left: int,
    height: int,
    width: int,
    *,
    overlap: float = OVERLAP,
    tile: int | None = None,
    augment: bool = False,
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
    resample: bool = False,
    runtime: Runtime = "auto",
) -> NDArray[np.float32]:
    """Probabilities (height, width, classes) of one window of a scene, 0 to 1, not a number where nodata.

    The rest as in `predict_window`, which gives the class with the highest of them.
    """
    network = load_model(model, runtime) if isinstance(model, (str, Path)) else model
    region = (top, top + height, left, left + width)
    found = _window_bands(_source(scene, bands, nodata), network, region, overlap, tile, augment, resample)
    # a copy of each: a band is valid until the next one only
    return np.concatenate([np.where(band.valid[..., None], band.probabilities, np.float32(np.nan)) for band in found])


def _source(scene: Path | str | Source, bands: Sequence[int] | None, nodata: float | None) -> Source:
    if not isinstance(scene, Source):
        return Source.of(scene, bands, nodata)
    return replace(scene, bands=scene.bands if bands is None else tuple(bands), nodata=scene.nodata if nodata is None else nodata)


def _window_bands(
    source: Source,
    network: Model,
    region: tuple[int, int, int, int],
    overlap: float,
    tile: int | None,
    augment: bool,
    resample: bool,
) -> Generator[Band, None, None]:
    """Bands of a region (top, bottom, left, right) of a scene that is opened for them."""
    network.info.require_task("segment")
    with source.open() as raster:
        check_scene(raster, network.info)
        check_window(raster, *region)
        source = replace(source, factor=choose_factor(raster, network.info) if resample else 1.0)
        plan = plan_tiles(raster, network.info, tile, overlap, source.factor)
        yield from _bands(source, raster, plan, region, network, augment)


def _bands(
    source: Source,
    raster: Raster,
    plan: TilePlan,
    region: tuple[int, int, int, int],
    network: Model,
    augment: bool,
    rows: int = 256,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Generator[Band, None, None]:
    """Bands of a region (top, bottom, left, right) of the scene, on the scene's own grid."""
    if region[0] == region[1]:
        return
    resampled = source.factor != 1
    window = seen_window(plan, raster, *region) if resampled else Window(plan, *region)
    with closing(predict_bands(SceneTiles(source, window, rows), network, batch_size, augment, progress)) as bands:
        yield from regrid(bands, window, raster, *region) if resampled else bands


def _write_rows(
    bands: Iterable[Band], journal: Journal, tally: SceneTally, truth: Truth | None, info: ModelInfo, confidence: bool
) -> float:
    """Appends the bands' rows to the journal and counts them; returns the seconds that this took, earlier calls included."""
    earlier = 0.0
    if journal.state is not None:
        earlier = journal.state["seconds"]
        tally.restore(journal.state["tally"])
        if truth:
            truth.undeclared = Counter(journal.state["undeclared"])
    values, started = info.palette.values(), time.monotonic()
    for band in bands:
        labels = band.labels()
        rows = {CLASSES: values[labels]}
        if confidence:
            rows[CONFIDENCE] = band.confidence(CONFIDENCE_STEPS)
        tally.add(band.start, labels, band.probabilities, truth.read(band.start, band.start + len(labels)) if truth else None)
        state = {
            "seconds": earlier + time.monotonic() - started,
            "tally": tally.state(),
            "undeclared": dict(truth.undeclared) if truth else {},
        }
        with writable(journal.file(CLASSES)):
            journal.append(rows, state)
    return earlier + time.monotonic() - started


def check_inputs(
    scenes: Sequence[Source], model: Path, output: Path, *, truth: Path | None = None, bands: Sequence[int] | None = None
) -> None:
    """Raises InputError for what would stop `predict_scene` at one of several scenes, before any is mapped."""
    info = load_model_info(model)
    info.require_task("segment")
    if truth is not None and len(scenes) > 1:
        raise InputError(f"--truth belongs to one scene. Received {len(scenes)} scenes. Map them one by one.")
    require_own_names(scenes)
    for source in scenes:
        check_outputs(SceneMap.planned(source, output, True, True), scenes, truth)
        with replace(source, bands=None if bands is None else tuple(bands)).open() as raster:
            check_scene(raster, info)


def check_outputs(planned: SceneMap, scenes: Sequence[Source], truth: Path | str | None) -> None:
    """Raises InputError when an output would replace a scene or the truth."""
    inputs = [file for file in (*(source.path for source in scenes), truth) if isinstance(file, Path) and file.exists()]
    for file in planned.files:
        if file.exists() and any(file.samefile(given) for given in inputs):
            raise InputError(f"{file}: outputs do not replace their input. Received it as both. Choose another place.")


def _names(source: Source, folder: Path) -> list[str]:
    """All that a scene may give, asked for or not: what an earlier call left of it would not belong to the new map."""
    every = SceneMap.planned(source, folder, True, True)
    companies = [name for file in (every.classes, every.confidence, every.mask) if file for name in companions(file)]
    return [file.name for file in every.files] + companies


@contextmanager
def _resumable(journal: Journal, height: int, resume: bool) -> Iterator[None]:
    """Says, where work is broken off, that the same command goes on with it."""
    try:
        yield
    except (KeyboardInterrupt, InputError) as error:
        if not (resume and journal.rows):
            raise
        kept = f"The first {journal.rows} of {height} rows are kept: the same command goes on from there."
        if isinstance(error, InputError):
            raise InputError(f"{error} {kept}") from error
        raise Interrupted(f"stopped. {kept}") from error


def _describe_work(raster: Raster, network: Model, plan: TilePlan, truth: Truth | None, augment: bool, confidence: bool) -> str:
    """All that the rows of a map depend on: work that was left unfinished goes on only where this is the same."""
    return json.dumps(
        {
            "version": version("aerial-segment"),
            "scene": raster.identity,
            "model": [network.identity, network.runtime, network.info.model_dump(mode="json")],
            "plan": asdict(plan),
            "truth": truth and truth.identity,
            "augment": augment,
            "confidence": confidence,
        }
    )
