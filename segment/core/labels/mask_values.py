"""Values and colours of mask pixels: counted, and decoded to classes."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segment.core.labels.classes import IGNORED, ClassTable


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
    wanted = dict.fromkeys((name.casefold() for name in class_table.names), IGNORED)
    wanted |= {name.casefold(): index for index, name in enumerate(names or class_table.names)}
    keys, hidden = _keys(mask), _hidden(mask)
    if mask.shape[2] == 1:
        known = {int(c.value or 0): wanted[c.name.casefold()] for c in class_table.classes}
        silent = {IGNORED, *(int(c.value or 0) for c in class_table.ignored)}
    else:
        known = {
            int(k[1:], 16): wanted[c.name.casefold()]
            for k, c in class_table.mask_colors().items()
            if not c.ignore
        }
        silent = {int(c.color[1:], 16) for c in class_table.ignored}
    present, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    indices = np.array([known.get(k, IGNORED) for k in present.tolist()], np.uint8)[
        inverse
    ].reshape(keys.shape)
    if hidden is not None:
        indices[hidden] = IGNORED
        counts = np.bincount(inverse.ravel()[~hidden.ravel()], minlength=len(present))
    undeclared: Counter[str] = Counter()
    for key, count in zip(present.tolist(), counts.tolist(), strict=True):
        if count and key not in known and key not in silent:
            undeclared[_key_name(key, mask)] += count
    return indices, undeclared


def count_values(mask: NDArray[np.generic]) -> tuple[Counter[str], Counter[str]]:
    """Counts the pixels of a mask by value or colour.

    Args:
        mask: Pixels of a mask, see `decode_values`.

    Returns:
        The number of pixels of each value or "#RRGGBB", first of those that are not declared
        nodata, then of those that are.
    """
    keys, hidden = _keys(mask), _hidden(mask)
    if hidden is None:
        return _count(keys, mask), Counter()
    return _count(keys[~hidden], mask), _count(keys[hidden], mask)


def _count(keys: NDArray[np.generic], mask: NDArray[np.generic]) -> Counter[str]:
    present, counts = np.unique(keys, return_counts=True)
    return Counter(
        {
            _key_name(key, mask): count
            for key, count in zip(present.tolist(), counts.tolist(), strict=True)
        }
    )


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


def _key_name(key: float, mask: NDArray[np.generic]) -> str:
    return f"{key:g}" if mask.shape[2] == 1 else f"#{key:06X}"
