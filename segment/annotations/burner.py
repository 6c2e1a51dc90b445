"""Burning of polygons into windows of a grid."""

import hashlib

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.features import rasterize

from segment.annotations.shapes import Shapes

_FARTHEST = 2.0**30  # pixels: GDAL burns nothing of polygons beyond 32 bits


class Burner:
    """Burns polygons into windows of a grid.

    A pixel belongs to the polygons that hold its centre. Later polygons cover earlier ones. The
    pixels do not depend on the window that they are burned in: columns and rows are those that
    `rasterio.features.rasterize` calculates for the whole grid, less whole numbers.
    """

    def __init__(self, polygons: Shapes, values: NDArray[np.uint8]):
        """Prepares the polygons.

        Args:
            polygons: Polygons, the lowest first.
            values: Value of each, (shapes,) uint8.
        """
        self._polygons, self._values = polygons.geometries.copy(), values
        self._bounds = shapely.bounds(self._polygons).reshape(-1, 4)
        far = (np.abs(self._bounds) > _FARTHEST).any(axis=1)
        within = shapely.box(-_FARTHEST, -_FARTHEST, _FARTHEST, _FARTHEST)
        self._polygons[far] = shapely.intersection(self._polygons[far], within)
        # GDAL goes round a ring as it turns on the ground, which decides pixels on its edge
        self._down = -1 if polygons.mirrored else 1

    @property
    def digest(self) -> str:
        """SHA-256 of polygons and values, in hexadecimal digits.

        Of a Shapefile or a database, the time of one file does not show each change.
        """
        held = b"".join([self._values.tobytes(), *shapely.to_wkb(self._polygons).tolist()])
        return hashlib.sha256(held).hexdigest()

    def burn(self, row: int, height: int, column: int, width: int, fill: int) -> NDArray[np.uint8]:
        """Burns the polygons into a window.

        Args:
            row: First row.
            height: Number of rows.
            column: First column.
            width: Number of columns.
            fill: Value of pixels in no polygon, 0 to 255.

        Returns:
            Values, (height, width) uint8.
        """
        left, top, right, bottom = self._bounds.T
        touched = (right >= column) & (left <= column + width)
        touched &= (bottom >= row) & (top <= row + height)
        if not touched.any():
            return np.full((height, width), fill, np.uint8)
        offset, scale = np.array([column, row], float), np.array([1.0, self._down])
        moved = shapely.transform(self._polygons[touched], lambda xy: (xy - offset) * scale)
        burned: NDArray[np.uint8] = rasterize(
            zip(moved, self._values[touched].tolist(), strict=True),
            out_shape=(height, width),
            transform=Affine.scale(1, self._down),
            fill=fill,
            dtype=np.uint8,
        )
        return burned
