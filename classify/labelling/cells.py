"""A scene as cells, and as batches of what a network sees of them: read forward only, by rows of cells."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.data.pixels import centre_crop, prepare_seen
from classify.labelling.inference import label_info
from segment.core.model.folder import ModelInfo
from segment.core.raster.blocks import Block
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source

SMALLEST = 8
"""Edge of the smallest cells, pixels."""


@dataclass(frozen=True)
class Cells:
    """Square cells of `edge` pixels over a scene of height x width pixels, from its upper left corner on, in reading order.

    The last row and column of cells end where the scene does. Their windows, which are what the network looks at, are
    shifted inward, so that they have as many pixels as others; in a scene that is smaller than a cell, all there are.
    """

    height: int
    width: int
    edge: int

    @property
    def rows(self) -> int:
        return -(-self.height // self.edge)

    @property
    def columns(self) -> int:
        return -(-self.width // self.edge)

    def window(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Top, bottom, left and right of what the network looks at."""
        (top, bottom), (left, right) = self._shifted(row, self.height), self._shifted(column, self.width)
        return top, bottom, left, right

    def _shifted(self, index: int, length: int) -> tuple[int, int]:
        start = max(min(index * self.edge, length - self.edge), 0)
        return start, min(start + self.edge, length)

    def borders(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Scene rows (rows + 1,) and columns (columns + 1,) between which the cells lie, the scene's own borders included."""
        rows, columns = np.arange(self.rows + 1) * self.edge, np.arange(self.columns + 1) * self.edge
        return rows.clip(max=self.height), columns.clip(max=self.width)

    @property
    def whole(self) -> "Part":
        return Part(range(self.rows), range(self.columns))

    def part(self, block: Block) -> "Part":
        """The cells of a block whose borders are cells' borders."""
        rows, columns = ((block.top, block.bottom), (block.left, block.right))
        return Part(*(range(first // self.edge, -(-last // self.edge)) for first, last in (rows, columns)))


@dataclass(frozen=True)
class Part:
    """Cells that are labelled together: those of some rows and columns, numbered in reading order."""

    rows: range
    columns: range

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.columns)

    @property
    def count(self) -> int:
        return len(self.rows) * len(self.columns)


@dataclass(frozen=True)
class Batch:
    """Windows to label together. pixels: (batch, tile, tile, bands); cells: numbers (in their part) of the first of them, what
    follows repeats the last window so that the network sees one shape.
    """

    pixels: NDArray[Any]
    cells: list[int]


def read_batches(source: Source, cells: Cells, part: Part, info: ModelInfo, size: int) -> Generator[Batch, None, None]:
    """Batches of exactly `size` windows of a part of the cells, without those of cells that are nodata."""
    windows: list[NDArray[Any]] = []
    numbers: list[int] = []

    def batch() -> Batch:
        return Batch(np.stack(windows + windows[-1:] * (size - len(windows))), numbers)

    with source.open() as raster:
        for row, (start, strip, valid, labelled) in enumerate(_strips(raster, cells, part)):
            for column in np.flatnonzero(labelled).tolist():
                left, right = (edge - start for edge in cells.window(part.rows[row], part.columns[column])[2:])
                windows.append(_seen(strip[:, left:right], valid[:, left:right], cells.edge, info))
                numbers.append(row * len(part.columns) + column)
                if len(numbers) == size:
                    yield batch()
                    windows, numbers = [], []
    if numbers:
        yield batch()


def _strips(raster: Raster, cells: Cells, part: Part) -> Iterator[tuple[int, NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]]:
    """For each row of cells the scene column that it begins with, the scene rows of its windows (rows, width, bands), which of
    their pixels are valid (rows, width), and which cells are not nodata (columns,)."""
    borders, across = cells.borders()
    left, right = cells.window(0, part.columns[0])[2], int(across[part.columns.stop])
    inside = across[part.columns.start : part.columns.stop + 1]
    pixels, valid = np.empty((0, right - left, len(raster.bands)), raster.dtype), np.empty((0, right - left), bool)
    for row in part.rows:
        top, bottom, first = int(borders[row]), int(borders[row + 1]), cells.window(row, 0)[0]
        above = pixels, valid
        if first < top and not len(valid):  # windows of the last row begin above it
            above = raster.read(first, left, top - first, right - left)
        pixels, valid = raster.read(top, left, bottom - top, right - left)
        labelled = 2 * np.add.reduceat(valid.sum(axis=0), inside[:-1] - left) >= len(valid) * np.diff(inside)
        if first < top:
            pixels, valid = (np.concatenate([a[first - top :], b]) for a, b in zip(above, (pixels, valid), strict=True))
        yield left, pixels, valid, labelled


def _seen(window: NDArray[Any], valid: NDArray[np.bool_], edge: int, info: ModelInfo) -> NDArray[Any]:
    """A window as the network sees it, (tile, tile, bands): all of it, unless the scene is smaller than a cell."""
    whole = window.shape[:2] == (edge, edge)
    seen, _ = prepare_seen(window, valid, info.tile if whole else label_info(info).resize, info.preprocess)
    return np.ascontiguousarray(seen if whole else centre_crop(seen, info.tile))  # a view would keep the strip in memory
