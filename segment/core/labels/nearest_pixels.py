"""Nearest neighbour from one pixel grid to another over the same ground."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.raster.georeference import conversion, crs_name, describe_error
from segment.core.raster.grid import PixelGrid

SAME = 0.25
"""Pixels by which corners of the same grid may differ between two files."""

_STEP = 16  # pixels between nodes that are converted to another CRS; others are interpolated
_TIE = 1e-6  # pixels: centres on a border fall to one side, however a transform is rounded
_MOST_PIXELS = 1 << 22  # read or converted at a time

Read = Callable[[int, int, int, int], tuple[NDArray[Any], NDArray[np.bool_]]]


class NearestPixels:
    """Finds the mask pixel that holds the centre of each image pixel.

    Both are placed on the ground by their transforms and CRSs. The result for a pixel does not
    depend on the window that it is requested in.

    Attributes:
        is_comparable: Whether the CRSs are the same or can be converted into each other. Otherwise
            they are taken to be the same.
    """

    def __init__(self, mask: PixelGrid, image: PixelGrid):
        """Prepares the conversion between two grids.

        Args:
            mask: Grid of the mask.
            image: Grid of the image.
        """
        self._mask, self._image = mask, image
        self.is_comparable, self._convert = conversion(image.crs, mask.crs)
        self._to_mask = ~mask.transform
        self._is_round = mask.crs is not None and mask.crs.is_geographic
        self._middle = (mask.transform @ (mask.width / 2, mask.height / 2))[0]
        # longitudes are continuous around the middle of the image, wherever the CRS wraps
        if self._is_round:
            self._seam = 0.0
            self._seam = float(
                self._ground(np.array(image.width / 2), np.array(image.height / 2))[0]
            )

    def gather(
        self, read: Read, pixels: NDArray[Any], labelled: NDArray[np.bool_], row: int, column: int
    ) -> None:
        """Fills a window of the image with the nearest pixels of the mask.

        Pixels outside the mask are left as they are.

        Args:
            read: Reads a rectangle (row, column, height, width) of the mask. It returns the pixels
                (height, width, bands) and whether each is labelled (height, width).
            pixels: Window to fill, (rows, columns, bands).
            labelled: Whether each pixel of the window is labelled, (rows, columns) bool; filled
                too.
            row: Row of the first pixel of the window in the image.
            column: Column of the first pixel of the window in the image.
        """
        size = 0
        if labelled.size <= _MOST_PIXELS:
            rows, columns = self._positions(row, column, *labelled.shape)
            inside = (
                (rows >= 0)
                & (rows < self._mask.height)
                & (columns >= 0)
                & (columns < self._mask.width)
            )
            if not inside.any():
                return
            rows, columns = rows[inside].astype(np.intp), columns[inside].astype(np.intp)
            top, left = int(rows.min()), int(columns.min())
            height, width = int(rows.max()) + 1 - top, int(columns.max()) + 1 - left
            size = height * width
        if labelled.size > 1 and max(size, labelled.size) > _MOST_PIXELS:
            for part in _halves(*labelled.shape):
                self.gather(
                    read, pixels[part], labelled[part], row + part[0].start, column + part[1].start
                )
            return
        stored, stored_labelled = read(top, left, height, width)
        pixels[inside] = stored[rows - top, columns - left]
        labelled[inside] = stored_labelled[rows - top, columns - left]

    def shift(self) -> float:
        """Measures how far the image is from lying pixel by pixel on the mask.

        Returns:
            The largest distance along a row or a column, in pixels of the mask, between a corner or
            the middle of the image and the same pixel of the mask. Infinite where a point cannot be
            converted.
        """
        columns, rows = (
            np.array([0, 0, 1, 1, 0.5]) * self._image.width,
            np.array([0, 1, 0, 1, 0.5]) * self._image.height,
        )
        xs, ys = self._to_pixels(*self._ground(columns, rows))
        return float(np.nan_to_num(np.maximum(abs(xs - columns), abs(ys - rows)), nan=np.inf).max())

    def missing(self) -> float:
        """Measures the share of the image's pixels that the mask does not hold.

        All pixels count in an image of up to 1024 x 1024 pixels (256 x 256 where the CRSs differ);
        a larger image is sampled on a grid of that size.

        Returns:
            The share, 0 to 1. It is below 1 where the mask holds some pixel, however small it is
            compared with the image.
        """
        share = self._outside()
        if share == 1 and NearestPixels(self._image, self._mask)._outside() < 1:
            return 1 - 1 / (self._image.width * self._image.height + 1)
        return share

    def difference(self) -> str:
        """Describes how the grid of the mask differs from that of the image.

        Returns:
            The differences (CRS, rotation, pixel size, shift, or else the two sizes), separated by
            commas.
        """
        mask, image = self._mask, self._image
        columns, rows = np.array([0.0, image.width, 0]), np.array([0.0, 0, image.height])
        xs, ys = self._to_pixels(*self._ground(columns, rows))
        along, down = (xs[1] - xs[0]) / image.width, (ys[2] - ys[0]) / image.height
        turned = abs((ys[1] - ys[0]) / image.width), abs((xs[2] - xs[0]) / image.height)
        times = 1 / max(
            abs(along * down - (ys[1] - ys[0]) * (xs[2] - xs[0]) / image.width / image.height)
            ** 0.5,
            1e-12,
        )
        found = (
            [f"in {crs_name(mask.crs)}, the image in {crs_name(image.crs)}"]
            if self._convert
            else []
        )
        if max(turned) * times > 0.05:
            found.append("rotated")
        elif down < 0:
            found.append(
                "stored south-up" if mask.transform.e > 0 else "the image is stored south-up"
            )
        elif along < 0:
            found.append("mirrored")
        if abs(times - 1) > 0.01:
            found.append(f"pixels {times:.3g} times as large")
        if not found and max(abs(xs[0]), abs(ys[0])) > SAME:
            found.append(
                f"shifted by {0.0 - xs[0].round(2):.7g} columns and {0.0 - ys[0].round(2):.7g} rows"
            )
        return (
            ", ".join(found)
            or f"{mask.width}x{mask.height} pixels, the image {image.width}x{image.height}"
        )

    def describe_error(self) -> str:
        """Describes a conversion that may miss the right place, see `describe_error`.

        Returns:
            How far it may miss; empty where none is needed, or it is exact enough.
        """
        if self._convert is None:
            return ""
        return describe_error(self._convert, self._image.ground_sampling_distance)

    def _outside(self) -> float:
        most = 256 if self._convert else 1024
        height, width = self._image.height, self._image.width
        rows, columns = (
            np.linspace(0, size - 1, min(size, most)).round() + 0.5 for size in (height, width)
        )
        xs, ys = self._to_pixels(*self._ground(*np.meshgrid(columns, rows)))
        with np.errstate(invalid="ignore"):
            xs, ys = np.floor(xs + _TIE), np.floor(ys + _TIE)
            inside = (xs >= 0) & (xs < self._mask.width) & (ys >= 0) & (ys < self._mask.height)
        return float(1 - np.count_nonzero(inside) / inside.size)

    def _positions(
        self, row: int, column: int, height: int, width: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Row and column in the mask of each pixel of an image window.

        Both arrays are (height, width); NaN where a pixel has no position.
        """
        rows, columns = np.arange(row, row + height) + 0.5, np.arange(column, column + width) + 0.5
        if self._convert is None:
            xs, ys = self._ground(*np.meshgrid(columns, rows))
        else:
            down, along = rows / _STEP, columns / _STEP
            nodes = [np.arange(int(places[0]), int(places[-1]) + 2) for places in (down, along)]
            found = self._ground(
                *(grid.astype(float) for grid in np.meshgrid(nodes[1] * _STEP, nodes[0] * _STEP))
            )
            xs, ys = (
                _between(_between(of, down - nodes[0][0]).T, along - nodes[1][0]).T for of in found
            )
        xs, ys = self._to_pixels(xs, ys)
        return np.floor(ys + _TIE), np.floor(xs + _TIE)

    def _ground(
        self, columns: NDArray[Any], rows: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Converts image positions to coordinates in the CRS of the mask; NaN where none exist."""
        place = self._image.transform
        xs = place.a * columns + place.b * rows + place.c
        ys = place.d * columns + place.e * rows + place.f
        if self._convert is not None:
            xs, ys = self._convert.transform(xs, ys)
            xs, ys = np.where(np.isfinite(xs), xs, np.nan), np.where(np.isfinite(ys), ys, np.nan)
        return (xs - 360 * np.rint((xs - self._seam) / 360), ys) if self._is_round else (xs, ys)

    def _to_pixels(self, xs: NDArray[Any], ys: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Converts coordinates in the CRS of the mask to columns and rows of the mask."""
        if self._is_round:
            xs = xs - 360 * np.rint((xs - self._middle) / 360)
        to = self._to_mask
        return to.a * xs + to.b * ys + to.c, to.d * xs + to.e * ys + to.f


def _between(values: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    """Interpolates values (nodes, any) at places between the nodes, as (places, any)."""
    before = places.astype(np.intp)
    share = (places - before)[:, None]
    result: NDArray[Any] = values[before] * (1 - share) + values[before + 1] * share
    return result


def _halves(height: int, width: int) -> list[tuple[slice, slice]]:
    if height >= width:
        return [
            (slice(0, height // 2), slice(0, width)),
            (slice(height // 2, height), slice(0, width)),
        ]
    return [(slice(0, height), slice(0, width // 2)), (slice(0, height), slice(width // 2, width))]
