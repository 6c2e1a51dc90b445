"""Images at another size."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_RESIZED_BY_OPENCV = (np.uint8, np.uint16, np.int16, np.float32, np.float64)


def resize(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """An image (rows, columns, bands) with `height` rows and `width` columns, in its dtype.

    Means of the pixels covered where it shrinks both ways, bilinear otherwise. Any number of bands, any real dtype.
    """
    rows, columns, bands = pixels.shape
    interpolation = cv2.INTER_AREA if height <= rows and width <= columns else cv2.INTER_LINEAR
    dtype = pixels.dtype
    source = pixels if dtype in _RESIZED_BY_OPENCV else pixels.astype(np.float64)
    resized = np.empty((height, width, bands), source.dtype)
    for first in range(0, bands, 4):  # OpenCV averages no more at a time
        group = np.ascontiguousarray(source[..., first : first + 4])
        resized[..., first : first + 4] = cv2.resize(group, (width, height), interpolation=interpolation).reshape(
            height, width, -1
        )
    return (np.rint(resized) if dtype.kind in "iub" and resized.dtype == np.float64 else resized).astype(dtype, copy=False)
