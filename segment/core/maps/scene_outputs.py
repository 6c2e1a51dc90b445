"""Output files of a scene, and the report by which finished outputs are recognised."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from segment.core.disk import writable
from segment.core.errors import InputError
from segment.core.machine import peak_memory_mb
from segment.core.raster.grid import PixelGrid
from segment.core.raster.reader import Raster

_LINE = 100  # characters
_PRINTED = {"notes", "peak_memory_mb", "megapixels_per_second"}
# times finer or coarser than the training images, beyond which a user is warned
_MOST_DIFFERENT = 1.5


@dataclass(frozen=True, repr=False)
class SceneOutputs(ABC):
    """Files that a command makes from a scene.

    Attributes:
        scene: The scene as the user named it.
        report_file: File of the report.
        report: Content of `report_file`, with the keys `made_of` and `notes`, and `holes` where
            parts are missing.
    """

    scene: str
    report_file: Path
    report: dict[str, Any]

    @property
    @abstractmethod
    def files(self) -> list[Path]:
        """All output files."""

    def found(self, made_of: str) -> Self | None:
        """Finds finished outputs of the same work.

        Args:
            made_of: Digest of everything that the outputs depend on.

        Returns:
            The outputs with the report of `report_file`, to which a note is added that they existed
            already. None unless all files exist without holes and the report has the same
            `made_of`.
        """
        report = self._report_of(made_of)
        if report is None or report.get("holes"):
            return None
        return replace(
            self,
            report=report
            | {"notes": [*report["notes"], "The files existed already; nothing was computed."]},
        )

    def has_holes(self, made_of: str) -> bool:
        """Checks for outputs of the same work that lack blocks.

        Args:
            made_of: Digest of everything that the outputs depend on.

        Returns:
            Whether all files exist, the report has the same `made_of`, and parts are missing.
        """
        report = self._report_of(made_of)
        return report is not None and bool(report.get("holes"))

    def _report_of(self, made_of: str) -> dict[str, Any] | None:
        try:
            report: dict[str, Any] = json.loads(self.report_file.read_text())
            same = (
                report["made_of"] == made_of
                and report.keys() >= _PRINTED
                and all(file.is_file() for file in self.files)
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        return report if same else None

    def refuse_inputs(self, inputs: Sequence[Path | str | None]) -> None:
        """Checks that no output would replace an input.

        Args:
            inputs: Inputs as the user named them; only existing files count.

        Raises:
            InputError: If an output is the same file as an input.
        """
        refuse_inputs(self.files, inputs)

    def written(self, report: dict[str, Any]) -> Self:
        """Writes the report.

        Args:
            report: Its content, plain values.

        Returns:
            The outputs with this report.

        Raises:
            InputError: If the file cannot be written, for example because the disk is full.
        """
        with writable(self.report_file):
            self.report_file.write_text(json.dumps(report, indent=2) + "\n")
        return replace(self, report=report)

    def closing_lines(self, files: Sequence[Path]) -> list[str]:
        """Formats what is printed after the table of classes.

        Args:
            files: Files that the outputs can have, the one to open first at the beginning.

        Returns:
            Lines with the notes, the speed, and the files that exist.
        """
        memory = self.report["peak_memory_mb"]
        speed = f"{self.report['megapixels_per_second']:.3g} megapixels/s"
        speed += "" if memory is None else f", {memory:,.0f} MB at most"
        notes = note_lines(self.report["notes"])
        return [*notes, speed, *_list_files([file for file in files if file.is_file()])]


def note_lines(notes: Iterable[str]) -> list[str]:
    """Formats notes and warnings of results for printing.

    Args:
        notes: Sentences; those of warnings begin with "Warning: ".

    Returns:
        A line for each, which begins with "Note: " or "Warning: ".
    """
    return [note if note.startswith("Warning: ") else f"Note: {note}" for note in notes]


def refuse_inputs(outputs: Iterable[Path], inputs: Iterable[Path | str | None]) -> None:
    """Checks that no output would replace an input.

    Args:
        outputs: Files to write.
        inputs: Inputs as the user named them; only existing files count.

    Raises:
        InputError: If an output is the same file as an input.
    """
    given = [file for file in inputs if isinstance(file, Path) and file.exists()]
    for file in outputs:
        if file.exists() and any(file.samefile(other) for other in given):
            raise InputError(f"{file}: input would be replaced by an output. Choose another place.")


def _list_files(files: Sequence[Path]) -> list[str]:
    """Returns the paths of files in as few lines as they fit into; no path is broken."""
    lines: list[str] = []
    for file in map(str, files):
        if lines and len(lines[-1]) + len(file) + 2 <= _LINE:
            lines[-1] += f", {file}"
        else:
            lines.append(f"   {file}" if lines else f"-> {file}")
    return lines


def describe_scene(
    raster: Raster,
    classes: Sequence[str],
    areas: Sequence[float] | None,
    seconds: float,
    grid: PixelGrid | None = None,
) -> dict[str, Any]:
    """Makes what the reports of all scenes have in common.

    `peak_memory_mb` is the peak of this process since it started, with everything it loaded.

    Args:
        raster: The open scene.
        classes: Names of the classes.
        areas: Area of each class in square metres, None without a CRS.
        seconds: Time that the work took.
        grid: Grid of the part that was worked on, by default the whole.

    Returns:
        Keys and values of the report.
    """
    notes, grid = list(raster.notes), grid or raster
    if raster.placed_by:
        notes.append(
            f"The scene is georeferenced by {raster.placed_by} only, so the outputs have no"
            " georeference. Run gdalwarp SCENE OUT and use that."
        )
    rounded = [] if areas is None else [round(area, 2) for area in areas]
    return {
        "width": grid.width,
        "height": grid.height,
        "crs": None if raster.crs is None else raster.crs.to_string(),
        "ground_sampling_distance": raster.ground_sampling_distance,
        "classes": list(classes),
        "area_m2": dict(zip(classes, rounded, strict=True)) if rounded else None,
        "scale": None if raster.scale is None else raster.scale.report,
        "notes": notes,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": own_version(),
        "megapixels_per_second": round(grid.width * grid.height / 1e6 / max(seconds, 1e-9), 4),
        "peak_memory_mb": peak_memory_mb(),
    }


@cache
def own_version() -> str:
    """Returns the version of this package, which takes milliseconds to read."""
    return version("aerial-segment")


def format_areas(square_metres: Mapping[str, float]) -> dict[str, str]:
    """Formats the areas of a table in one unit, so that they can be compared.

    Args:
        square_metres: Area of each class.

    Returns:
        The areas with the unit: m² below ten hectares in all, km² from 100 of them on, else ha.
    """
    total = sum(square_metres.values())
    unit, size, digits = ("m²", 1, 0) if total < 1e5 else ("ha", 1e4, 2)
    if total >= 1e8:
        unit, size = "km²", 1e6
    return {name: f"{area / size:,.{digits}f} {unit}" for name, area in square_metres.items()}


def differ_in_scale(scene: float, training: float) -> bool:
    """Compares a pixel size with that of the training images.

    Args:
        scene: Metres per pixel of the scene.
        training: Metres per pixel of the training images.

    Returns:
        Whether pixels are so much larger or smaller that the user is warned.
    """
    return not 1 / _MOST_DIFFERENT <= scene / training <= _MOST_DIFFERENT
