"""Result of labelling a scene: labels of its cells, output files and report."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.labelling.cell_labels import CellLabels
from classify.labelling.cells import SMALLEST, Cells
from classify.labelling.doubt import shown_classes
from segment.core.errors import InputError, counted
from segment.core.maps.class_picture import plot_classes, read_class_picture
from segment.core.maps.class_raster import companions
from segment.core.maps.scene_outputs import (
    SceneOutputs,
    describe_scene,
    differ_in_scale,
    format_areas,
)
from segment.core.model.info import ModelInfo
from segment.core.notebook.html import result_html
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.core.reports.legend import listed_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL_ENDINGS = ("_labels.tif", "_labels_overlay.jpg")
"""What is appended to the name of a scene in the names of its raster and its picture."""


@dataclass(frozen=True, repr=False)
class SceneLabels(SceneOutputs):
    """Output files and report of a labelled scene; prints as a short table.

    Attributes:
        scene: Scene as it was named.
        report_file: Path of the report (JSON).
        report: Content of the report.
        labels: Path of the class raster.
        polygons: Path of the polygons (GeoPackage).
        overlay: Path of the overlay (JPEG).
    """

    labels: Path
    polygons: Path
    overlay: Path

    @classmethod
    def planned(cls, scene: Source, folder: Path) -> "SceneLabels":
        """Returns the files that a scene will have, with an empty report.

        Args:
            scene: Scene.
            folder: Folder of the outputs.

        Returns:
            The paths; nothing is written.
        """
        endings = (".tif", ".gpkg", ".json", "_overlay.jpg")
        raster, polygons, report, overlay = (
            folder / f"{scene.stem}_labels{ending}" for ending in endings
        )
        return cls(str(scene.path), report, {}, raster, polygons, overlay)

    @property
    def files(self) -> list[Path]:
        """Paths of all files, the raster first, with the files that accompany it."""
        return [
            self.labels,
            self.polygons,
            self.overlay,
            self.report_file,
            *(self.labels.with_name(name) for name in companions(self.labels)),
        ]

    @property
    def names(self) -> list[str]:
        """Names of all files."""
        return [file.name for file in self.files]

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draws the labels of the cells, with a legend.

        Args:
            axes: Axes of Matplotlib to draw on; by default those of a new figure.

        Returns:
            The axes.

        Raises:
            InputError: If the raster is gone.
        """
        picture, colors = read_class_picture(self.labels)
        shares = self.report["area_share"]
        return plot_classes(picture, colors, shares, self.report["scene"], axes)

    def _repr_html_(self) -> str:
        counts, areas = self._counts(), format_areas(self.report["area_m2"] or {})
        shares = self.report["area_share"]
        header = ["class", "share", "cells", *["area"] * bool(areas)]
        rows = [
            [
                name,
                f"{100 * shares[name]:.1f} %",
                f"{cells:,}",
                *([areas[name]] if areas else []),
            ]
            for name, cells in counts.items()
        ]
        lines = self.closing_lines(self.files)
        try:
            picture, found = read_class_picture(self.labels)
        except InputError:  # the files were moved
            return result_html(self._title(), header, rows, notes=lines)
        colors = [found[name] for name in counts]
        return result_html(self._title(), header, rows, colors=colors, picture=picture, notes=lines)

    def _counts(self) -> dict[str, int]:
        """Cells of the classes that are listed."""
        counts: dict[str, int] = self.report["cells_by_class"]
        return {name: counts[name] for name in listed_classes(counts)}

    def _title(self) -> str:
        report, probability = self.report, self.report["mean_probability"]
        title = (
            f"{report['scene']}: {report['width']} x {report['height']} px,"
            f" {counted(report['cells'], 'cell')} of {report['grid']} px"
        )
        return title if probability is None else f"{title}, mean probability {probability:.3f}"

    def __repr__(self) -> str:
        report, lines = self.report, [self._title()]
        longest = max(len(name) for name in report["classes"])
        areas = format_areas(report["area_m2"] or {})
        counts, classes = self._counts(), len(report["cells_by_class"])
        for name, cells in counts.items():
            line = (
                f"  {name:<{longest}}  {100 * report['area_share'][name]:5.1f} %  {cells:>9,}"
                f" cell{'' if cells == 1 else 's'}"
            )
            if areas:
                line += f"  {areas[name]:>14}"
            lines.append(line)
        if left := classes - len(counts):
            lines.append(f"  without a cell: {left} of {classes} classes")
        return "\n".join([*lines, *self.closing_lines(self.files)])


def class_areas(
    labels: CellLabels, cells: Cells, raster: Raster, classes: int
) -> tuple[list[float] | None, list[float]]:
    """Computes the area of each class, of cells that are cut off at the edge of the scene.

    Args:
        labels: Labels of all cells.
        cells: Cells of the scene.
        raster: The open scene.
        classes: Number of classes, see `shown_classes`.

    Returns:
        Square metres of each class, None without a CRS, and its share of all that has a label (by
        pixels, in a scene without a CRS), 0 to 1.
    """
    pixel_areas, (rows, columns) = raster.row_pixel_areas(0, raster.height), cells.borders()
    heights = np.diff(rows) if pixel_areas is None else np.add.reduceat(pixel_areas, rows[:-1])
    areas = np.outer(heights, np.diff(columns)).ravel()[labels.labelled]
    sums = np.bincount(labels.indices[labels.labelled], areas, minlength=classes)
    shares: list[float] = (sums / max(sums.sum(), 1e-9)).tolist()
    return None if pixel_areas is None else sums.tolist(), shares


def describe(
    labels: CellLabels, cells: Cells, raster: Raster, info: ModelInfo, seconds: float
) -> dict[str, Any]:
    """Makes the report, except for the name of the scene and the runtime; see `describe_scene`.

    With several labels, cells and areas count for the most probable label; `area_m2` and
    `area_share` are those of `class_areas`. `mean_probability` is the mean for the classes of the
    cells, and None if no cell has one.

    Args:
        labels: Labels of all cells.
        cells: Cells of the scene.
        raster: The open scene.
        info: Description of the model.
        seconds: Time that labelling took.

    Returns:
        Keys and values of the report.
    """
    names, labelled = shown_classes(info).names, labels.labelled
    areas, shares = class_areas(labels, cells, raster, len(names))
    report = describe_scene(raster, names, areas, seconds)
    probability = float(labels.probabilities[labelled].mean()) if labelled.any() else None
    empty = [] if labelled.any() else ["No cell has a label: the map is empty."]
    return report | {
        "model": info.name,
        "grid": cells.edge,
        "cells": cells.rows * cells.columns,
        "area_share": dict(zip(names, np.round(shares, 6).tolist(), strict=True)),
        "cells_by_class": dict(zip(names, labels.count(len(names)).tolist(), strict=True)),
        "mean_probability": None if probability is None else round(probability, 6),
        "notes": [*empty, *report["notes"], *_scale_notes(cells, raster, info)],
    }


def _scale_notes(cells: Cells, raster: Raster, info: ModelInfo) -> list[str]:
    pixel, learned = raster.ground_sampling_distance, info.ground_sampling_distance
    if not (pixel and learned):
        return []
    seen, grid = pixel * cells.edge / info.tile, round(learned / pixel * info.tile)
    if not differ_in_scale(seen, learned):
        return []
    return [
        f"The network saw pixels of {seen:.3g} m, it learned from {learned:.3g} m: label it with"
        f" --grid {max(grid, SMALLEST)}."
    ]
