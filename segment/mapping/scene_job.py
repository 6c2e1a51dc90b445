"""What a map is made from, checked before a pixel is computed; and what is made of its finished rows."""

import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from segment.core.model.folder import ModelInfo
from segment.core.model.record import UNKNOWN, load_record
from segment.core.outputs import writable
from segment.core.raster.class_raster import companions, write_class_raster
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.mapping.journal import CLASSES, Journal, write_confidence_raster
from segment.mapping.model_view import ModelView, check_scene
from segment.mapping.novelty import describe_share, load_novelty, unfamiliar_share
from segment.mapping.options import MapOptions
from segment.mapping.pictures import read_photograph, write_pictures
from segment.mapping.polygons import write_polygons
from segment.mapping.recognition import recognise_scene
from segment.mapping.reference import Truth, open_truth
from segment.mapping.result import SceneMap, SceneTally
from segment.mapping.scale import Scale, choose_scale


@dataclass(frozen=True)
class SceneWork:
    """A scene that is open and fits a model, how that sees it, and what is asked for.

    source: as it was named. truth: open, too, or None.
    """

    source: Source
    raster: Raster
    info: ModelInfo
    view: ModelView
    truth: Truth | None
    options: MapOptions
    scale: Scale
    tally: SceneTally = field(repr=False)

    def describe(self, identity: str, runtime: str) -> str:
        """All that the rows of the map depend on: work that was left unfinished goes on only where this is the same.

        identity, runtime: of the network.
        """
        return json.dumps(
            {
                "version": version("aerial-segment"),
                "scene": self.raster.identity,
                "model": [identity, runtime, self.info.model_dump(mode="json")],
                "plan": asdict(self.view.plan),
                "factor": self.scale.factor,
                "truth": self.truth and self.truth.identity,
                "augment": self.options.augment,
                "confidence": self.options.confidence,
            }
        )

    def made_of(self, description: str) -> str:
        """What the report says the map was made of, by which it is known again."""
        parts = [description, self.options.polygons and self.options.min_area, self.scale.pixel, self.scale.notes]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def planned(self, folder: Path) -> SceneMap:
        return SceneMap.planned(self.source, folder, self.options.confidence, self.options.polygons)

    def write(self, folder: Path, journal: Journal, seconds: float, model: Path | None, **details: Any) -> SceneMap:
        """Makes all that is made of finished rows and their tally in `folder`: rasters, pictures, polygons and the report.

        seconds: that the rows took. model: the folder of the model, None where it comes from none. details: further keys of
        the report. Raises InputError when the disk is full.
        """
        started, files = time.monotonic(), self.planned(folder)
        self._write_maps(files, journal, damaged="holes" in details)
        unfamiliar, warning = self._compare(model)
        report = self.tally.report(seconds + time.monotonic() - started)
        notes = [*report["notes"], *details.pop("notes", []), *warning]
        report |= {"unfamiliar": unfamiliar, **details}
        if self.truth:
            notes += self.truth.notes
            report["undeclared_share"] = self.truth.undeclared_share
            report["undeclared"] = dict(self.truth.undeclared.most_common())
            report |= self._recognise(journal, model, notes)
        report["notes"] = notes
        with writable(files.report_file):
            files.report_file.write_text(json.dumps(report, indent=2) + "\n")
        return replace(files, report=report)

    def _compare(self, model: Path | None) -> tuple[float | None, list[str]]:
        """The share of the tiles that are unlike the training tiles, None where that is not known, and a warning of many."""
        detector = None if model is None else load_novelty(model, self.info)
        if detector is None:
            return None, []
        unfamiliar, seen = unfamiliar_share(detector, self.view.source, self.info)
        warning = describe_share(unfamiliar, seen)
        return (round(unfamiliar / seen, 4) if seen else None), [warning] if warning else []

    def _recognise(self, journal: Journal, model: Path | None, notes: list[str]) -> dict[str, Any]:
        """Keys of the report that say how many of the scored pixels the model was trained on, and a note of it."""
        record = None if model is None else load_record(model)
        if record is None:
            if model is not None:
                notes.append("The model does not say what it was trained on: it may have been trained on this scene.")
            return {} if model is None else dict(UNKNOWN)
        assert self.truth
        familiarity = recognise_scene(record, self.raster, self.info.tile, self.truth, journal)
        if known := str(familiarity):
            notes.append(f"{known[0].upper()}{known[1:]}.")
        return familiarity.report

    def _write_maps(self, files: SceneMap, journal: Journal, damaged: bool) -> None:
        raster, palette, tally = self.raster, self.info.palette, self.tally
        with ThreadPoolExecutor(1) as pool:
            photograph = pool.submit(read_photograph, self.source, damaged)  # while the rasters are compressed
            rows, checksum = journal.file(CLASSES), journal.checksum(CLASSES)
            write_class_raster(rows, checksum, files.classes, raster, palette, tally.pixels, "land cover")
            if files.confidence:
                write_confidence_raster(journal, files.confidence, raster)
            write_pictures(files.classes, raster, photograph.result(), palette, files.mask, files.overlay, tally.shares)
        if files.polygons:
            min_area = self.options.min_area
            write_polygons(files.classes, raster, palette, files.polygons, "land_cover", min_area=min_area)


@contextmanager
def open_work(source: Source, info: ModelInfo, options: MapOptions, truth: Source | None = None) -> Iterator[SceneWork]:
    """Opens a scene and its truth. Raises InputError when scene, truth, model and options do not fit each other."""
    with ExitStack() as stack:
        raster = stack.enter_context(source.open(info.bands))
        source = replace(source, alpha=raster.alpha)
        check_scene(raster, info)
        scale = choose_scale(raster, info, options.resample, options.gsd)
        view = ModelView.of(source, raster, info, options, scale.factor)
        reference = stack.enter_context(open_truth(truth, raster, info.palette)) if truth else None
        yield SceneWork(source, raster, info, view, reference, options, scale, SceneTally(raster, info, scale))


def output_names(source: Source, folder: Path) -> list[str]:
    """All that a scene may give, asked for or not: what an earlier call left of it would not belong to the new map."""
    every = SceneMap.planned(source, folder, True, True)
    companies = [name for file in (every.classes, every.confidence, every.mask) if file for name in companions(file)]
    return [file.name for file in every.files] + companies
