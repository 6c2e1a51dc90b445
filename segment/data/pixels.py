"""Pixels of images with their decoded masks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.config import Undeclared
from segment.core.errors import InputError
from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.labels.mask_values import decode_values
from segment.core.labels.masks import open_mask
from segment.core.pixels.cache import Cache
from segment.core.raster.reader import Raster
from segment.data.pairs.decoded import Decoded
from segment.data.pairs.pair import Pair
from segment.data.pairs.scene_pixels import Readable, ScenePixels

Tables = Mapping[str, tuple[ClassTable, NDArray[np.uint8]]]
"""Class table of each collection, and (256,) codes of what its classes admit, see `LabelSets`."""

_FEWEST_OF_SCENES = 256  # megabytes, two rows of chunks of a scene of 100,000 px


class TilePixels:
    """Decoded images and masks of pairs; the most recently used ones are kept in memory.

    It can be used from several threads.

    Args:
        class_table: Class table by which masks are decoded.
        undeclared: Whether to ignore mask colours that no class has, or to refuse them.
        megabytes: Most memory for the images that are kept; one image is kept in any case. Windows
            of scenes have as much, and 256 MB at least.
        names: Classes to count the indices by, if not those of `class_table`.
        tables: Class tables and codes of collections, used in place of `class_table`.

    Attributes:
        class_table: Class table by which masks are decoded.
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
        self._unknown: dict[Path, Counter[str]] = {}
        self._scenes: dict[Path, ScenePixels] = {}
        self._undeclared, self._names, self._tables = undeclared, names, tables
        self._cache = Cache[Decoded](megabytes, _size)
        self._chunks = Cache[Decoded](max(megabytes, _FEWEST_OF_SCENES), _size)

    @property
    def unknown(self) -> dict[Path, Counter[str]]:
        """By path of the image, what is read so far that no class has, see `decode_values`."""
        return self._unknown | {path: scene.unknown for path, scene in self._scenes.items()}

    def load(self, pair: Pair) -> Readable:
        """Returns a pair, read from its files or from memory.

        Args:
            pair: Image and mask.

        Returns:
            The whole image, and its mask, which is ignored where the image is nodata. A scene is
            only opened, and read by windows.

        Raises:
            InputError: If a file cannot be read, or the mask holds undeclared colours that are
                refused.
        """
        if pair.scene is None:
            return self._cache.get(pair.image, lambda: self._read(pair))
        if pair.image not in self._scenes:
            decode = partial(self._decode, pair)
            self._scenes.setdefault(pair.image, ScenePixels(pair, decode, self._chunks))
        return self._scenes[pair.image]

    def _read(self, pair: Pair) -> Decoded:
        with pair.source.open() as raster, pair.open_labels(raster) as labels:
            image, valid = raster.read()
            mask, self._unknown[pair.image] = self._decode(pair, labels.read())
        mask[~valid] = IGNORED
        return Decoded(image, valid, mask)

    def _decode(self, pair: Pair, stored: NDArray[Any]) -> tuple[NDArray[np.uint8], Counter[str]]:
        table, codes = self._tables.get(pair.collection, (self.class_table, None))
        indices, unknown = decode_values(stored, table, self._names)
        if self._undeclared == "refuse":
            refuse_undeclared(pair.mask, unknown)
        return (indices if codes is None else codes[indices]), unknown


def _size(found: Decoded) -> int:
    return sum(array.nbytes for array in found)


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
    if undeclared == "refuse":
        refuse_undeclared(path, unknown)
    return indices, unknown


def refuse_undeclared(path: Path, unknown: Counter[str]) -> None:
    """Refuses a mask that holds what the class table does not name.

    Args:
        path: The mask.
        unknown: Pixels by value or colour that the class table does not name.

    Raises:
        InputError: If there are any.
    """
    if unknown:
        listed = ", ".join(f"{name} ({count} px)" for name, count in unknown.most_common(3))
        raise InputError(
            f"{path}: mask holds {listed}, which the class table does not name. Add them to it, or"
            " set data.undeclared=ignore."
        )
