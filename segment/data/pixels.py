"""Pixels of images with their decoded masks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segment.config import Undeclared
from segment.core.cache import Cache
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.labels.mask_values import decode_values
from segment.core.labels.masks import open_mask
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.data.patches import fill_up, pad_tile
from segment.data.tiles import Pair
from segment.tiling import reflect

Tables = Mapping[str, tuple[ClassTable, NDArray[np.uint8]]]
"""Class table of each collection, and (256,) codes of what its classes admit, see `LabelSets`."""


class Decoded(NamedTuple):
    """Pixels and mask of a pair, or of a tile of it.

    Attributes:
        image: (rows, columns, bands) in the dtype of the file, or in 8 bits by its scale.
        valid: (rows, columns) bool, False where nodata.
        mask: (rows, columns) uint8, class indices or codes of label sets; 255 where ignored or
            nodata.
    """

    image: NDArray[Any]
    valid: NDArray[np.bool_]
    mask: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.mask.shape[0], self.mask.shape[1]

    def cut(self, row: int, column: int, edge: int) -> "Decoded":
        """Cuts out a square; what lies beyond the image is padded as in `pad_tile`.

        Args:
            row: First row, 0 or above.
            column: First column, 0 or above.
            edge: Edge of the square, pixels.

        Returns:
            The square, (edge, edge).
        """
        window = slice(row, row + edge), slice(column, column + edge)
        image, mask = pad_tile(self.image[window], self.mask[window], edge)
        return Decoded(image, fill_up(self.valid[window], edge), mask)

    def around(self, row: int, column: int, edge: int) -> "Decoded":
        """Cuts out a square; what lies beyond the image is reflected, labels too.

        Args:
            row: First row, which may be negative.
            column: First column, which may be negative.
            edge: Edge of the square, pixels.

        Returns:
            The square, (edge, edge).
        """
        places = [np.arange(first, first + edge) for first in (row, column)]
        rows, columns = (
            reflect(p, length) for p, length in zip(places, self.mask.shape, strict=True)
        )
        return Decoded(*(array[rows[:, None], columns] for array in self))


class TilePixels:
    """Decoded images and masks of pairs; the most recently used ones are kept in memory.

    It can be used from several threads.

    Args:
        class_table: Class table by which masks are decoded.
        undeclared: Whether to ignore mask colours that no class has, or to refuse them.
        megabytes: Most memory for the images that are kept; one image is kept in any case.
        names: Classes to count the indices by, if not those of `class_table`.
        tables: Class tables and codes of collections, used in place of `class_table`.

    Attributes:
        class_table: Class table by which masks are decoded.
        unknown: By path of the image, what each mask read so far holds that no class has, see
            `decode_values`.
    """

    def __init__(
        self,
        class_table: ClassTable,
        undeclared: Undeclared,
        megabytes: int,
        names: Sequence[str] | None = None,
        tables: Tables = MappingProxyType({}),
    ):
        self.class_table = class_table
        self.unknown: dict[Path, Counter[str]] = {}
        self._undeclared, self._names, self._tables = undeclared, names, tables
        self._cache = Cache[Decoded](megabytes, lambda found: sum(array.nbytes for array in found))

    def load(self, pair: Pair) -> Decoded:
        """Returns a pair, read from its files or from memory.

        Args:
            pair: Image and mask.

        Returns:
            The whole image, and its mask, which is ignored where the image is nodata.

        Raises:
            InputError: If a file cannot be read, or the mask holds undeclared colours that are
                refused.
        """
        return self._cache.get(pair.image, lambda: self._read(pair))

    def _read(self, pair: Pair) -> Decoded:
        table, codes = self._tables.get(pair.collection, (self.class_table, None))
        with Source(pair.image, alpha=pair.info.alpha, scale=pair.info.scale).open() as raster:
            image, valid = raster.read()
            mask, self.unknown[pair.image] = decode_mask(
                pair.mask, table, self._undeclared, self._names, raster
            )
        mask = mask if codes is None else codes[mask]
        mask[~valid] = IGNORED
        return Decoded(image, valid, mask)


def decode_mask(
    path: Path,
    class_table: ClassTable,
    undeclared: Undeclared = "ignore",
    names: Sequence[str] | None = None,
    image: Raster | None = None,
) -> tuple[NDArray[np.uint8], Counter[str]]:
    """Reads a mask file as class indices.

    Args:
        path: The mask.
        class_table: Class table by which it is decoded.
        undeclared: Whether to ignore values that the class table does not name, or to refuse them.
        names: Classes to count the indices by, if not those of `class_table`, see
            `decode_values`.
        image: Raster on whose grid the mask is read, see `Mask`; by default the mask's own grid.

    Returns:
        Class indices (rows, columns) uint8, 255 where ignored, and a count of undeclared values.

    Raises:
        InputError: If the mask cannot be read (see `Mask`), or if there are undeclared values and
            `undeclared` is "refuse".
    """
    with open_mask(path, image) as mask:
        indices, unknown = decode_values(mask.read(), class_table, names)
    if unknown and undeclared == "refuse":
        listed = ", ".join(f"{name} ({count} px)" for name, count in unknown.most_common(3))
        raise InputError(
            f"{path}: mask holds {listed}, which the class table does not name. Add them to it, or"
            " set data.undeclared=ignore."
        )
    return indices, unknown
