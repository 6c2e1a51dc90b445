"""Result of mapping a scene: output files, counts of pixels, and the report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segment.annotations.areas import Area
from segment.confidence import ConfidenceCounts
from segment.core.maps.class_raster import companions
from segment.core.maps.scene_outputs import SceneOutputs, describe_scene, format_area
from segment.core.model.info import ModelInfo
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.map_outputs.map_view import map_html, plot_map
from segment.mapping.options import MapOptions
from segment.mapping.scale import Scale
from segment.scores import Confusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAP_ENDINGS = ("_classes.tif", "_mask.png", "_overlay.jpg", "_confidence.tif")
"""What is appended to the name of a scene in the names of its rasters and pictures."""
EVERYTHING = MapOptions(confidence=True, polygons=True, suggest=1)
"""Options of a map with all outputs."""


@dataclass(frozen=True, repr=False)
class SceneMap(SceneOutputs):
    """Output files and report of a mapped scene; prints as a short table.

    Attributes:
        scene: Scene as it was named.
        report_file: Path of the report (JSON).
        report: Content of the report.
        classes: Path of the class raster (GeoTIFF).
        mask: Path of the coloured mask (PNG).
        overlay: Path of the overlay (JPEG).
        confidence: Path of the confidence raster (GeoTIFF), None where it is not asked for.
        polygons: Path of the polygons, None where they are not asked for.
        page: Path of the page (HTML) that presents the map.
        suggestions: Path of the windows to label next (GeoPackage), None where none are asked for.
    """

    classes: Path
    mask: Path
    overlay: Path
    confidence: Path | None
    polygons: Path | None
    page: Path
    suggestions: Path | None = None

    @classmethod
    def planned(cls, scene: Source, folder: Path, options: MapOptions) -> "SceneMap":
        """Returns the files that a scene will have, with an empty report.

        Args:
            scene: Scene.
            folder: Folder of the outputs.
            options: What is asked for.

        Returns:
            The paths; nothing is written.

        Raises:
            InputError: If the scene has no name.
        """
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
            confidence=probability if options.confidence else None,
            polygons=file(f".{options.polygons}") if options.polygons else None,
            page=file("_report.html"),
            suggestions=file("_suggest.gpkg") if options.suggest else None,
            report={},
        )

    @property
    def files(self) -> list[Path]:
        """Paths of the files that are asked for, the class raster first."""
        asked = filter(None, (self.confidence, self.polygons, self.suggestions))
        return [self.classes, self.page, self.report_file, self.overlay, self.mask, *asked]

    @property
    def companions(self) -> list[Path]:
        """Paths of the styles and sidecars that the rasters and pictures can have beside them."""
        rasters = [file for file in (self.classes, self.confidence, self.mask) if file]
        return [file.with_name(name) for file in rasters for name in companions(file)]

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draws the map over the scene, with a legend.

        Args:
            axes: Axes of Matplotlib to draw on; by default those of a new figure.

        Returns:
            The axes.

        Raises:
            InputError: If the files of the map are gone.
        """
        return plot_map(self.report, self.classes, self.overlay, axes)

    def _repr_html_(self) -> str:
        lines = self.closing_lines([*self.files, *self.companions])
        return map_html(self._title(), self.report, self.classes, self.overlay, lines)

    def _title(self) -> str:
        report = self.report
        title = f"{report['scene']}: {report['width']} x {report['height']} px"
        if "jaccard" in report:
            title += f", mean Jaccard {_figure(report['mean_jaccard'])}"
            title += f", boundary Jaccard {_figure(report['mean_boundary_jaccard'])}"
            title += f", accuracy {_figure(report['accuracy'])}"
        return title

    def __repr__(self) -> str:
        """Returns a table of the classes with their shares, areas and scores."""
        report = self.report
        longest = max(len(name) for name in report["classes"])
        valid = max(sum(report["pixels_by_class"].values()), 1)
        lines = [self._title()]
        for name, pixels in report["pixels_by_class"].items():
            line = f"  {name:<{longest}}  {100 * pixels / valid:5.1f} %"
            if report["area_m2"]:
                line += f"  {format_area(report['area_m2'][name]):>14}"
            if "jaccard" in report:
                line += f"  Jaccard {_figure(report['jaccard'][name])}"
                line += f"  boundary {_figure(report['boundary_jaccard'][name])}"
            lines.append(line)
        if found := report.get("suggestions"):
            lines.append(f"  {found['windows']} windows to label next")
        return "\n".join([*lines, *self.closing_lines([*self.files, *self.companions])])


def output_names(source: Source, folder: Path) -> list[str]:
    """Names all files that a scene can have, whether they are asked for or not.

    A file that an earlier call left would not belong to the new map.

    Args:
        source: Scene.
        folder: Folder of the outputs.

    Returns:
        The names, first that of the class raster.

    Raises:
        InputError: If the scene has no name.
    """
    every = SceneMap.planned(source, folder, EVERYTHING)
    assert every.polygons
    parquet = every.polygons.with_suffix(".parquet")
    return [file.name for file in (*every.files, parquet, *every.companions)]


def _figure(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


class SceneTally:
    """Pixels, areas and scores of a map, added up row strip by row strip.

    Attributes:
        pixels: Number of pixels of each class, (classes,) int64.
        confidence: Probabilities of the mapped classes.
    """

    def __init__(self, scene: Raster, area: Area, info: ModelInfo, scale: Scale):
        """Starts without pixels.

        Args:
            scene: The open scene.
            area: Part of the scene that is mapped.
            info: Description of the model.
            scale: Scale at which the model sees the scene.
        """
        self._scene, self._area, self._info, self._scale = scene, area, info, scale
        self._grid = area.grid(scene)
        self._names = info.class_table.names
        self.pixels = np.zeros(len(self._names), np.int64)
        self._areas: NDArray[np.float64] | None = np.zeros(len(self._names))
        self._confusion: Confusion | None = None
        self.confidence = ConfidenceCounts(len(self._names), scene.height, scene.width)

    def add(
        self,
        start: int,
        labels: NDArray[np.uint8],
        probabilities: NDArray[np.float32] | None = None,
        reference: NDArray[np.uint8] | None = None,
    ) -> None:
        """Adds rows of the map.

        Args:
            start: First row, counted from the top of the map.
            labels: Class indices, (rows, width) uint8; 255 where not valid.
            probabilities: Class probabilities, (rows, width, classes); None leaves out the
                confidence, and the scores that need them.
            reference: Class indices of the reference, (rows, width) uint8; None leaves out all
                scores.
        """
        area = self._area
        counts = np.stack(
            [np.count_nonzero(labels == k, axis=1) for k in range(len(self._names))], axis=1
        )
        self.pixels += counts.sum(axis=0)
        areas = self._grid.row_pixel_areas(start, start + len(labels))
        if areas is None or self._areas is None:  # no CRS, or a part off the globe
            self._areas = None
        else:
            self._areas += areas @ counts
        if probabilities is not None:
            self.confidence.add(area.top + start, area.left, labels, probabilities)
        if reference is not None:
            self._confusion = self._confusion or Confusion(self._names)
            self._confusion.add(reference, labels, probabilities)

    def merge_scores(self, state: dict[str, Any]) -> None:
        """Adds scores that were counted elsewhere.

        Args:
            state: What `Confusion.state` returned.
        """
        self._confusion = self._confusion or Confusion(self._names)
        self._confusion.merge(state)

    def state(self) -> dict[str, Any]:
        """Returns what was added, as plain numbers for `restore`."""
        confusion = None if self._confusion is None else self._confusion.state()
        areas = None if self._areas is None else self._areas.tolist()
        return {
            "pixels": self.pixels.tolist(),
            "areas": areas,
            "confusion": confusion,
            "confidence": self.confidence.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from what was added before.

        Args:
            state: What `state` returned.
        """
        self.pixels = np.array(state["pixels"], np.int64)
        self._areas = None if state["areas"] is None else np.array(state["areas"])
        self.confidence.merge(state["confidence"])
        if state["confusion"] is not None:
            self._confusion = Confusion(self._names)
            self._confusion.restore(state["confusion"])

    @property
    def shares(self) -> dict[str, float]:
        """Fraction of the valid pixels that each class takes, by its name."""
        total = max(int(self.pixels.sum()), 1)
        return {name: int(n) / total for name, n in zip(self._names, self.pixels, strict=True)}

    def report(self, seconds: float) -> dict[str, Any]:
        """Makes the report of the map; see `describe_scene`.

        Args:
            seconds: Time that mapping took.

        Returns:
            Keys of report.json. The scores are among them only if there was a reference.
        """
        areas = None if self._areas is None else self._areas.tolist()
        report = describe_scene(self._scene, self._names, areas, seconds, self._grid)
        report |= {
            "scene": Path(self._scene.path).name,
            "model": self._info.name,
            "ground_sampling_distance": self._scale.pixel,
            "pixels_by_class": dict(zip(self._names, self.pixels.tolist(), strict=True)),
            **self.confidence.report(self._names),
            "notes": [*self._notes(), *report["notes"], *self._scale.notes],
        }
        return report | (self._confusion.report() if self._confusion else {})

    def _notes(self) -> list[str]:
        table = self._info.class_table
        empty = [] if self.pixels.any() else ["No pixel of the scene is valid: the map is empty."]
        return empty + [
            f"{c.name} has the value {mapped.value} in the map, where {c.value} is nodata."
            for c, mapped in zip(table.classes, table.mapped, strict=True)
            if c.value != mapped.value
        ]
