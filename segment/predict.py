"""predict_scene(): a scene read, predicted, merged, scored and written, in memory that its height does not change."""

import json
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model_folder import ModelInfo, load_model_info
from segment.core.output import staged_files, writable
from segment.core.palette import IGNORED
from segment.core.raster import Raster, open_raster
from segment.core.runtime import Model
from segment.maps import CONFIDENCE_STEPS, class_raster, confidence_raster, sidecar_name
from segment.pictures import write_pictures
from segment.scene import Batch, SceneTiles, check_scene, choose_tile
from segment.scene_map import SceneMap, SceneTally
from segment.stitch import TilePlan, stitch
from segment.truth import Truth, open_truth

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Told of tiles dealt with and tiles in all."""


class Predictor(Protocol):
    """What maps a scene: a `Model`, or anything that answers like one."""

    info: ModelInfo

    def predict(self, pixels: NDArray[Any]) -> NDArray[np.float32]: ...


def predict_scene(
    scene: Path | str,
    model: Path | str | Predictor,
    output: Path | str = Path("."),
    *,
    truth: Path | str | None = None,
    overlap: float = 0.25,
    tile: int | None = None,
    batch_size: int = 8,
    rows: int = 256,
    augment: bool = False,
    confidence: bool = False,
    polygons: bool = False,
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> SceneMap:
    """Maps a scene; writes class raster, coloured mask, overlay and report into `output`, all or none.

    scene: GeoTIFF, PNG, JPEG or what else GDAL reads. model: a model folder, or a loaded model.
    truth: mask of the scene's size, in values or colours, for scores in the report.
    overlap: fraction of the tile edge shared with its neighbour, 0 to below 1. tile: edge in pixels, by default as trained.
    batch_size, rows: tiles predicted and scene rows read at a time; the map does not depend on them.
    augment: averages over the eight flips and quarter turns, at eight times the work.
    confidence, polygons: writes SCENE_confidence.tif, SCENE.gpkg too.
    bands: band numbers from 1 in the model's order, by default all but alpha. nodata: a value that means "no data" in
    all bands, beside what the file declares.

    Pixels that are nodata or transparent are 255 in the map and count nowhere. Memory grows with the scene's width (and
    with the number of polygons), never with its height.

    Raises InputError when scene, truth and model do not fit each other, when a file cannot be read or written to its
    end, and when an output exists already.
    """
    scene, truth = Path(scene), None if truth is None else Path(truth)
    if batch_size < 1 or rows < 1:
        raise InputError(f"Batches and rows read are at least 1. Received batch_size={batch_size}, rows={rows}. Raise them.")
    info = load_model_info(Path(model)) if isinstance(model, (str, Path)) else model.info
    info.require_task("segment")
    planned = SceneMap.planned(scene, Path(output), confidence, polygons)
    with ExitStack() as stack:
        raster = stack.enter_context(open_raster(scene, bands, nodata))
        check_scene(raster, info)
        plan = TilePlan(raster.height, raster.width, choose_tile(info, tile), overlap)
        folder = stack.enter_context(_staged(planned, truth, overwrite))
        files = SceneMap.planned(scene, folder, confidence, polygons)
        reference = stack.enter_context(open_truth(truth, raster, info.palette)) if truth else None
        # the network comes last: nobody should wait for it to hear that a file is missing
        network: Predictor = Model(model) if isinstance(model, (str, Path)) else model
        started, tally = time.monotonic(), SceneTally(raster, info)
        tiles = SceneTiles(scene, plan, rows, bands, nodata)
        with closing(_predict_tiles(tiles, network, batch_size, augment, progress)) as probabilities:
            _write_rows(files, raster, tiles, stitch(plan, len(info.palette), probabilities), reference, tally, info)
        write_pictures(files.classes, raster, info.palette, files.mask, files.overlay, tally.shares)
        if files.polygons:
            from segment.polygons import write_polygons

            write_polygons(files.classes, raster, info.palette, files.polygons, scene.stem)
        report = tally.report(time.monotonic() - started)
        if reference:
            report["undeclared"] = dict(reference.undeclared.most_common())
        with writable(planned.report_file):
            files.report_file.write_text(json.dumps(report, indent=2) + "\n")
    return replace(planned, report=report)


@contextmanager
def _staged(planned: SceneMap, truth: Path | None, overwrite: bool) -> Iterator[Path]:
    for file in planned.files:
        if file.exists() and any(file.samefile(source) for source in (planned.scene, truth) if source and source.exists()):
            raise InputError(f"{file}: outputs do not replace their input. Received it as both. Choose another place.")
    names = [file.name for file in planned.files]
    sidecars = [sidecar_name(file.name) for file in (planned.classes, planned.mask)]
    with staged_files(planned.classes.parent, names + sidecars, overwrite) as folder:
        yield folder


def _write_rows(
    files: SceneMap,
    scene: Raster,
    tiles: SceneTiles,
    stitched: Iterator[NDArray[np.float32]],
    truth: Truth | None,
    tally: SceneTally,
    info: ModelInfo,
) -> None:
    values = info.palette.values()
    with ExitStack() as stack:
        classes = stack.enter_context(class_raster(files.classes, scene, info.palette))
        confidence = stack.enter_context(confidence_raster(files.confidence, scene)) if files.confidence else None
        for (start, stop), probabilities in zip(tiles.plan.finished, stitched, strict=True):
            valid = tiles.valid.popleft()
            if start == stop:
                continue
            labels = np.where(valid, probabilities.argmax(axis=2), IGNORED).astype(np.uint8)
            classes.write(values[labels])
            if confidence:
                steps = np.rint(probabilities.max(axis=2) * CONFIDENCE_STEPS)
                confidence.write(np.where(valid, steps.clip(0, CONFIDENCE_STEPS), IGNORED).astype(np.uint8))
            tally.add(start, labels, probabilities, truth.read(start, stop) if truth else None)


def _predict_tiles(
    tiles: SceneTiles, network: Predictor, batch_size: int, augment: bool, progress: Progress | None
) -> Generator[tuple[int, int, NDArray[np.float32]], None, None]:
    """(padded row, padded column, probabilities) of all tiles; reading and predicting go on while the caller merges."""
    count = len(tiles.plan.rows) * len(tiles.plan.columns)

    def predicted() -> Generator[tuple[Batch, NDArray[np.float32]], None, None]:
        with closing(_ahead(tiles.batches(batch_size, network.info.dtype))) as batches:
            for batch in batches:
                yield batch, predict_batch(network, batch.pixels, augment)

    with closing(_ahead(predicted())) as answers:
        for batch, probabilities in answers:
            for (row, column), part in zip(batch.places, probabilities, strict=False):
                yield row, column, part
            if progress:
                progress(batch.done, count)
    if progress:
        progress(count, count)


def predict_batch(network: Predictor, pixels: NDArray[Any], augment: bool) -> NDArray[np.float32]:
    """Probabilities (batch, rows, columns, classes) of square tiles, with `augment` the mean over their eight symmetries.

    Raises InputError when the network answers other classes than its model.yaml names.
    """
    if not augment:
        answer = network.predict(pixels)
        expected = (*pixels.shape[:3], len(network.info.palette))
        if answer.shape != expected:
            raise InputError(f"{network.info.name}: must answer {expected}. Received {answer.shape}. Mend its model.yaml.")
        return answer
    total = np.zeros((*pixels.shape[:3], len(network.info.palette)), np.float32)
    for turns in range(4):
        for flip in (1, -1):
            turned = np.ascontiguousarray(np.rot90(pixels, turns, axes=(1, 2))[:, :, ::flip])
            total += np.rot90(predict_batch(network, turned, False)[:, :, ::flip], -turns, axes=(1, 2))
    return total / 8


def _ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same items, the next of them made in a thread of its own while one is in use."""
    with ThreadPoolExecutor(1) as pool:
        try:
            pending = pool.submit(next, items, None)
            while (item := pending.result()) is not None:
                pending = pool.submit(next, items, None)
                yield item
        finally:
            pool.submit(items.close)  # there, too, so that files close in the thread that opened them
