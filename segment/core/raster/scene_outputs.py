"""The files that a command makes of a scene, with a report by which they are known again."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from segment.core.errors import InputError

_PRINTED = {"notes", "peak_memory_mb", "megapixels_per_second"}
_STRANGE_PIXELS = 1.5  # times finer or coarser than the training images before it is worth a note


@dataclass(frozen=True, repr=False)
class SceneOutputs(ABC):
    """What is made of a scene. scene: as it was named. report: what `report_file` holds, with the keys `made_of` and `notes`,
    and `holes` where parts are missing."""

    scene: str
    report_file: Path
    report: dict[str, Any]

    @property
    @abstractmethod
    def files(self) -> list[Path]:
        """All of them."""

    def found(self, made_of: str) -> Self | None:
        """The outputs, if all files are there without holes and the report says that they were made of the same."""
        report = self._report_of(made_of)
        if report is None or report.get("holes"):
            return None
        return replace(self, report=report | {"notes": [*report["notes"], "It was there already."]})

    def has_holes(self, made_of: str) -> bool:
        """Whether outputs of the same are there that lack blocks."""
        report = self._report_of(made_of)
        return report is not None and bool(report.get("holes"))

    def _report_of(self, made_of: str) -> dict[str, Any] | None:
        try:
            report: dict[str, Any] = json.loads(self.report_file.read_text())
            same = report["made_of"] == made_of and report.keys() >= _PRINTED and all(file.is_file() for file in self.files)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        return report if same else None

    def spare(self, inputs: Sequence[Path | str | None]) -> None:
        """Raises InputError when an output would replace an input. inputs: as they were named, only files count."""
        given = [file for file in inputs if isinstance(file, Path) and file.exists()]
        for file in self.files:
            if file.exists() and any(file.samefile(other) for other in given):
                raise InputError(f"{file}: outputs do not replace their input. Received it as both. Choose another place.")

    def closing_lines(self, first: Path) -> list[str]:
        """What is printed after the table of classes: notes, speed, and the file to open first."""
        memory = self.report["peak_memory_mb"]
        speed = f"{self.report['megapixels_per_second']:.3g} megapixels/s"
        speed += "" if memory is None else f", {memory:,.0f} MB at most"
        notes = [note if note.startswith("Warning: ") else f"Note: {note}" for note in self.report["notes"]]
        return [*notes, speed, f"-> {first}"]


def format_area(square_metres: float) -> str:
    """In square kilometres from one of them on."""
    return f"{square_metres / 1e6:,.2f} km²" if square_metres >= 1e6 else f"{square_metres:,.0f} m²"


def are_strange(seen: float, learned: float) -> bool:
    """Whether pixels are so much larger or smaller (in metres) than those that a model learned from that a user is told."""
    return not 1 / _STRANGE_PIXELS <= seen / learned <= _STRANGE_PIXELS
