"""Pixels and labels of a scene, read by windows of any place and size."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import IGNORED
from segment.core.pixels.cache import Cache
from segment.core.raster.orientation import UPRIGHT
from segment.data.pairs.decoded import Decoded
from segment.data.pairs.pair import Pair
from segment.tiling import reflect

Decode = Callable[[NDArray[Any]], tuple[NDArray[np.uint8], Counter[str]]]
"""Decodes stored labels to codes, and counts what no class has."""

_LEAST, _MOST = 256, 1024  # edge of a chunk, pixels
_ROWS = 128  # of a chunk of a file that is stored by whole rows


class ScenePixels:
    """Decoded pixels of a scene, which is never read whole.

    The file is read by chunks that fit how it is stored, and the cache keeps the most recently used
    ones. It can be used from several threads.

    Attributes:
        shape: Rows and columns of the scene.
    """

    def __init__(self, pair: Pair, decode: Decode, cache: Cache[Decoded]):
        """Finds out how the scene is stored.

        Args:
            pair: Scene and labels.
            decode: Decodes its stored labels.
            cache: Keeps chunks, of other scenes too.

        Raises:
            InputError: If the scene cannot be opened.
        """
        self.shape = pair.info.height, pair.info.width
        self._pair, self._decode, self._cache = pair, decode, cache
        self._unknown: dict[tuple[int, int], Counter[str]] = {}
        with pair.source.open() as raster:
            stored = raster.dataset.block_shapes[0]
            turned = raster.orientation is not UPRIGHT
        self._chunk = chunk_size((_LEAST, _LEAST) if turned else stored, self.shape)

    @property
    def unknown(self) -> Counter[str]:
        """Pixels by value or colour that no class has, in the chunks read so far."""
        return sum(list(self._unknown.values()), Counter[str]())

    def window(self, row: int, column: int, height: int, width: int) -> Decoded:
        """Reads a rectangle within the scene.

        Args:
            row: First row.
            column: First column.
            height: Number of rows.
            width: Number of columns.

        Returns:
            Its pixels and codes.

        Raises:
            InputError: If the scene or its mask cannot be read there, or the mask holds undeclared
                colours that are refused.
        """
        info, (rows, columns) = self._pair.info, self._chunk
        image = np.empty((height, width, info.bands), info.dtype)
        valid, mask = np.empty((height, width), bool), np.empty((height, width), np.uint8)
        with ExitStack() as stack:
            files: list[Any] = []
            for top in range(row - row % rows, row + height, rows):
                for left in range(column - column % columns, column + width, columns):
                    chunk = self._cache.get(
                        (self._pair.image, top, left),
                        lambda top=top, left=left: self._read(top, left, files, stack),  # type: ignore[misc]
                    )
                    first, last = max(row, top), min(row + height, top + chunk.shape[0])
                    start, end = max(column, left), min(column + width, left + chunk.shape[1])
                    here = slice(first - row, last - row), slice(start - column, end - column)
                    there = slice(first - top, last - top), slice(start - left, end - left)
                    for whole, part in zip((image, valid, mask), chunk, strict=True):
                        whole[here] = part[there]
        return Decoded(image, valid, mask)

    def cut(self, row: int, column: int, edge: int) -> Decoded:
        """Reads a square, padded beyond the scene, see `Decoded.cut`.

        Args:
            row: First row, 0 or above.
            column: First column, 0 or above.
            edge: Edge of the square, pixels.

        Returns:
            The square, (edge, edge).
        """
        return self._inside(row, column, edge).cut(0, 0, edge)

    def stored(self, row: int, column: int, edge: int) -> NDArray[Any]:
        """Reads the pixels of a square as far as it is within the scene, see `Decoded.stored`.

        Args:
            row: First row, 0 or above.
            column: First column, 0 or above.
            edge: Edge of the square, pixels.

        Returns:
            (rows, columns, bands), each at most the edge.
        """
        return self._inside(row, column, edge).image

    def around(self, row: int, column: int, edge: int) -> Decoded:
        """Reads a square, reflected beyond the scene, see `Decoded.around`.

        Args:
            row: First row, which may be negative.
            column: First column, which may be negative.
            edge: Edge of the square, pixels.

        Returns:
            The square, (edge, edge).
        """
        rows, columns = (
            reflect(np.arange(first, first + edge), length)
            for first, length in zip((row, column), self.shape, strict=True)
        )
        top, left = int(rows.min()), int(columns.min())
        found = self.window(top, left, int(rows.max()) + 1 - top, int(columns.max()) + 1 - left)
        return Decoded(*(array[(rows - top)[:, None], columns - left] for array in found))

    def _inside(self, row: int, column: int, edge: int) -> Decoded:
        height, width = (
            min(edge, length - first)
            for first, length in zip((row, column), self.shape, strict=True)
        )
        return self.window(row, column, height, width)

    def _read(self, top: int, left: int, files: list[Any], stack: ExitStack) -> Decoded:
        """Reads a chunk; the files are opened for the first one of a window."""
        if not files:
            image = stack.enter_context(self._pair.source.open())
            files += [image, stack.enter_context(self._pair.open_labels(image))]
        height, width = (
            min(edge, length - first)
            for first, edge, length in zip((top, left), self._chunk, self.shape, strict=True)
        )
        pixels, valid = files[0].read(top, left, height, width)
        mask, self._unknown[top, left] = self._decode(files[1].read(top, height, left, width))
        mask[~valid] = IGNORED
        return Decoded(pixels, valid, mask)


def chunk_size(stored: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
    """Chooses the rows and columns of a scene to read at a time.

    They are whole blocks of the file. A file that is stored by whole rows is read by whole rows:
    parts of a row cost as much.

    Args:
        stored: Rows and columns of a block of the file.
        shape: Rows and columns of the scene.

    Returns:
        Rows and columns of a chunk.
    """
    rows, columns = stored
    if columns >= shape[1]:
        return min(-(-_ROWS // rows) * rows, _MOST), shape[1]
    height, width = (min(-(-_LEAST // length) * length, _MOST) for length in stored)
    return height, width


Readable = Decoded | ScenePixels
"""Pixels of a pair, decoded as a whole or read by windows."""
