"""Rasters of any format that GDAL reads: pixels by windows, and which of them are valid."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.pixels.band_scale import BandScale
from segment.core.quiet_warnings import without_warnings
from segment.core.raster.alpha import sparse_shape
from segment.core.raster.header import RasterHeader
from segment.core.raster.nodata import is_nodata, read_sparsely, undeclared_nodata
from segment.core.raster.orientation import UPRIGHT
from segment.core.raster.subdatasets import explain

# GDAL's errors reach the caller as exceptions; unconfigured logging would print them as well
logging.getLogger("rasterio").addHandler(logging.NullHandler())


class Raster(RasterHeader):
    """An open raster, whose pixels are read as (rows, columns, bands) in the order of `bands`.

    All pixels are those of the upright picture.

    Attributes:
        scale: Scale that brings pixels to 8 bits as they are read, None where they stay.
        transparent: Largest value of the alpha band that hides a pixel.
    """

    scale: BandScale | None = None
    transparent: int = 0

    def scaled(self, scale: BandScale) -> "Raster":
        """Returns the same raster with pixels of 8 bits.

        Args:
            scale: Scale of its bands in use.

        Returns:
            The raster, open as long as this one.
        """
        other = copy(self)
        other.scale, other.dtype = scale, np.dtype(np.uint8)
        return other

    @property
    def identity(self) -> list[Any]:
        """What distinguishes the raster from another one, see `RasterHeader`; with its scale."""
        found = super().identity
        return found if self.scale is None else [*found, self.scale.low, self.scale.high]

    @property
    def notes(self) -> list[str]:
        """What to report of how the raster is read, see `RasterHeader`; with its scale."""
        return [*super().notes, *([] if self.scale is None else [self.scale.note])]

    def colormap(self) -> NDArray[np.uint8]:
        """Reads the colours of a paletted raster.

        Returns:
            The colour of each value, (256, 3) uint8, black where there is none.

        Raises:
            InputError: If the raster has no colour table.
        """
        colors = np.zeros((256, 3), np.uint8)
        with readable(self.path):
            for value, color in self.dataset.colormap(1).items():
                colors[value] = color[:3]
        return colors

    def read(
        self, row: int = 0, column: int = 0, height: int | None = None, width: int | None = None
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Reads one rectangle, by default whole rows.

        A pixel is not valid where nodata, an alpha band or a mask band says so for all bands in use
        (a dark pixel with zero in only one band is valid), or where a band is not finite. It then
        holds 0 in all bands.

        Args:
            row: First row.
            column: First column.
            height: Number of rows, by default all from `row` on.
            width: Number of columns, by default all from `column` on.

        Returns:
            Pixels (height, width, bands), in 8 bits where there is a scale, and whether each is
            valid (height, width).

        Raises:
            InputError: If the file cannot be decoded there.
        """
        height = self.height - row if height is None else height
        width = self.width - column if width is None else width
        # alpha is read in the same call: another would decode a PNG from its top again
        pixels, valid = self.read_stored(
            [*self.bands, *self.alpha_bands], row, column, height, width, self.is_masked
        )
        pixels, valid = self._hide(pixels, valid)
        if self.scale is not None:
            pixels = self.scale.apply(pixels)
        if not valid.all():
            pixels[~valid] = 0
        return pixels, valid

    def _hide(
        self, pixels: NDArray[Any], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Takes the alpha band off stored values, and finds out which pixels are valid."""
        if self.alpha_bands:
            pixels, alpha = pixels[..., :-1], pixels[..., -1] > self.transparent
            valid = valid & alpha
        for nodata in (self.compared_nodata, self.nodata_beside_mask):
            if nodata is not None:
                valid = valid & ~is_nodata(pixels, nodata)
        if pixels.dtype.kind == "f":
            valid = valid & np.isfinite(pixels).all(axis=2)
        return pixels, valid

    @cached_property
    def nodata_beside_mask(self) -> float | None:
        """The declared nodata value of a raster with a mask band, for which GDAL passes over it."""
        flags = [flag.name for flag in self.dataset.mask_flag_enums[self.bands[0] - 1]]
        declared = self.dataset.nodatavals
        values = {declared[band - 1] for band in self.bands}
        return values.pop() if flags == ["per_dataset"] and len(values) == 1 else None

    def undeclared_nodata(self, region: tuple[int, int, int, int] | None = None) -> str | None:
        """Finds a value that fills the scene from its border, and is not declared as nodata.

        Few pixels are read, see `sparse_shape`. The raster must be open on its own grid.

        Args:
            region: Top, bottom, left and right of the part of the scene that is searched, in which
                the border is its own; None for the whole.

        Returns:
            A sentence, see `undeclared_nodata`; None where there is no such value, or the file
            cannot be read.
        """
        top, bottom, left, right = region or (0, self.height, 0, self.width)
        window = self.stored_window(top, left, bottom - top, right - left)
        shape = sparse_shape(self.dataset, self.bands[0], (window.height, window.width))
        place = shape, window
        every = [*self.bands, *self.alpha_bands]
        try:
            with readable(self.path), without_warnings():
                pixels = read_sparsely(self.dataset, self.dataset.read, every, *place)
                valid = np.ones(shape, bool)
                if self.is_masked:
                    masks = self.dataset.read_masks
                    valid = read_sparsely(self.dataset, masks, self.bands, *place).any(axis=0)
        except InputError:  # reading the raster to its end reports it
            return None
        extent = "area" if region else "scene"
        return undeclared_nodata(*self._hide(pixels.transpose(1, 2, 0), valid), extent)

    def read_stored(
        self, bands: Sequence[int], row: int, column: int, height: int, width: int, masked: bool
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Reads the values of one rectangle of the upright picture as the file holds them.

        Args:
            bands: Numbers, from 1, of the bands to read.
            row: First row.
            column: First column.
            height: Number of rows.
            width: Number of columns.
            masked: Whether to read the mask bands and nodata values of the bands in use.

        Returns:
            Values (height, width, bands) and whether each pixel is valid (height, width). If
            `masked`, a pixel is valid where some band in use is; otherwise everywhere.

        Raises:
            InputError: If the file cannot be decoded there.
        """
        turned, window = self.orientation, self.stored_window(row, column, height, width)
        quiet = without_warnings() if masked else nullcontext()
        with readable(self.path), quiet:
            # straight to their places: moving them there would take as long as decoding them
            dtype = self.dataset.dtypes[bands[0] - 1]
            pixels = np.empty((window.height, window.width, len(bands)), dtype)
            self.dataset.read(bands, window=window, out=pixels.transpose(2, 0, 1))
            valid = np.ones(pixels.shape[:2], bool)
            if masked:
                valid = (self.dataset.read_masks(self.bands, window=window) > 0).any(axis=0)
        if turned is UPRIGHT:
            return pixels, valid
        return turned.turn(pixels), turned.turn(valid).copy()

    def stored_window(self, row: int, column: int, height: int, width: int) -> Any:
        """Locates a rectangle of the upright picture in the file.

        Args:
            row: First row.
            column: First column.
            height: Number of rows.
            width: Number of columns.

        Returns:
            A window of rasterio.
        """
        from rasterio.windows import Window

        if self.orientation is not UPRIGHT:
            row, column, height, width = self.orientation.stored_window(
                row, column, height, width, (self.height, self.width)
            )
        return Window(column, row, width, height)

    @property
    def has_overviews(self) -> bool:
        """Whether a smaller picture of it is read from its overviews."""
        return bool(self.dataset.overviews(self.bands[0]))


@contextmanager
def readable(path: object) -> Iterator[None]:
    """Turns an error of rasterio into an InputError that names the file.

    Args:
        path: Path that the message names.

    Yields:
        Nothing.

    Raises:
        InputError: If the body raises a RasterioError.
    """
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        problem = str(error.__cause__ or error).split("\n")[0].rstrip(".")
        problem, cure = explain(problem, str(path))
        raise InputError(f"{path}: cannot be read as a raster: {problem}. {cure}") from error
