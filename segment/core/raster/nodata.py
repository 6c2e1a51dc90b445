"""Nodata values that users state, and those that files hold without declaring them."""

import math
import re
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError, quoted

Nodata = float | tuple[float, float]
"""A value that means "no data" in all bands, or the ends of a range of such values."""

_NUMBER = r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|nan)"
_OPTION = re.compile(rf"\s*({_NUMBER})(?:-({_NUMBER}))?\s*", re.IGNORECASE)

_MOST_ROWS = 256  # read at a time
_SMALLEST = 0.01  # smallest share of a scene that is reported
_BLUR = 3  # levels of 8 bits by which lossy compression changes a flat area
_BLURRED = 0.02  # share by which such levels enlarge it, from which a range is named
# values that other programs write where there is no data, besides 0 and the ends of the type
_CUSTOMARY = (-9999.0, -32768.0, -999.0, -99999.0)


def parse_nodata(text: str | None) -> Nodata | None:
    """Parses the option --nodata.

    Args:
        text: A number such as "-9999", or two with a dash between, such as "0-3" or "-10--5"; None
            where the option is not given.

    Returns:
        The value, or the ends of the range; None where the option is not given.

    Raises:
        InputError: If the text is neither.
    """
    if text is None:
        return None
    found = _OPTION.fullmatch(text)
    if found is None:
        raise InputError(
            f"--nodata: {quoted(text)} is neither a value nor a range. Write e.g. 0, -9999, 0-3 or"
            " -10--5."
        )
    low, high = found.groups()
    return check_nodata(float(low) if high is None else (float(low), float(high)))


def check_nodata(nodata: Any) -> Nodata | None:
    """Checks a nodata value or range.

    Args:
        nodata: A number, the two ends of a range, or None.

    Returns:
        The same as a float or a pair of floats; None for None.

    Raises:
        InputError: If it is something else, or the range is empty.
    """
    if nodata is None or (isinstance(nodata, (int, float)) and not isinstance(nodata, bool)):
        return None if nodata is None else float(nodata)
    ends = list(nodata) if isinstance(nodata, (tuple, list)) else []
    if len(ends) == 2 and all(isinstance(end, (int, float)) for end in ends):
        low, high = map(float, ends)
        if low <= high:
            return low if low == high else (low, high)
        raise InputError(
            f"--nodata: {low:g}-{high:g} goes down. Write the smaller value first: {high:g}-{low:g}"
        )
    raise InputError(
        f"nodata: a number, or a pair (lowest, highest). Received {quoted(nodata)}. Give e.g. 0 or"
        " (0, 3)."
    )


def is_nodata(pixels: NDArray[Any], nodata: Nodata) -> NDArray[np.bool_]:
    """Finds pixels whose value is nodata in all bands.

    Args:
        pixels: Pixels (..., bands).
        nodata: Value or range.

    Returns:
        Whether each pixel is nodata, (...).
    """
    if not isinstance(nodata, tuple):
        return np.asarray((pixels == nodata).all(axis=-1))
    low, high = nodata
    if pixels.dtype.kind == "f":
        with np.errstate(over="ignore"):  # an end beyond what the type holds is infinite
            low, high = (pixels.dtype.type(end) for end in nodata)
    return np.asarray(((pixels >= low) & (pixels <= high)).all(axis=-1))


def undeclared_nodata(
    pixels: NDArray[Any], valid: NDArray[np.bool_], extent: str = "scene"
) -> str | None:
    """Finds a value at the border of a scene that seems to mean "no data".

    It is 0, an end of the data type or another customary value in all bands, or close to it after
    lossy compression, and fills an area from the border that no nodata value or mask hides.

    Args:
        pixels: The scene at a reduced size, by nearest neighbour, (rows, columns, bands).
        valid: Which of these pixels are not hidden, (rows, columns).
        extent: What the sentence calls the extent of these pixels.

    Returns:
        A sentence with the value, its share and the cure; None where there is no such value.
    """
    border = np.concatenate([a[v] for a, v in zip(_sides(pixels), _sides(valid), strict=True)])
    found = [
        one
        for value in _candidates(pixels.dtype)
        if is_nodata(border, near := _near(value, pixels.dtype)).any()
        and (one := _share_from_border(pixels, valid, value, near))
    ]
    if not found:
        return None
    share, nodata = max(found, key=lambda one: one[0])
    ends = [format_value(end) for end in (nodata if isinstance(nodata, tuple) else (nodata,))]
    return (
        f"{share:.0%} of the {extent}, from its border, is {' to '.join(ends)}"
        f"{' in all bands' if pixels.shape[2] > 1 else ''}, which the file does not declare as"
        f" nodata: it is used. If it means no data, leave it out: --nodata {'-'.join(ends)}"
    )


def describe_nodata(nodata: Nodata) -> str:
    """Formats a nodata value or range for a report.

    Args:
        nodata: The value or range.

    Returns:
        Such as "0", or "0 to 3".
    """
    ends = nodata if isinstance(nodata, tuple) else (nodata,)
    return " to ".join(map(format_value, ends))


def read_sparsely(
    dataset: Any,
    read: Callable[..., NDArray[Any]],
    bands: Sequence[int],
    shape: tuple[int, int],
    window: Any,
) -> NDArray[Any]:
    """Reads pixels that are spread evenly over a part of a raster.

    Without overviews, whole rows are read and thinned out, from top to bottom: GDAL's own thinning
    decodes the blocks of a compressed file many times.

    Args:
        dataset: An open rasterio dataset.
        read: Its method `read` or `read_masks`.
        bands: Numbers of the bands.
        shape: Rows and columns of the result.
        window: The part, a window of rasterio.

    Returns:
        Values (bands, rows, columns).
    """
    from rasterio.windows import Window

    if dataset.overviews(bands[0]):
        return read(bands, window=window, out_shape=(len(bands), *shape))
    rows, columns = (
        ((np.arange(count) + 0.5) * size / count).astype(int)
        for count, size in zip(shape, (window.height, window.width), strict=True)
    )
    rows += window.row_off
    block, found = dataset.block_shapes[0][0], []
    for _, group in groupby(rows, lambda row: (row // block, row // _MOST_ROWS)):
        wanted = np.array(list(group))
        part = Window(window.col_off, wanted[0], window.width, wanted[-1] - wanted[0] + 1)
        found.append(read(bands, window=part)[:, wanted - wanted[0]][..., columns])
    return np.concatenate(found, axis=1)


def format_value(value: float) -> str:
    """Formats a value so that it is read back as the same.

    Args:
        value: The value.

    Returns:
        The shortest text, without a fraction for whole numbers.
    """
    is_whole = math.isfinite(value) and value == int(value) and abs(value) < 1e15
    return str(int(value)) if is_whole else repr(value)


def _candidates(dtype: "np.dtype[Any]") -> Sequence[float]:
    if dtype.kind == "f":
        return (0.0, *_CUSTOMARY, float(np.finfo(dtype).min))
    ends = np.iinfo(dtype)
    customary = [value for value in _CUSTOMARY if ends.min < value]
    return tuple(dict.fromkeys((0.0, float(ends.max), float(ends.min), *customary)))


def _near(value: float, dtype: "np.dtype[Any]") -> Nodata:
    """The range that lossy compression makes of a value, or the value where it makes none."""
    if dtype != np.uint8:
        return value
    return (0.0, float(_BLUR)) if value == 0 else (value - _BLUR, value)


def _share_from_border(
    pixels: NDArray[Any], valid: NDArray[np.bool_], value: float, near: Nodata
) -> tuple[float, Nodata] | None:
    """Share of the scene that is a value from its border, with the value or range to name."""
    exact = _from_border(is_nodata(pixels, value) & valid)
    blurred = _from_border(is_nodata(pixels, near) & valid) if near != value else exact
    nodata = near if blurred.sum() > (1 + _BLURRED) * exact.sum() else value
    share = float((exact if nodata == value else blurred).mean())
    return (share, nodata) if share >= _SMALLEST else None


def _sides(values: NDArray[Any]) -> list[NDArray[Any]]:
    """First and last row, first and last column."""
    return [values[0], values[-1], values[:, 0], values[:, -1]]


def _from_border(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keeps those of the chosen pixels that are connected with the border."""
    import cv2

    areas = np.asarray(cv2.connectedComponents(chosen.astype(np.uint8), connectivity=4)[1])
    border = np.concatenate(_sides(areas))
    return np.isin(areas, np.unique(border[border > 0]))
