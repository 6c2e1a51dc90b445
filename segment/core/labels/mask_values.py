"""Values and colours of mask pixels: counted, and decoded to classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import IGNORED, ClassTable


@dataclass(frozen=True, eq=False)
class ValueCounts:
    """Pixels of a mask by what they hold.

    Attributes:
        keys: Each value once, or each colour as 0xRRGGBB; sorted.
        counts: Pixels of each, int64.
        bands: Bands of the mask; with one, keys are values.
    """

    keys: NDArray[np.generic]
    counts: NDArray[np.int64]
    bands: int

    @property
    def named(self) -> Counter[str]:
        """Pixels by value or "#RRGGBB"."""
        some = zip(self.keys.tolist(), self.counts.tolist(), strict=True)
        return Counter({_key_name(key, self.bands): count for key, count in some})

    def of_classes(self, class_table: ClassTable) -> NDArray[np.int64]:
        """Returns the pixels of each class index.

        Args:
            class_table: Class table of the mask.

        Returns:
            (256,) int64; what the table does not name, or ignores, is at 255.
        """
        known, _ = _meanings(self.bands, class_table, None)
        pixels = np.zeros(256, np.int64)
        np.add.at(pixels, _indices(self.keys, known), self.counts)
        return pixels


def decode_values(
    mask: NDArray[np.generic], class_table: ClassTable, names: Sequence[str] | None = None
) -> tuple[NDArray[np.uint8], Counter[str]]:
    """Decodes a mask to class indices.

    Args:
        mask: Pixels as `Mask` reads them, (rows, columns, bands). One band holds class values;
            three or four hold `ClassTable.mask_colors`. Masked pixels of a masked array, and
            values that are not finite, are declared nodata.
        class_table: Class table of the mask.
        names: Class names that the indices refer to, such as those of another table; upper and
            lower case count as the same. Classes that are not among them are ignored. By
            default those of `class_table`.

    Returns:
        The class indices, (rows, columns) uint8, 255 where ignored; and the number of pixels of
        each value or "#RRGGBB" that the table does not name. Nodata is not counted, nor is 255
        in one band, which is unlabelled unless a class has that value.
    """
    keys, hidden, bands = _keys(mask), _hidden(mask), mask.shape[2]
    known, silent = _meanings(bands, class_table, names)
    first, lengths = _runs(keys)
    present, of_run = np.unique(first, return_inverse=True)
    runs = _indices(present, known)[of_run]
    indices: NDArray[np.uint8] = np.repeat(runs, lengths).reshape(keys.shape)
    if hidden is None:
        counted = ValueCounts(present, _sums(of_run, lengths, len(present)), bands)
    else:
        indices[hidden] = IGNORED
        counted = _count(keys[~hidden], bands)
    others = ~np.isin(counted.keys, [*known, *silent])
    return indices, ValueCounts(counted.keys[others], counted.counts[others], bands).named


def tally(mask: NDArray[np.generic], where: NDArray[np.bool_] | None = None) -> ValueCounts:
    """Counts the pixels of a mask that are not declared nodata.

    Args:
        mask: Pixels of a mask, see `decode_values`.
        where: Which pixels to count, (rows, columns); None for all.

    Returns:
        The pixels by value or colour.
    """
    keys, hidden = _keys(mask), _hidden(mask)
    if hidden is not None:
        where = ~hidden if where is None else where & ~hidden
    return _count(keys if where is None else keys[where], mask.shape[2])


def count_values(mask: NDArray[np.generic]) -> tuple[Counter[str], Counter[str]]:
    """Counts the pixels of a mask by value or colour.

    Args:
        mask: Pixels of a mask, see `decode_values`.

    Returns:
        The number of pixels of each value or "#RRGGBB", first of those that are not declared
        nodata, then of those that are.
    """
    keys, hidden, bands = _keys(mask), _hidden(mask), mask.shape[2]
    if hidden is None:
        return _count(keys, bands).named, Counter()
    return _count(keys[~hidden], bands).named, _count(keys[hidden], bands).named


def _meanings(
    bands: int, class_table: ClassTable, names: Sequence[str] | None
) -> tuple[dict[int, int], set[int]]:
    """Index of each key that has a class, and the keys that are ignored without a report."""
    wanted = dict.fromkeys((name.casefold() for name in class_table.names), IGNORED)
    wanted |= {name.casefold(): index for index, name in enumerate(names or class_table.names)}
    if bands == 1:
        known = {int(c.value or 0): wanted[c.name.casefold()] for c in class_table.classes}
        return known, {IGNORED, *(int(c.value or 0) for c in class_table.ignored)}
    known = {
        int(k[1:], 16): wanted[c.name.casefold()]
        for k, c in class_table.mask_colors().items()
        if not c.ignore
    }
    return known, {int(c.color[1:], 16) for c in class_table.ignored}


def _indices(keys: NDArray[np.generic], known: dict[int, int]) -> NDArray[np.uint8]:
    return np.array([known.get(key, IGNORED) for key in keys.tolist()], np.uint8)


def _count(keys: NDArray[np.generic], bands: int) -> ValueCounts:
    first, lengths = _runs(keys)
    present, of_run = np.unique(first, return_inverse=True)
    return ValueCounts(present, _sums(of_run, lengths, len(present)), bands)


def _runs(keys: NDArray[np.generic]) -> tuple[NDArray[np.generic], NDArray[np.intp]]:
    """Keys of runs of equal pixels, and their lengths: masks have far fewer runs than pixels."""
    flat = keys.ravel()
    starts = np.flatnonzero(np.append(True, flat[1:] != flat[:-1])[: flat.size])
    return flat[starts], np.diff(starts, append=flat.size)


def _sums(of_run: NDArray[np.intp], lengths: NDArray[np.intp], count: int) -> NDArray[np.int64]:
    return np.bincount(of_run.ravel(), lengths, count).astype(np.int64)


def _keys(mask: NDArray[np.generic]) -> NDArray[np.generic]:
    """A number for each pixel (rows, columns): its value, or its colour as 0xRRGGBB."""
    pixels: NDArray[np.generic] = np.asarray(mask)
    if mask.shape[2] == 1:
        values: NDArray[np.generic] = pixels[..., 0]
        return values
    red, green, blue = (pixels[..., b].astype(np.uint32) for b in range(3))
    colors: NDArray[np.generic] = red << 16 | green << 8 | blue
    return colors


def _hidden(mask: NDArray[np.generic]) -> NDArray[np.bool_] | None:
    """Where a mask is declared nodata or not finite, (rows, columns); None where no pixel is."""
    hidden = np.zeros(mask.shape[:2], bool)
    if isinstance(mask, np.ma.MaskedArray):
        hidden |= np.broadcast_to(mask.mask, mask.shape)[..., 0]
    if mask.dtype.kind == "f":
        hidden |= ~np.isfinite(np.asarray(mask)[..., 0])
    return hidden if hidden.any() else None


def _key_name(key: float, bands: int) -> str:
    return f"{key:g}" if bands == 1 else f"#{key:06X}"
