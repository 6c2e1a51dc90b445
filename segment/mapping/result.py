"""Result of mapping a scene: output files, counts of pixels, and the report."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from segment.core.choices import PolygonFormat
from segment.core.errors import InputError, counted
from segment.core.maps.class_raster import companions
from segment.core.maps.scene_outputs import SceneOutputs, format_areas, refuse_inputs
from segment.core.raster.sources import Source
from segment.core.reports.timing import describe_timing
from segment.map_outputs.map_view import map_html, plot_map
from segment.mapping.options import MapOptions

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

    def has_polygons(self, file: Path) -> bool:
        """Checks whether polygons are of an earlier map.

        Args:
            file: Their file.

        Returns:
            Whether the report that exists was written with them.
        """
        try:
            kept = json.loads(self.report_file.read_text())["settings"]["polygons"]
        except (OSError, ValueError, LookupError, TypeError):
            return False
        return f".{kept}" == file.suffix

    @property
    def companions(self) -> list[Path]:
        """Paths of the styles and sidecars that the rasters and pictures can have beside them."""
        rasters = [file for file in (self.classes, self.confidence, self.mask) if file]
        return [file.with_name(name) for file in rasters for name in companions(file)]

    def with_note_on_timing(self, options: MapOptions) -> "SceneMap":
        """Adds to a map that existed already what its seconds are.

        Args:
            options: What is asked for.

        Returns:
            The map with a further note; the same if it has no timing and none is asked for.
        """
        if "timing" in self.report:
            note = "The seconds are those of the call that mapped it."
        elif options.timing is not False:
            note = "Its time was not measured. Add --overwrite to map it again."
        else:
            return self
        return replace(self, report=self.report | {"notes": [*self.report["notes"], note]})

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
        areas = format_areas(report["area_m2"] or {})
        valid = max(sum(report["pixels_by_class"].values()), 1)
        lines = [self._title()]
        for name, pixels in report["pixels_by_class"].items():
            line = f"  {name:<{longest}}  {100 * pixels / valid:5.1f} %"
            if areas:
                line += f"  {areas[name]:>14}"
            if "jaccard" in report:
                line += f"  Jaccard {_figure(report['jaccard'][name])}"
                line += f"  boundary {_figure(report['boundary_jaccard'][name])}"
            lines.append(line)
        if found := report.get("suggestions"):
            lines.append(f"  {counted(found['windows'], 'window')} to label next")
        if "timing" in report:
            lines += describe_timing(report["timing"])
        return "\n".join([*lines, *self.closing_lines([*self.files, *self.companions])])


def output_names(
    source: Source, folder: Path, options: MapOptions, inputs: Sequence[Path | str]
) -> list[str]:
    """Names all files that a scene can have, whether they are asked for or not.

    A file that an earlier call left would not belong to the new map. Polygons are left out where
    the report does not say that they are of the earlier map: any vector file can have their name.

    Args:
        source: Scene.
        folder: Folder of the outputs.
        options: What is asked for.
        inputs: Inputs as the user named them, none of which may be replaced.

    Returns:
        The names, first that of the class raster.

    Raises:
        InputError: If the scene has no name, if polygons are asked for whose file exists and is not
            known to be of an earlier map, or if an input would be replaced.
    """
    every = SceneMap.planned(source, folder, EVERYTHING)
    assert every.polygons
    polygons = [every.polygons.with_suffix(f".{name}") for name in get_args(PolygonFormat)]
    others = [file for file in polygons if file.exists() and not every.has_polygons(file)]
    asked = SceneMap.planned(source, folder, options).polygons
    if asked in others:
        raise InputError(
            f"{asked} exists, and no report beside it says that it is of an earlier map: it is not"
            " replaced. Rename it, or choose another place."
        )
    files = dict.fromkeys((*every.files, *polygons, *every.companions))
    kept = [file for file in files if file not in others]
    refuse_inputs(kept, inputs)
    return [file.name for file in kept]


def _figure(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"
