"""Journals: finished rows of a map on disk, from which an interrupted run resumes."""

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.disk import broken_write
from segment.core.labels.classes import IGNORED
from segment.core.maps.cog import RawRows, overview_sizes
from segment.map_outputs.confidence import CONFIDENCE_STEPS
from segment.merging import RowStrip

_JOURNAL = "journal.json"
_AT_A_TIME = 2**24  # bytes


CLASSES, CONFIDENCE, REFERENCE = "classes", "confidence", "truth"
"""Names of the rasters whose rows a journal keeps; those of the reference are class indices."""
_Covered = tuple[NDArray[np.intp], NDArray[np.intp]]


class Overview:
    """An overview of a class raster, made while rows of the raster, or of a finer overview, come.

    It is GDAL's resampling "mode": a pixel holds the most frequent value of those that it covers,
    of equally frequent ones that which is first so often.

    Attributes:
        file: File of its rows, one byte a pixel, from the top.
    """

    def __init__(self, file: Path, size: tuple[int, int], finer: tuple[int, int]):
        """Starts an empty file.

        Args:
            file: File of its rows.
            size: Its rows and columns.
            finer: Rows and columns of what it is made of.
        """
        self.file, self._height, self._finer = file, size[0], finer[0]
        self._columns = _covered(0, size[1], size[1], finer[1])
        self._done, self._kept = 0, np.empty((0, finer[1]), np.uint8)
        file.unlink(missing_ok=True)

    def add(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Adds the next rows of what the overview is made of.

        Args:
            rows: Values (rows, columns).

        Returns:
            The rows of the overview that they complete.
        """
        kept = np.concatenate([self._kept, rows])
        first = self._done * self._finer // self._height
        end = (first + len(kept)) * self._height // self._finer
        starts, counts = _covered(self._done, end, self._height, self._finer)
        made = _most_frequent(kept, (starts - first, counts), self._columns)
        with open(self.file, "ab") as file:
            file.write(made.tobytes())
        self._done, self._kept = end, kept[end * self._finer // self._height - first :]
        return made


def _covered(start: int, stop: int, size: int, finer: int) -> _Covered:
    """Returns the first finer pixel that each of some pixels of an axis covers, and the count."""
    pixels = np.arange(start, stop)
    first = pixels * finer // size
    return first, -(-(pixels + 1) * finer // size) - first


def _most_frequent(
    pixels: NDArray[np.uint8], rows: _Covered, columns: _Covered
) -> NDArray[np.uint8]:
    """Returns the most frequent value under each pixel that covers some rows and columns."""
    found = np.full((len(rows[0]), len(columns[0])), IGNORED, np.uint8)
    most, earlier = np.zeros_like(found), list[NDArray[np.uint8]]()
    for row in range(rows[1].max(initial=0)):
        line = pixels.take(rows[0] + row, axis=0, mode="clip")
        line[row >= rows[1]] = IGNORED
        for column in range(columns[1].max()):
            value = line.take(columns[0] + column, axis=1, mode="clip")
            value[:, column >= columns[1]] = IGNORED
            count = np.ones_like(value)
            for other in earlier:
                count += other == value
            is_more = (count > most) & (value != IGNORED)
            np.copyto(found, value, where=is_more)
            np.copyto(most, count, where=is_more)
            earlier.append(value)
    return found


class Journal:
    """Finished rows of a map on disk, and the state after them.

    Each raster of the map has a file of plain rows (one byte per pixel, from the top), and
    `journal.json` is beside these files. It is replaced as a whole after each row strip, so at any
    moment it describes complete rows. Overviews of the classes grow with the rows.

    Attributes:
        folder: Folder of the files.
        rows: Number of rows of the map that are finished.
        state: State passed to the last `append`; None before the first.
    """

    def __init__(self, folder: Path, height: int, width: int):
        """Continues the journal in a folder, or starts an empty one.

        A journal that is missing or not complete counts as empty.

        Args:
            folder: Folder of the journal.
            height: Height of the map in pixels.
            width: Width of the map in pixels.
        """
        self.folder, self._width = folder, width
        sizes = [(height, width), *overview_sizes(height, width)]
        self._overviews = [
            Overview(self.file(f"{CLASSES}.{level}"), size, finer)
            for level, (finer, size) in enumerate(pairwise(sizes), start=1)
        ]
        self.rows = 0
        self.state: dict[str, Any] | None = None
        self._checksums: dict[str, int] = {}
        with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
            found = json.loads((folder / _JOURNAL).read_text())
            sums = {name: self._checksum(name, found["rows"]) for name in found["checksums"]}
            if sums == found["checksums"]:
                self.rows, self.state = found["rows"], found["state"]
                self._checksums = sums
        if CLASSES in self._checksums:
            for part in self._parts(CLASSES, self.rows):
                self._add_to_overviews(part)

    def _add_to_overviews(self, rows: NDArray[np.uint8]) -> None:
        for overview in self._overviews:
            rows = overview.add(rows)

    def _parts(self, name: str, rows: int) -> Iterator[NDArray[np.uint8]]:
        some = max(_AT_A_TIME // self._width, 1)
        return (self.read(name, i, min(i + some, rows)) for i in range(0, rows, some))

    def _checksum(self, name: str, rows: int) -> int:
        return reduce(lambda sum_, part: zlib.crc32(part.data, sum_), self._parts(name, rows), 0)

    def file(self, name: str) -> Path:
        """Returns the file with the rows of a raster.

        Args:
            name: Name of the raster, such as CLASSES.

        Returns:
            Path of the file, whether it exists or not.
        """
        return self.folder / f"{name}.rows"

    def raw(self, name: str) -> RawRows:
        """Returns all finished rows of a raster, of which a GeoTIFF can be made.

        Args:
            name: Name of the raster, of which there are rows.

        Returns:
            The files and their checksum.
        """
        overviews = [overview.file for overview in self._overviews if name == CLASSES]
        return RawRows(self.file(name), self._checksums[name], tuple(overviews))

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
                plain = rows.tobytes()
                descriptor = os.open(self.file(name), os.O_WRONLY | os.O_CREAT, 0o666)
                with open(descriptor, "wb") as file:
                    file.seek(self.rows * self._width)
                    file.write(plain)
                self._checksums[name] = zlib.crc32(plain, self._checksums.get(name, 0))
            if CLASSES in band:
                self._add_to_overviews(band[CLASSES])
        except OSError:
            if not self.rows:  # nothing to resume from
                for name in band:
                    self.file(name).unlink(missing_ok=True)
            raise
        self.rows += len(next(iter(band.values())))
        self.state = state
        renewed = self.folder / f"{_JOURNAL}.new"
        content = {"rows": self.rows, "state": state, "checksums": self._checksums}
        renewed.write_text(json.dumps(content))
        renewed.replace(self.folder / _JOURNAL)


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
