"""Finished rows of a map and what was counted in them, kept so that the same command can go on after a stop."""

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.raster.cog import write_cog
from segment.core.raster.reader import Raster
from segment.mapping.loop import RowStrip

_JOURNAL = "journal.json"
_AT_A_TIME = 2**24  # bytes


class Journal:
    """One file of plain rows (a byte a pixel, from the top) per raster of a map, and `journal.json` beside them.

    The journal is replaced as a whole after each band, so that at any moment it names rows that are whole.

    rows: of the scene that are finished. state: what the last `append` was given, None before the first.
    """

    def __init__(self, folder: Path, width: int):
        """Takes up what lies in `folder`, if anything does."""
        self.folder, self._width = folder, width
        self.rows = 0
        self.state: dict[str, Any] | None = None
        self._checksums: dict[str, int] = {}
        try:
            found = json.loads((folder / _JOURNAL).read_text())
            if all(self._sum_up(name, found["rows"]) == checksum for name, checksum in found["checksums"].items()):
                self.rows, self.state, self._checksums = found["rows"], found["state"], found["checksums"]
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            pass  # nothing there, or not whole, as after a power cut: the work starts afresh

    def _sum_up(self, name: str, rows: int) -> int:
        checksum, left = 0, rows * self._width
        with open(self.file(name), "rb") as file:
            while part := file.read(min(_AT_A_TIME, left)):
                checksum, left = zlib.crc32(part, checksum), left - len(part)
        return checksum

    def file(self, name: str) -> Path:
        """Where the rows of one raster stand."""
        return self.folder / f"{name}.rows"

    def checksum(self, name: str) -> int:
        """CRC-32 of all finished rows of one raster."""
        return self._checksums[name]

    def append(self, band: Mapping[str, NDArray[np.uint8]], state: dict[str, Any]) -> None:
        """Adds rows (rows, width) of each raster, and what is to be known when work goes on behind them.

        Raises OSError when the disk is full; the band is then not part of the journal.
        """
        try:
            for name, rows in band.items():
                content = rows.tobytes()
                descriptor = os.open(self.file(name), os.O_WRONLY | os.O_CREAT, 0o666)
                with open(descriptor, "wb") as file:
                    file.seek(self.rows * self._width)
                    file.write(content)
                self._checksums[name] = zlib.crc32(content, self._checksums.get(name, 0))
        except OSError:
            if not self.rows:  # nothing to go on from
                for name in band:
                    self.file(name).unlink(missing_ok=True)
            raise
        self.rows += len(next(iter(band.values())))
        self.state = state
        renewed = self.folder / f"{_JOURNAL}.new"
        renewed.write_text(json.dumps({"rows": self.rows, "state": state, "checksums": self._checksums}))
        renewed.replace(self.folder / _JOURNAL)


CLASSES, CONFIDENCE = "classes", "confidence"
"""What the rows of a map are kept as."""


CONFIDENCE_STEPS = 254
"""What a confidence raster holds where the most probable class has probability 1."""


def rows_to_keep(
    strip: RowStrip, labels: NDArray[np.uint8], values: NDArray[np.uint8], confidence: bool
) -> dict[str, NDArray[np.uint8]]:
    """Returns what is kept of a strip of a map.

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


def write_confidence_raster(rows: Journal, path: Path, scene: Raster) -> None:
    """Writes a raster of the most probable class's probability, 0 to 254 for 0 to 1, from rows under CONFIDENCE.

    Raises InputError when it cannot be written.
    """
    tags = {"content": f"probability of the mapped class, 0 to {CONFIDENCE_STEPS} for 0 to 1"}
    scale = 1 / CONFIDENCE_STEPS
    write_cog(rows.file(CONFIDENCE), rows.checksum(CONFIDENCE), path, scene, "confidence", tags, "AVERAGE", scale=scale)
