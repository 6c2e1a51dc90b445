"""Pixels of scenes by which their scale is chosen, and scenes that the scale does not suit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.pixels.band_scale import BandScale, without_fill
from segment.core.raster.reader import Raster

_WINDOW = 64  # edge of the windows that are read to choose a scale, pixels
_MOST_ALONG = 16  # windows along an edge: smaller scenes are read whole
_NARROW = 0.1  # share of a scale below which the values of a scene are narrow


def warn_of_narrow(
    values: Sequence[NDArray[Any]], names: Sequence[str], scale: BandScale
) -> str | None:
    """Finds scenes whose values take a small part of the scale of all, as other units do.

    Args:
        values: Pixels (pixels, bands) of each scene.
        names: Their names.
        scale: Scale of all of them.

    Returns:
        A warning that names the first of them; None where there is none, or one scene only.
    """
    span, narrow = np.subtract(scale.high, scale.low).max(), []
    for found, name in zip(values, names, strict=True):
        kept = found[without_fill(found)]
        if len(kept) and len(values) > 1:
            ends = np.percentile(kept.astype(np.float64), (1, 99))
            if ends[0] < ends[1] < ends[0] + _NARROW * span:
                narrow.append((name, (ends[1] - ends[0]) / span))
    if not narrow:
        return None
    name, share = narrow[0]
    return (
        f"warning: {len(narrow)} of {len(values)} scenes of {scale.dtype}, such as {name}, take a"
        f" small part of the scale of all ({share:.2%}). If their numbers are in other units, map"
        " them by themselves, or with another --scale."
    )


def sample(raster: Raster, most: int) -> tuple[NDArray[Any], int]:
    """Reads windows of a scene from top to bottom, or all of a small one.

    Args:
        raster: The open scene.
        most: Largest number of pixels to read.

    Returns:
        The valid pixels (pixels, bands), and how many were read.

    Raises:
        InputError: If the file cannot be decoded there.
    """
    along = min(max(int(most**0.5) // _WINDOW, 1), _MOST_ALONG)
    found, read = [np.empty((0, len(raster.bands)), raster.dtype)], 0
    in_rows = raster.dataset.block_shapes[0][1] >= raster.dataset.width
    for top, height in _windows(raster.height, along):
        # files of whole rows would decode them for each window again
        rows = raster.read(top, height=height) if in_rows else None
        for left, width in _windows(raster.width, along):
            if rows is None:
                pixels, valid = raster.read(top, left, height, width)
            else:
                pixels, valid = (array[:, left : left + width] for array in rows)
            found.append(pixels[valid])
            read += height * width
    return np.concatenate(found), read


def _windows(length: int, most: int) -> list[tuple[int, int]]:
    """First pixel and length of windows along an edge: side by side, or spread evenly."""
    count = -(-length // _WINDOW)
    if count <= most:
        return [(i * _WINDOW, min(_WINDOW, length - i * _WINDOW)) for i in range(count)]
    starts = [int((i + 0.5) * length / most) - _WINDOW // 2 for i in range(most)]
    return [(start, _WINDOW) for start in starts]
