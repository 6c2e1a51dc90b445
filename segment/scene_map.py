"""A mapped scene: the files that were written, and what its report says."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.model_folder import ModelInfo
from segment.core.raster import Raster
from segment.scores import Confusion

_STRANGE_PIXELS = 2.0  # times finer or coarser than the training images before it is worth a note


@dataclass(frozen=True, repr=False)
class SceneMap:
    """Where a mapped scene's files are, and `report`, which `report_file` holds too. Prints as a short table."""

    scene: Path
    classes: Path
    mask: Path
    overlay: Path
    report_file: Path
    confidence: Path | None
    polygons: Path | None
    report: dict[str, Any]

    @classmethod
    def planned(cls, scene: Path, folder: Path, confidence: bool, polygons: bool) -> "SceneMap":
        """The files that a scene gives in `folder`, with an empty report."""
        stem = folder / scene.stem

        def file(ending: str) -> Path:
            return stem.with_name(stem.name + ending)

        return cls(
            scene=scene,
            classes=file("_classes.tif"),
            mask=file("_mask.png"),
            overlay=file("_overlay.jpg"),
            report_file=file("_report.json"),
            confidence=file("_confidence.tif") if confidence else None,
            polygons=file(".gpkg") if polygons else None,
            report={},
        )

    @property
    def files(self) -> list[Path]:
        every = (self.classes, self.mask, self.overlay, self.report_file, self.confidence, self.polygons)
        return [file for file in every if file is not None]

    def __repr__(self) -> str:
        report = self.report
        title = f"{self.scene.name}: {report['width']} x {report['height']} px"
        if "jaccard" in report:
            title += f", mean Jaccard {_figure(report['mean_jaccard'])}, accuracy {_figure(report['accuracy'])}"
        longest = max(len(name) for name in report["classes"])
        valid = max(sum(report["pixels_by_class"].values()), 1)
        lines = [title]
        for name, pixels in report["pixels_by_class"].items():
            line = f"  {name:<{longest}}  {100 * pixels / valid:5.1f} %"
            if report["area_m2"]:
                line += f"  {_area(report['area_m2'][name]):>14}"
            if "jaccard" in report:
                line += f"  Jaccard {_figure(report['jaccard'][name])}"
            lines.append(line)
        speed = f"{report['megapixels_per_second']:.3g} megapixels/s, {report['peak_memory_mb']:,.0f} MB at most"
        return "\n".join([*lines, *(f"Note: {note}" for note in report["notes"]), speed, f"-> {self.classes}"])


def _figure(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


def _area(square_metres: float) -> str:
    return f"{square_metres / 1e6:,.2f} km²" if square_metres >= 1e6 else f"{square_metres:,.0f} m²"


class SceneTally:
    """Pixels, areas and scores of a map, added up row band by row band."""

    def __init__(self, scene: Raster, info: ModelInfo):
        self._scene, self._info = scene, info
        self._names = info.palette.names
        self._pixels = np.zeros(len(self._names), np.int64)
        self._areas = np.zeros(len(self._names))
        self._confusion: Confusion | None = None

    def add(
        self, start: int, labels: NDArray[np.uint8], probabilities: NDArray[np.float32], truth: NDArray[np.uint8] | None = None
    ) -> None:
        """Adds rows from `start` on: class indices (rows, width), 255 where not valid, and (rows, width, classes)."""
        lines = np.arange(len(labels))[:, None] * 256
        by_row = np.bincount((labels + lines).ravel(), minlength=256 * len(labels)).reshape(len(labels), 256)
        counts = by_row[:, : len(self._names)]
        self._pixels += counts.sum(axis=0)
        areas = self._scene.row_pixel_areas(start, start + len(labels))
        if areas is not None:
            self._areas += areas @ counts
        if truth is not None:
            self._confusion = self._confusion or Confusion(self._names)
            self._confusion.add(truth, labels, probabilities)

    @property
    def shares(self) -> dict[str, float]:
        """Fraction of the valid pixels that each class takes."""
        total = max(int(self._pixels.sum()), 1)
        return {name: int(n) / total for name, n in zip(self._names, self._pixels, strict=True)}

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
            "ground_sampling_distance": scene.ground_sampling_distance,
            "classes": self._names,
            "pixels_by_class": dict(zip(self._names, self._pixels.tolist(), strict=True)),
            "area_m2": None,
        }
        if scene.row_pixel_areas(0, 1) is not None:
            report["area_m2"] = {name: round(area, 2) for name, area in zip(self._names, self._areas.tolist(), strict=True)}
        if self._confusion is not None:
            report |= self._confusion.report()
        return report | {
            "notes": self._notes(),
            "megapixels_per_second": round(scene.width * scene.height / 1e6 / max(seconds, 1e-9), 4),
            "peak_memory_mb": _peak_memory_mb(),
        }

    def _notes(self) -> list[str]:
        notes = []
        if not self._pixels.any():
            notes.append("No pixel of the scene is valid: the map is empty.")
        pixel, learned = self._scene.ground_sampling_distance, self._info.ground_sampling_distance
        if pixel and learned and not 1 / _STRANGE_PIXELS <= pixel / learned <= _STRANGE_PIXELS:
            notes.append(f"Pixels are {pixel:.3g} m, the model learned from {learned:.3g} m: resample the scene to that.")
        return notes


def _peak_memory_mb() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
