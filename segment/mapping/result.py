"""A mapped scene: the files that were written, and what its report says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.machine import peak_memory_mb
from segment.core.model.folder import ModelInfo
from segment.core.raster.reader import Raster
from segment.core.raster.scene_outputs import SceneOutputs, format_area
from segment.core.raster.sources import Source
from segment.mapping.scale import Scale
from segment.scores import Confusion

MAP_ENDINGS = ("_classes.tif", "_mask.png", "_overlay.jpg", "_confidence.tif")
"""What follows a scene's name in the names of its rasters and pictures."""


@dataclass(frozen=True, repr=False)
class SceneMap(SceneOutputs):
    """Where a mapped scene's files are, and `report`, which `report_file` holds too. Prints as a short table."""

    classes: Path
    mask: Path
    overlay: Path
    confidence: Path | None
    polygons: Path | None

    @classmethod
    def planned(cls, scene: Source, folder: Path, confidence: bool, polygons: bool) -> "SceneMap":
        """The files that a scene gives in `folder`, with an empty report."""
        stem = scene.stem

        def file(ending: str) -> Path:
            return folder / f"{stem}{ending}"

        classes, mask, overlay, probability = map(file, MAP_ENDINGS)
        return cls(
            scene=str(scene.path),
            classes=classes,
            mask=mask,
            overlay=overlay,
            report_file=file("_report.json"),
            confidence=probability if confidence else None,
            polygons=file(".gpkg") if polygons else None,
            report={},
        )

    @property
    def files(self) -> list[Path]:
        """Those that were asked for, first the class raster."""
        every = (self.classes, self.mask, self.overlay, self.report_file, self.confidence, self.polygons)
        return [file for file in every if file is not None]

    def __repr__(self) -> str:
        report = self.report
        title = f"{report['scene']}: {report['width']} x {report['height']} px"
        if "jaccard" in report:
            title += f", mean Jaccard {_figure(report['mean_jaccard'])}, accuracy {_figure(report['accuracy'])}"
        longest = max(len(name) for name in report["classes"])
        valid = max(sum(report["pixels_by_class"].values()), 1)
        lines = [title]
        for name, pixels in report["pixels_by_class"].items():
            line = f"  {name:<{longest}}  {100 * pixels / valid:5.1f} %"
            if report["area_m2"]:
                line += f"  {format_area(report['area_m2'][name]):>14}"
            if "jaccard" in report:
                line += f"  Jaccard {_figure(report['jaccard'][name])}"
            lines.append(line)
        return "\n".join([*lines, *self.closing_lines(self.classes)])


def _figure(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


class SceneTally:
    """Pixels, areas and scores of a map, added up row band by row band.

    scale: that the model saw the scene at.
    pixels: (classes,) int64, those that each class takes.
    """

    def __init__(self, scene: Raster, info: ModelInfo, scale: Scale):
        self._scene, self._info, self._scale = scene, info, scale
        self._names = info.palette.names
        self.pixels = np.zeros(len(self._names), np.int64)
        self._areas: NDArray[np.float64] | None = np.zeros(len(self._names))
        self._confusion: Confusion | None = None

    def add(
        self,
        start: int,
        labels: NDArray[np.uint8],
        probabilities: NDArray[np.float32] | None = None,
        truth: NDArray[np.uint8] | None = None,
    ) -> None:
        """Adds rows from `start` on: class indices (rows, width), 255 where not valid, and (rows, width, classes)."""
        counts = np.stack([np.count_nonzero(labels == k, axis=1) for k in range(len(self._names))], axis=1)
        self.pixels += counts.sum(axis=0)
        areas = self._scene.row_pixel_areas(start, start + len(labels))
        if areas is None or self._areas is None:  # a part off the globe
            self._areas = None
        else:
            self._areas += areas @ counts
        if truth is not None:
            self._confusion = self._confusion or Confusion(self._names)
            self._confusion.add(truth, labels, probabilities)

    def merge_scores(self, state: dict[str, Any]) -> None:
        """Adds what a `Confusion` counted elsewhere."""
        self._confusion = self._confusion or Confusion(self._names)
        self._confusion.merge(state)

    def state(self) -> dict[str, Any]:
        """What was added, as plain numbers that `restore` takes."""
        confusion = None if self._confusion is None else self._confusion.state()
        areas = None if self._areas is None else self._areas.tolist()
        return {"pixels": self.pixels.tolist(), "areas": areas, "confusion": confusion}

    def restore(self, state: dict[str, Any]) -> None:
        self.pixels = np.array(state["pixels"], np.int64)
        self._areas = None if state["areas"] is None else np.array(state["areas"])
        if state["confusion"] is not None:
            self._confusion = Confusion(self._names)
            self._confusion.restore(state["confusion"])

    @property
    def shares(self) -> dict[str, float]:
        """Fraction of the valid pixels that each class takes."""
        total = max(int(self.pixels.sum()), 1)
        return {name: int(n) / total for name, n in zip(self._names, self.pixels, strict=True)}

    def report(self, seconds: float) -> dict[str, Any]:
        """All keys of report.json; the scores only if there was truth.

        area_m2 is None without a CRS. peak_memory_mb: of this process since it started, what it loaded included.
        """
        scene = self._scene
        report: dict[str, Any] = {
            "scene": Path(scene.path).name,
            "model": self._info.name,
            "width": scene.width,
            "height": scene.height,
            "crs": None if scene.crs is None else scene.crs.to_string(),
            "ground_sampling_distance": self._scale.pixel,
            "classes": self._names,
            "pixels_by_class": dict(zip(self._names, self.pixels.tolist(), strict=True)),
            "area_m2": None,
        }
        if self._areas is not None:
            report["area_m2"] = {name: round(area, 2) for name, area in zip(self._names, self._areas.tolist(), strict=True)}
        if self._confusion is not None:
            report |= self._confusion.report()
        return report | {
            "notes": self._notes(),
            "megapixels_per_second": round(scene.width * scene.height / 1e6 / max(seconds, 1e-9), 4),
            "peak_memory_mb": peak_memory_mb(),
        }

    def _notes(self) -> list[str]:
        notes = []
        if not self.pixels.any():
            notes.append("No pixel of the scene is valid: the map is empty.")
        for c, mapped in zip(self._info.palette.classes, self._info.palette.mapped, strict=True):
            if c.value != mapped.value:
                notes.append(f"{c.name} has the value {mapped.value} in the map, where {c.value} is nodata.")
        notes += self._scene.notes
        if self._scene.has_only_control_points:
            notes.append("The scene's place is told by control points only, the map has none: gdalwarp SCENE OUT, and map that.")
        return [*notes, *self._scale.notes]
