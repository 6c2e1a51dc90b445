"""predict_scene(): a scene read, predicted, merged, written and scored in memory that its height does not change."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.model_folder import ModelInfo, load_model_info
from segment.core.output import staged_files, writable
from segment.core.palette import IGNORED, Palette
from segment.core.raster import Raster, open_raster
from segment.core.runtime import Model
from segment.maps import CONFIDENCE_STEPS, class_raster, confidence_raster, sidecar_name
from segment.scene import Batch, SceneTiles, check_scene, choose_tile
from segment.scores import Confusion
from segment.stitch import TilePlan, stitch
from segment.truth import open_truth

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Told of tiles dealt with and tiles in all."""


class Predictor(Protocol):
    """What maps a scene: a `Model`, or anything that answers like one."""

    info: ModelInfo

    def predict(self, pixels: NDArray[Any]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, repr=False)
class SceneMap:
    """A mapped scene: the files written, and the report as in `report_file`."""

    scene: Path
    classes: Path
    mask: Path
    overlay: Path
    report_file: Path
    confidence: Path | None
    polygons: Path | None
    report: dict[str, Any]

    @property
    def files(self) -> list[Path]:
        every = (self.classes, self.mask, self.overlay, self.report_file, self.confidence, self.polygons)
        return [file for file in every if file is not None]

    def __repr__(self) -> str:
        r = self.report
        lines = [f"{self.scene.name}: {r['width']} x {r['height']} px at {r['megapixels_per_second']:.3g} megapixels/s"]
        if "mean_jaccard" in r:
            mean, accuracy = (_figure(r[key]) for key in ("mean_jaccard", "accuracy"))
            lines[0] += f"; mean Jaccard {mean}, accuracy {accuracy}"
        longest = max(len(name) for name in r["classes"])
        total = max(sum(r["pixels_by_class"].values()), 1)
        for name, pixels in r["pixels_by_class"].items():
            line = f"  {name:<{longest}} {100 * pixels / total:5.1f} %"
            line += "" if r["area_m2"] is None else f" {_area(r['area_m2'][name]):>14}"
            lines.append(line + (f"  Jaccard {_figure(r['jaccard'][name])}" if "jaccard" in r else ""))
        return "\n".join([*lines, *(f"  {note}" for note in r["notes"]), f"  -> {self.classes}"])


def _figure(score: float | None) -> str:
    return "  -" if score is None else f"{score:.3f}"


def _area(square_metres: float) -> str:
    return f"{square_metres / 1e6:,.2f} km²" if square_metres >= 1e6 else f"{square_metres:,.0f} m²"


def predict_scene(
    scene: Path | str,
    model: Path | str | Predictor,
    output: Path | str = Path("."),
    *,
    truth: Path | str | None = None,
    overlap: float = 0.5,
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
    """Maps a scene and writes class raster, coloured mask, overlay and report into `output`, all or none.

    scene: GeoTIFF, PNG, JPEG or what else GDAL reads. model: a model folder, or a loaded model.
    truth: mask of the scene's size, in values or colours; the report then holds the scores.
    overlap: fraction of the tile edge shared with its neighbour, 0 to below 1. tile: edge in pixels, by default as trained.
    batch_size, rows: tiles predicted, and scene rows read, at a time; the map does not depend on them.
    augment: averages over the eight flips and quarter turns, for eight times the work.
    confidence, polygons: writes SCENE_confidence.tif, SCENE.gpkg too.
    bands: band numbers from 1 in the model's order, by default all but alpha. nodata: a value that means "no data".

    Pixels that are nodata or transparent are 255 in the map and count nowhere. Memory grows with the scene's width (and,
    with `polygons`, with their number), never with its height.

    Raises InputError when scene, truth and model do not fit each other, a file cannot be read or written to its end,
    or an output exists already.
    """
    scene, output = Path(scene), Path(output)
    truth = None if truth is None else Path(truth)
    for name, value in (("batch_size", batch_size), ("rows", rows)):
        if value < 1:
            raise InputError(f"{name} is at least 1. Received {value}. Choose e.g. 8.")
    info = load_model_info(Path(model)) if isinstance(model, (str, Path)) else model.info
    if info.task != "segment":
        raise InputError(f"Scenes are mapped with models for segmentation. Received {info.name}, which classifies. Give another.")
    result = _name_outputs(scene, output, confidence, polygons)
    names = [file.name for file in result.files]
    with ExitStack() as stack:
        raster = stack.enter_context(open_raster(scene, bands, nodata))
        check_scene(raster, info)
        plan = TilePlan(raster.height, raster.width, choose_tile(info, tile), overlap)
        for file in result.files:
            if file.exists() and any(file.samefile(source) for source in (scene, truth) if source):
                raise InputError(f"{file}: outputs do not replace their input. Received it as both. Choose another --output.")
        sidecars = [sidecar_name(file.name) for file in (result.classes, result.mask)]
        folder = stack.enter_context(staged_files(output, names + sidecars, overwrite))
        reference = stack.enter_context(open_truth(truth, raster, info.palette)) if truth else None
        network: Predictor = Model(model) if isinstance(model, (str, Path)) else model

        started = time.monotonic()
        tally = _Tally(raster, info)
        tiles = SceneTiles(scene, plan, rows, bands, nodata)
        probabilities = _probabilities(tiles.batches(batch_size, info.dtype), network, plan, augment, progress)
        with ExitStack() as writers:
            written = writers.enter_context(class_raster(folder / result.classes.name, raster, info.palette))
            sure = None
            if result.confidence:
                sure = writers.enter_context(confidence_raster(folder / result.confidence.name, raster))
            for (start, stop), part in zip(plan.finished, stitch(plan, len(info.palette), probabilities), strict=True):
                valid = tiles.valid.popleft()
                if start == stop:
                    continue
                labels = np.where(valid, part.argmax(axis=2), IGNORED).astype(np.uint8)
                written.write(info.palette.values()[labels])
                if sure:
                    sure.write(np.where(valid, np.rint(part.max(axis=2) * CONFIDENCE_STEPS), IGNORED).astype(np.uint8))
                tally.add(start, labels, part, reference.read(start, stop) if reference else None)
        if polygons:
            from segment.polygons import write_polygons

            write_polygons(folder / result.classes.name, raster, info.palette, folder / names[-1], scene.stem)
        from segment.pictures import write_pictures

        files = (folder / result.classes.name, folder / result.mask.name, folder / result.overlay.name)
        write_pictures(files[0], raster, info.palette, files[1], files[2], tally.shares)
        report = tally.report(plan, time.monotonic() - started)
        if reference:
            report["undeclared"] = dict(reference.undeclared.most_common())
        with writable(result.report_file):
            (folder / result.report_file.name).write_text(json.dumps(report, indent=2) + "\n")
    return replace(result, report=report)
