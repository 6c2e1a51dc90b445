"""Journals: finished rows of a map on disk, from which an interrupted run resumes."""

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.disk import broken_write
from segment.core.labels.classes import ClassTable
from segment.core.maps.cog import BandContent, write_cog
from segment.core.maps.qgis import style_name, write_confidence_style
from segment.core.raster.grid import PixelGrid
from segment.map_outputs.suggestions import WindowStatistics, write_suggestions
from segment.mapping.loop import RowStrip

_JOURNAL = "journal.json"
_AT_A_TIME = 2**24  # bytes


class Journal:
    """Finished rows of a map on disk, and the state after them.

    Each raster of the map has a file of plain rows (one byte per pixel, from the top), and
    `journal.json` is beside these files. It is replaced as a whole after each row strip, so at any
    moment it describes complete rows.

    Attributes:
        folder: Folder of the files.
        rows: Number of rows of the map that are finished.
        state: State passed to the last `append`; None before the first.
    """

    def __init__(self, folder: Path, width: int):
        """Continues the journal in a folder, or starts an empty one.

        A journal that is missing or not complete counts as empty.

        Args:
            folder: Folder of the journal.
            width: Width of the map in pixels.
        """
        self.folder, self._width = folder, width
        self.rows = 0
        self.state: dict[str, Any] | None = None
        self._checksums: dict[str, int] = {}
        try:
            found = json.loads((folder / _JOURNAL).read_text())
            if all(
                self._sum_up(name, found["rows"]) == checksum
                for name, checksum in found["checksums"].items()
            ):
                self.rows, self.state, self._checksums = (
                    found["rows"],
                    found["state"],
                    found["checksums"],
                )
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            # no journal, or not a complete one, as after a power cut: start from the beginning
            pass

    def _sum_up(self, name: str, rows: int) -> int:
        checksum, left = 0, rows * self._width
        with open(self.file(name), "rb") as file:
            while part := file.read(min(_AT_A_TIME, left)):
                checksum, left = zlib.crc32(part, checksum), left - len(part)
        return checksum

    def file(self, name: str) -> Path:
        """Returns the file with the rows of a raster.

        Args:
            name: Name of the raster, such as CLASSES.

        Returns:
            Path of the file, whether it exists or not.
        """
        return self.folder / f"{name}.rows"

    def checksum(self, name: str) -> int:
        """Returns the CRC-32 of all finished rows of a raster.

        Args:
            name: Name of the raster.

        Returns:
            The checksum.

        Raises:
            KeyError: If no rows of the raster were added.
        """
        return self._checksums[name]

    def read(self, name: str, start: int, stop: int) -> NDArray[np.uint8]:
        """Reads finished rows of a raster.

        Args:
            name: Name of the raster.
            start: First row.
            stop: Row after the last.

        Returns:
            Rows (rows, width) uint8.
        """
        count, offset = (stop - start) * self._width, start * self._width
        return np.fromfile(self.file(name), np.uint8, count, offset=offset).reshape(-1, self._width)

    def append(self, band: Mapping[str, NDArray[np.uint8]], state: dict[str, Any]) -> None:
        """Adds finished rows, and the state from which work continues after them.

        Args:
            band: Rows (rows, width) of each raster by its name, uint8.
            state: Values that JSON can hold.

        Raises:
            InputError: If a file cannot be written, for example because the disk is full. The rows
                are then not part of the journal.
        """
        try:
            self._append(band, state)
        except OSError as error:
            raise broken_write(self.file(next(iter(band))), error.strerror or str(error)) from error

    def _append(self, band: Mapping[str, NDArray[np.uint8]], state: dict[str, Any]) -> None:
        try:
            for name, rows in band.items():
                content = rows.tobytes()
                descriptor = os.open(self.file(name), os.O_WRONLY | os.O_CREAT, 0o666)
                with open(descriptor, "wb") as file:
                    file.seek(self.rows * self._width)
                    file.write(content)
                self._checksums[name] = zlib.crc32(content, self._checksums.get(name, 0))
        except OSError:
            if not self.rows:  # nothing to resume from
                for name in band:
                    self.file(name).unlink(missing_ok=True)
            raise
        self.rows += len(next(iter(band.values())))
        self.state = state
        renewed = self.folder / f"{_JOURNAL}.new"
        renewed.write_text(
            json.dumps({"rows": self.rows, "state": state, "checksums": self._checksums})
        )
        renewed.replace(self.folder / _JOURNAL)


CLASSES, CONFIDENCE, REFERENCE = "classes", "confidence", "truth"
"""Names of the rasters whose rows a journal keeps; those of the reference are class indices."""


CONFIDENCE_STEPS = 254
"""Value in a confidence raster where the most probable class has probability 1."""


def rows_to_keep(
    strip: RowStrip, labels: NDArray[np.uint8], values: NDArray[np.uint8], confidence: bool
) -> dict[str, NDArray[np.uint8]]:
    """Returns the rows of each raster that are kept of a strip of a map.

    Args:
        strip: Finished rows.
        labels: Their class indices, shape (rows, width); 255 where not valid.
        values: Value in the map of each class index, shape (256,).
        confidence: Whether probabilities are kept, too.

    Returns:
        Rows (rows, width) of each raster by its name.
    """
    rows = {CLASSES: values[labels]}
    if confidence:
        rows[CONFIDENCE] = strip.confidence(CONFIDENCE_STEPS)
    return rows


def write_confidence_raster(rows: Journal, path: Path, grid: PixelGrid) -> None:
    """Writes a raster with the probability of the mapped class, and a QGIS style beside it.

    Values of 0 to 254 are probabilities of 0 to 1. They are the rows named CONFIDENCE.

    Args:
        rows: Journal with all rows of the map.
        path: GeoTIFF to write.
        grid: Grid of the map.

    Raises:
        InputError: If the file cannot be written.
    """
    content = BandContent(
        description="confidence",
        overviews="AVERAGE",
        tags={"content": f"probability of the mapped class, 0 to {CONFIDENCE_STEPS} for 0 to 1"},
        scale=1 / CONFIDENCE_STEPS,
    )
    write_cog(rows.file(CONFIDENCE), rows.checksum(CONFIDENCE), path, grid, content)
    write_confidence_style(path.with_name(style_name(path.name)))


def suggest_windows(
    rows: Journal, path: Path, grid: PixelGrid, class_table: ClassTable, count: int
) -> tuple[dict[str, Any], list[str]]:
    """Writes windows that are worth labelling next, see `write_suggestions`.

    Args:
        rows: Journal with all rows of CLASSES and CONFIDENCE.
        path: GeoPackage to write.
        grid: Grid of the map.
        class_table: Class table of the map.
        count: Windows wanted.

    Returns:
        What the report has of them, and a note where there are fewer.

    Raises:
        InputError: If the file cannot be written.
    """
    files = rows.file(CLASSES), rows.file(CONFIDENCE)
    found = WindowStatistics.of(*files, CONFIDENCE_STEPS, grid, class_table)
    written = write_suggestions(found, path, grid, class_table, count)
    fewer = f"{written} of {count} windows are suggested: no other window has uncertain pixels."
    report = {"file": path.name, "windows": written, "asked_for": count}
    return report, [fewer] if written < count else []
