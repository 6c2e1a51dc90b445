"""Square cells of a scene, and batches of pixels from them for a network."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.data.pixels import centre_crop, prepare_seen
from classify.labelling.inference import label_info
from segment.core.model.info import ModelInfo
from segment.core.raster.blocks import Block
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source

SMALLEST = 8
"""Edge of the smallest cells in pixels."""


@dataclass(frozen=True)
class Cells:
    """Square cells over a scene, in reading order from its upper left corner.

    The last row and the last column of cells end at the edge of the scene. Their windows, the
    pixels that the network sees, are shifted inward, so that they are as large as others. In a
    scene that is smaller than a cell, a window is all there is.

    Attributes:
        height: Rows of the scene in pixels.
        width: Columns of the scene in pixels.
        edge: Edge of a cell in pixels.
    """

    height: int
    width: int
    edge: int

    @property
    def rows(self) -> int:
        """Number of rows of cells."""
        return -(-self.height // self.edge)

    @property
    def columns(self) -> int:
        """Number of columns of cells."""
        return -(-self.width // self.edge)

    def window(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Returns the pixels of the scene that the network sees for a cell.

        Args:
            row: Row of the cell.
            column: Column of the cell.

        Returns:
            Top, bottom, left and right in pixels of the scene; bottom and right are exclusive.
        """
        (top, bottom), (left, right) = (
            self._shifted(row, self.height),
            self._shifted(column, self.width),
        )
        return top, bottom, left, right

    def _shifted(self, index: int, length: int) -> tuple[int, int]:
        start = max(min(index * self.edge, length - self.edge), 0)
        return start, min(start + self.edge, length)

    def borders(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the borders between cells, with those of the scene.

        Returns:
            Scene rows (rows + 1,) and scene columns (columns + 1,) of the borders.
        """
        rows, columns = (
            np.arange(self.rows + 1) * self.edge,
            np.arange(self.columns + 1) * self.edge,
        )
        return rows.clip(max=self.height), columns.clip(max=self.width)

    @property
    def whole(self) -> "CellArea":
        """All cells of the scene."""
        return CellArea(range(self.rows), range(self.columns))

    def within(self, block: Block) -> "CellArea":
        """Returns the cells in a block of the scene.

        Args:
            block: Block whose borders are borders of cells.

        Returns:
            The cells.
        """
        rows, columns = ((block.top, block.bottom), (block.left, block.right))
        return CellArea(
            *(range(first // self.edge, -(-last // self.edge)) for first, last in (rows, columns))
        )


@dataclass(frozen=True)
class CellArea:
    """A rectangle of cells that are labelled together, numbered in reading order.

    Attributes:
        rows: Rows of cells.
        columns: Columns of cells.
    """

    rows: range
    columns: range

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns of cells."""
        return len(self.rows), len(self.columns)

    @property
    def count(self) -> int:
        """Number of cells."""
        return len(self.rows) * len(self.columns)


@dataclass(frozen=True)
class Batch:
    """Windows of cells that are labelled together.

    A batch that is not full repeats its last window, so that the network always sees one shape.

    Attributes:
        pixels: Windows as the network sees them, (batch, tile, tile, bands).
        cells: Number, in their area, of the cell of each window except the repeated ones.
    """

    pixels: NDArray[Any]
    cells: list[int]


def read_batches(
    source: Source, cells: Cells, area: CellArea, info: ModelInfo, size: int
) -> Generator[Batch, None, None]:
    """Reads the cells of an area of a scene in batches, without cells that are nodata.

    The scene is read forward only, one row of cells after the other.

    Args:
        source: Scene.
        cells: All cells of the scene.
        area: Cells to read.
        info: Description of the model.
        size: Number of windows per batch.

    Yields:
        Batches of exactly `size` windows.
    """
    windows: list[NDArray[Any]] = []
    numbers: list[int] = []

    def batch() -> Batch:
        return Batch(np.stack(windows + windows[-1:] * (size - len(windows))), numbers)

    with source.open() as raster:
        for row, (start, strip, valid, labelled) in enumerate(_rows_of_cells(raster, cells, area)):
            for column in np.flatnonzero(labelled).tolist():
                left, right = (
                    edge - start for edge in cells.window(area.rows[row], area.columns[column])[2:]
                )
                windows.append(_seen(strip[:, left:right], valid[:, left:right], cells.edge, info))
                numbers.append(row * len(area.columns) + column)
                if len(numbers) == size:
                    yield batch()
                    windows, numbers = [], []
    if numbers:
        yield batch()


def _rows_of_cells(
    raster: Raster, cells: Cells, area: CellArea
) -> Iterator[tuple[int, NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]]:
    """Row strips of the scene, one for each row of cells.

    Each item is the scene column where the strip begins, the pixels of its windows (rows, width,
    bands), which of them are valid (rows, width), and which cells are not nodata (columns,).
    """
    borders, across = cells.borders()
    left, right = cells.window(0, area.columns[0])[2], int(across[area.columns.stop])
    inside = across[area.columns.start : area.columns.stop + 1]
    pixels, valid = (
        np.empty((0, right - left, len(raster.bands)), raster.dtype),
        np.empty((0, right - left), bool),
    )
    for row in area.rows:
        top, bottom, first = int(borders[row]), int(borders[row + 1]), cells.window(row, 0)[0]
        above = pixels, valid
        if first < top and not len(valid):  # windows of the last row begin above the row
            above = raster.read(first, left, top - first, right - left)
        pixels, valid = raster.read(top, left, bottom - top, right - left)
        labelled = 2 * np.add.reduceat(valid.sum(axis=0), inside[:-1] - left) >= len(
            valid
        ) * np.diff(inside)
        if first < top:
            pixels, valid = (
                np.concatenate([a[first - top :], b])
                for a, b in zip(above, (pixels, valid), strict=True)
            )
        yield left, pixels, valid, labelled


def _seen(
    window: NDArray[Any], valid: NDArray[np.bool_], edge: int, info: ModelInfo
) -> NDArray[Any]:
    """A window as the network sees it, (tile, tile, bands).

    The window is resized as a whole, unless the scene is smaller than a cell.
    """
    whole = window.shape[:2] == (edge, edge)
    seen, _ = prepare_seen(
        window, valid, info.tile if whole else label_info(info).resize, info.preprocess
    )
    # a view would keep the strip in memory
    return np.ascontiguousarray(seen if whole else centre_crop(seen, info.tile))
