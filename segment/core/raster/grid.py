"""Where the pixels of a raster lie on the ground, and how large they are there."""

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


class PixelGrid:
    """A grid of height x width pixels.

    crs, transform: as rasterio reads them; `crs` is None and `transform` the identity where there is no georeference.
    """

    def __init__(self, height: int, width: int, crs: Any, transform: Any):
        self.height, self.width, self.crs, self.transform = height, width, crs, transform

    def window(self, top: int, left: int, height: int, width: int) -> "PixelGrid":
        """The grid of a rectangle of this one."""
        return PixelGrid(height, width, self.crs, self.transform @ type(self.transform).translation(left, top))

    @cached_property
    def pixel_area(self) -> float | None:
        """Square metres of every pixel where the CRS is projected and true to area, else None.

        True to area: within 1 % of the geodesic area in the middle. UTM is, Mercator away from the equator is not.
        """
        if self.crs is None or not self.crs.is_projected:
            return None
        planar: float = abs(self.transform.determinant) * self.crs.linear_units_factor[1] ** 2
        true = self._geodesic_areas(self.height // 2, self.height // 2 + 1)
        return planar if true is None or abs(planar / true[0] - 1) < 0.01 else None

    def row_pixel_areas(self, start: int, stop: int) -> NDArray[np.float64] | None:
        """Square metres of a pixel in each of the rows, None without a CRS.

        Where the CRS is not true to area: geodesic on its ellipsoid, from the pixel in the middle of the row.
        """
        if self.crs is None:
            return None
        return self._geodesic_areas(start, stop) if self.pixel_area is None else np.full(stop - start, self.pixel_area)

    def _geodesic_areas(self, start: int, stop: int) -> NDArray[np.float64] | None:
        geodetic = self.geodetic()
        if geodetic is None:
            return None
        to_degrees, geod = geodetic
        column, areas = self.width // 2, np.empty(stop - start)
        for i, row in enumerate(range(start, stop)):
            corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]
            xs, ys = zip(*(self.transform @ corner for corner in corners), strict=True)
            areas[i] = abs(geod.polygon_area_perimeter(*to_degrees(xs, ys))[0])
        return areas if np.isfinite(areas).all() else None  # a transform that leads off the globe

    def geodetic(self) -> tuple[Any, Any] | None:
        """What turns (xs, ys) of the CRS into degrees, and its ellipsoid (pyproj.Geod); None where it has none."""
        from pyproj import CRS, Transformer

        crs = CRS.from_user_input(self.crs)
        geod = crs.get_geod()
        if geod is None or crs.geodetic_crs is None:
            return None
        return Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform, geod

    @property
    def ground_sampling_distance(self) -> float | None:
        """Metres per pixel (root of the pixel's area in the middle row), None without a CRS."""
        areas = self.row_pixel_areas(self.height // 2, self.height // 2 + 1)
        return None if areas is None else math.sqrt(areas[0])

    def grid_position(self, height: int, width: int) -> tuple[int, int]:
        """Row and column of the first pixel, counted from the origin of the CRS, if the raster had height x width pixels.

        Scenes of one pixel grid then number their pixels alike. (0, 0) without a georeference.
        """
        if self.crs is None and self.transform.is_identity:
            return 0, 0
        column, row = ~self.transform @ (0, 0)
        # pixels are often aligned to wholes or halves: neither must round one way here and the other way there
        return math.floor(0.25 - row * height / self.height), math.floor(0.25 - column * width / self.width)
