"""Rasters at a smaller size, from their overviews or from all their pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.pixels.geometry import Reduction
from segment.core.raster.reader import Raster, readable


def read_reduced(
    raster: Raster,
    height: int,
    width: int,
    damaged: bool = False,
    region: tuple[int, int, int, int] | None = None,
    begun: Reduction | None = None,
) -> NDArray[Any]:
    """Reads the whole raster, or a rectangle of it, at a smaller size.

    Each pixel is the mean of those that it covers; pixels that are not valid may count as 0.
    Overviews are used where there are some. Without them, the file is read forward only, unlike
    GDAL's resampling, which decodes a PNG many times over.

    Args:
        raster: The open raster.
        height: Rows of the result, at most those of the rectangle.
        width: Columns of the result, at most those of the rectangle.
        damaged: Whether rows that cannot be decoded are 0 instead of an error. Overviews are
            then not used.
        region: Top, bottom, left and right of the rectangle, by default of the whole raster.
        begun: The same picture, to which rows were added already, or None.

    Returns:
        Pixels (height, width, bands).

    Raises:
        InputError: If the file cannot be decoded, unless `damaged`.
    """
    from rasterio.enums import Resampling

    top, bottom, left, right = region or (0, raster.height, 0, raster.width)
    if raster.has_overviews and not damaged:
        with readable(raster.path):
            shape = (len(raster.bands), *raster.orientation.size(height, width))
            found: NDArray[Any] = raster.dataset.read(
                raster.bands,
                window=raster.stored_window(top, left, bottom - top, right - left),
                out_shape=shape,
                resampling=Resampling.average,
            )
        turned = np.ascontiguousarray(raster.orientation.turn(found.transpose(1, 2, 0)))
        return turned if raster.scale is None else raster.scale.apply(turned)

    def read(start: int, rows: int) -> NDArray[Any]:
        try:
            return raster.read(start, left, rows, right - left)[0]
        except InputError:
            if not damaged:
                raise
            return np.zeros((rows, right - left, len(raster.bands)), raster.dtype)

    return (begun or Reduction((top, bottom, left, right), height, width)).filled(read)
