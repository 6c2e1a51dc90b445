"""Pixel grids: where the pixels of a raster are on the ground, and how large they are there."""

import math
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


class PixelGrid:
    """A grid of height x width pixels.

    Attributes:
        height: Number of rows.
        width: Number of columns.
        crs: CRS as rasterio reads it, None without a georeference.
        transform: Affine transform as rasterio reads it, from columns and rows to coordinates of
            the CRS; the identity without a georeference.
    """

    def __init__(self, height: int, width: int, crs: Any, transform: Any):
        """Describes a grid.

        Args:
            height: Number of rows.
            width: Number of columns.
            crs: CRS as rasterio reads it, or None.
            transform: Affine transform as rasterio reads it.
        """
        self.height, self.width, self.crs, self.transform = height, width, crs, transform

    def window(self, top: int, left: int, height: int, width: int) -> "PixelGrid":
        """Returns the grid of a rectangle of this one.

        Args:
            top: First row of the rectangle.
            left: First column of the rectangle.
            height: Rows of the rectangle.
            width: Columns of the rectangle.

        Returns:
            The grid of the rectangle, with the same CRS.
        """
        return PixelGrid(
            height, width, self.crs, self.transform @ type(self.transform).translation(left, top)
        )

    @cached_property
    def pixel_area(self) -> float | None:
        """Area of every pixel in square metres, None unless the CRS is projected and true to area.

        True to area means within 1 % of the geodesic area in the middle of the grid. UTM is;
        Mercator away from the equator is not. A projected CRS without a geodesic area counts as
        true to area.
        """
        if self.crs is None or not self.crs.is_projected:
            return None
        planar: float = abs(self.transform.determinant) * self.crs.linear_units_factor[1] ** 2
        true = self._geodesic_areas(self.height // 2, self.height // 2 + 1)
        return planar if true is None or abs(planar / true[0] - 1) < 0.01 else None

    def row_pixel_areas(self, start: int, stop: int) -> NDArray[np.float64] | None:
        """Computes the area of a pixel in each of some rows.

        Where the CRS is not true to area, the area is geodesic on its ellipsoid, from the pixel in
        the middle of the row.

        Args:
            start: First row.
            stop: Row after the last.

        Returns:
            Square metres, (stop - start,) float64. None without a CRS, or where the CRS or the
            transform gives no area on the earth.
        """
        if self.crs is None:
            return None
        return (
            self._geodesic_areas(start, stop)
            if self.pixel_area is None
            else np.full(stop - start, self.pixel_area)
        )

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
        """Returns what is needed to measure on the ellipsoid of the CRS.

        Returns:
            A function that converts (xs, ys) of the CRS to degrees, and the ellipsoid
            (pyproj.Geod). None where the CRS has no ellipsoid.
        """
        return _geodetic(self.crs.to_wkt() if hasattr(self.crs, "to_wkt") else self.crs)

    @property
    def ground_sampling_distance(self) -> float | None:
        """Metres per pixel, the root of the pixel's area in the middle row.

        None without a CRS, or where the CRS or the transform gives no area on the earth.
        """
        areas = self.row_pixel_areas(self.height // 2, self.height // 2 + 1)
        return None if areas is None else math.sqrt(areas[0])

    def grid_position(self, height: int, width: int) -> tuple[int, int]:
        """Returns the position of the first pixel, counted from the origin of the CRS.

        Scenes on one pixel grid thus number their pixels alike. The raster may be resampled: it is
        taken to have the given size.

        Args:
            height: Rows that the raster would have.
            width: Columns that the raster would have.

        Returns:
            Row and column of the first pixel, in pixels of that size; (0, 0) without a
            georeference.
        """
        if self.crs is None and self.transform.is_identity:
            return 0, 0
        column, row = ~self.transform @ (0, 0)
        # grids are often aligned to whole or half pixels: both must round alike in every scene
        return math.floor(0.25 - row * height / self.height), math.floor(
            0.25 - column * width / self.width
        )


@lru_cache(maxsize=32)
def _geodetic(crs: str) -> tuple[Any, Any] | None:
    """See `PixelGrid.geodetic`; kept, because thousands of tiles have one CRS."""
    from pyproj import CRS, Transformer

    found = CRS.from_user_input(crs)
    geod = found.get_geod()
    if geod is None or found.geodetic_crs is None:
        return None
    return Transformer.from_crs(found, found.geodetic_crs, always_xy=True).transform, geod
