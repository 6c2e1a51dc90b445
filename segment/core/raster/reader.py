"""Rasters of any format that GDAL reads: pixels by windows, and which of them are valid."""

import logging
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.raster.alpha import AlphaUse, alpha_bands, describe_use
from segment.core.raster.grid import PixelGrid
from segment.core.raster.orientation import UPRIGHT, Orientation, read_orientation

# GDAL's errors reach the caller as exceptions; unconfigured logging would print them as well
logging.getLogger("rasterio").addHandler(logging.NullHandler())


_FITTED = 0.25  # pixels by which ground control points may deviate from a transform

MOST_BANDS = 4096
"""Largest number of bands of a file, ten times that of imaging spectrometers.

A header of a few bytes may declare 65,535.
"""


@dataclass(frozen=True)
class RasterInfo:
    """The header of a raster.

    Attributes:
        path: Path as it was given.
        width: Columns of the upright picture.
        height: Rows of the upright picture.
        bands: Number of bands in use, without alpha.
        dtype: Name of the data type of the bands.
        colors: Colour interpretation of each band of the file, as rasterio names it.
        orientation: How the picture is turned upright.
        alpha: Use of the alpha band, see `Raster`.
        alpha_note: What to report of the alpha band, see `Raster`.
    """

    path: str
    width: int
    height: int
    bands: int
    dtype: str
    colors: tuple[str, ...]
    orientation: Orientation = UPRIGHT
    alpha: AlphaUse | None = None
    alpha_note: str | None = None

    def fitted(self, bands: int) -> "RasterInfo":
        """Adapts the header to the number of bands that a model reads.

        An alpha band that is no mask is left out where it is one too many.

        Args:
            bands: Number of bands that the model reads.

        Returns:
            The header with that band left out, or this one where there is nothing to leave out.
        """
        tagged = [number for number, color in enumerate(self.colors, 1) if color == "alpha"]
        if self.alpha != "band" or self.bands - len(tagged) != bands:
            return self
        return replace(
            self,
            bands=bands,
            alpha="none",
            alpha_note=describe_use("none", tagged, range(bands), False),
        )


class Raster(PixelGrid):
    """An open raster, whose pixels are read as (rows, columns, bands) in the order of `bands`.

    `height`, `width` and all pixels are those of the upright picture.

    Attributes:
        path: Path as it was given.
        bands: Numbers, from 1, of the bands in use. A band tagged as alpha is left out unless it is
            named or used as an ordinary band.
        dtype: Data type of the bands.
        nodata: Value that means "no data" in all bands, in addition to what the file declares; None
            for none.
        alpha: Use of the alpha band, None where there is none.
        alpha_note: What to report of the alpha band, None for nothing.
        orientation: How the picture is turned upright. A picture with a georeference is read as it
            is stored.
        declared_orientation: EXIF orientation that the file declares.
    """

    def __init__(
        self,
        dataset: Any,
        path: str,
        bands: Sequence[int] | None,
        nodata: float | None,
        tagged: Sequence[int] = (),
        alpha: AlphaUse | None = None,
        stored: Any = None,
    ):
        """Checks that the bands of a dataset can be read together.

        Args:
            dataset: An open rasterio dataset.
            path: Path by which messages name the raster.
            bands: Numbers, from 1, of the bands to read; None for all but alpha.
            nodata: Value that means "no data" in all bands, in addition to what the file declares.
            tagged: Numbers of the bands that the file tags as alpha.
            alpha: Use of the tagged bands.
            stored: Dataset that `dataset` was resampled from, None where it was not.

        Raises:
            InputError: If a band does not exist, none is left besides alpha, the bands differ in
                type or are complex, or the transform gives pixels no size.
        """
        from rasterio.enums import MaskFlags

        # each property of a dataset walks over all bands, so none is read in a loop over them
        indexes, types, flags = dataset.indexes, dataset.dtypes, dataset.mask_flag_enums
        masks = [band for band in alpha_bands(dataset) if alpha == "mask" or band not in tagged]
        left_out = {*masks, *(tagged if alpha == "none" else ())}
        self.path = path
        self.bands = tuple(bands) if bands else tuple(sorted({*indexes} - left_out))
        if not set(self.bands) <= set(indexes):
            raise InputError(
                f"{path}: bands run from 1 to {dataset.count}. Received {list(self.bands)}. Choose"
                " among them."
            )
        if not self.bands:
            within = (
                f"{len(dataset.subdatasets)} data sets within, such as {dataset.subdatasets[0]}"
                if dataset.subdatasets
                else "none"
            )
            raise InputError(
                f"{path}: a raster has bands besides alpha. Received {within}. Name one that has"
                " some."
            )
        dtypes = {types[band - 1] for band in self.bands}
        if len(dtypes) > 1 or any(name.startswith("complex") for name in dtypes):
            raise InputError(
                f"{path}: bands in use share one type of real numbers. Received"
                f" {', '.join(sorted(dtypes))}. Convert them: gdal_translate -ot Float32 IN OUT"
            )
        if not math.isfinite(dataset.transform.determinant) or dataset.transform.determinant == 0:
            raise InputError(
                f"{path}: degenerate geotransform {dataset.transform.to_gdal()}. Fix it with"
                " gdal_edit.py."
            )
        stored = stored or dataset
        self.declared_orientation = _declared_orientation(stored, path)
        is_placed = not stored.transform.is_identity or bool(stored.gcps[0])
        self.orientation = UPRIGHT if is_placed else self.declared_orientation
        super().__init__(
            *self.orientation.size(dataset.height, dataset.width), dataset.crs, dataset.transform
        )
        self.dtype = np.dtype(dtypes.pop())
        self.nodata = nodata
        self._dataset = dataset
        self._alpha = [band for band in masks[:1] if band not in self.bands]
        self.alpha, self.alpha_note = alpha, describe_use(alpha, tagged, self.bands, bool(bands))
        # an alpha band is read along with the bands, or masks nothing: its flag does not count here
        used = [flags[band - 1] for band in self.bands]
        self._masked = any(
            MaskFlags.all_valid not in found and MaskFlags.alpha not in found for found in used
        )

    @property
    def identity(self) -> list[Any]:
        """What distinguishes the raster from another one, or from its own state before a change.

        Files behind it (those of a VRT too) count by size and time of change; files that are not on
        this machine, by name only.
        """
        files = [[name, *_stamp(name)] for name in self._dataset.files]
        georeference = [None if self.crs is None else self.crs.to_wkt(), *self.transform.to_gdal()]
        nodata = [repr(value) for value in (*self._dataset.nodatavals, self.nodata)]
        masks = [[flag.name for flag in flags] for flags in self._dataset.mask_flag_enums]
        turned = [f"orientation {self.orientation.number}"] if self.orientation != UPRIGHT else []
        alpha = [self.alpha] if self.alpha in ("band", "none") else []
        size = self.height, self.width
        return [
            self.path,
            files,
            *size,
            self.bands,
            self.dtype.name,
            georeference,
            nodata,
            masks,
            *turned,
            *alpha,
        ]

    @property
    def likeness(self) -> list[Any]:
        """What a copy on another machine has in common with the raster.

        This is `identity` without paths and times.
        """
        _, files, *header = self.identity
        return [[size for _, *stamp in files for size in stamp[:1]], *header]

    @property
    def block_bytes(self) -> int:
        """Bytes to decode at once to read a pixel."""
        pixels: int = max(height * width for height, width in self._dataset.block_shapes)
        return pixels * len(self._dataset.indexes) * self.dtype.itemsize

    @property
    def references(self) -> list[str]:
        """Metadata domains by which GDAL opens other files in any format.

        These are overviews and positions of pixels (geolocation arrays).
        """
        return [
            name
            for name in self._dataset.tag_namespaces()
            if name.upper() in ("OVERVIEWS", "GEOLOCATION")
        ]

    @property
    def has_only_control_points(self) -> bool:
        """Whether the position is given by ground control points alone.

        Maps do not adopt these.
        """
        return self.crs is None and bool(self._dataset.gcps[0])

    @property
    def orientation_note(self) -> str | None:
        """What to report of the EXIF orientation, None for nothing."""
        number = self.declared_orientation.number
        if self.orientation.number != 1:
            return (
                f"The picture is turned upright by its EXIF orientation {number}, to a grid of"
                f" {self.width} x {self.height}: programs that ignore EXIF see it turned."
            )
        return (
            f"The EXIF orientation {number} is ignored, as the picture has a georeference."
            if number != 1
            else None
        )

    @property
    def notes(self) -> list[str]:
        """What to report of how the raster is read.

        This concerns EXIF orientation, alpha, and further images in the file. The raster must be
        open.
        """
        within = self._dataset.subdatasets
        others = (
            f"The file holds {len(within)} images, and one is read. Another is {within[-1]}"
            if within
            else None
        )
        return [note for note in (self.orientation_note, self.alpha_note, others) if note]

    def turned_by(self, orientation: Orientation) -> "Raster":
        """Returns the same raster with its stored pixels turned by another orientation.

        Args:
            orientation: How to turn the picture upright.

        Returns:
            The raster, open as long as this one.
        """
        other = copy(self)
        other.orientation = orientation
        other.height, other.width = orientation.size(self._dataset.height, self._dataset.width)
        return other

    @property
    def control_points(self) -> tuple[Any, ...]:
        """What places a raster without a transform: ground control points and the terms of an RPC.

        A point is (row, column, x, y, z). Empty for a raster with a transform.
        """
        if not self.transform.is_identity:
            return ()
        points = [(p.row, p.col, p.x, p.y, p.z) for p in self._dataset.gcps[0]]
        rpcs = self._dataset.rpcs
        return (*points, *([] if rpcs is None else sorted(rpcs.to_gdal().items())))

    @property
    def descriptions(self) -> tuple[str | None, ...]:
        """Names of all bands of the file, in its order; None for a band without a name."""
        return tuple(self._dataset.descriptions)

    @cached_property
    def ground(self) -> PixelGrid | None:
        """Position of the pixels on the ground, None where it is not known.

        It is given by the transform, or by ground control points that fit one to within a quarter
        of a pixel.
        """
        if not self.transform.is_identity:
            return self
        points, crs = self._dataset.gcps
        places, found = (
            np.array([(p.col, p.row, 1.0) for p in points]),
            np.array([(p.x, p.y) for p in points]),
        )
        if len(points) < 3 or np.linalg.matrix_rank(places) < 3:  # all on one line
            return None
        middle = found.mean(axis=0)
        fit = np.linalg.lstsq(places, found - middle, rcond=None)[0].T
        to_ground = type(self.transform)(
            *fit[0, :2], fit[0, 2] + middle[0], *fit[1, :2], fit[1, 2] + middle[1]
        )
        if to_ground.is_degenerate:
            return None
        missed = np.linalg.solve(fit[:, :2], (places @ fit.T - (found - middle)).T)  # pixels
        fits = bool(np.abs(missed).max() <= _FITTED)
        return PixelGrid(self.height, self.width, crs, to_ground) if fits else None

    def colormap(self) -> NDArray[np.uint8]:
        """Reads the colours of a paletted raster.

        Returns:
            The colour of each value, (256, 3) uint8, black where there is none.

        Raises:
            InputError: If the raster has no colour table.
        """
        colors = np.zeros((256, 3), np.uint8)
        with readable(self.path):
            for value, color in self._dataset.colormap(1).items():
                colors[value] = color[:3]
        return colors

    @property
    def info(self) -> RasterInfo:
        """The header of the raster."""
        colors = tuple(c.name for c in self._dataset.colorinterp)
        size = self.width, self.height, len(self.bands)
        return RasterInfo(
            self.path, *size, self.dtype.name, colors, self.orientation, self.alpha, self.alpha_note
        )

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
            Pixels (height, width, bands) and whether each is valid (height, width).

        Raises:
            InputError: If the file cannot be decoded there.
        """
        height = self.height - row if height is None else height
        width = self.width - column if width is None else width
        # alpha is read in the same call: another would decode a PNG from its top again
        pixels, valid = self.read_stored(
            [*self.bands, *self._alpha], row, column, height, width, self._masked
        )
        if self._alpha:
            pixels, alpha = pixels[..., :-1], pixels[..., -1] > 0
            valid &= alpha
        if self.nodata is not None:
            valid &= (pixels != self.nodata).any(axis=2)
        if pixels.dtype.kind == "f":
            valid &= np.isfinite(pixels).all(axis=2)
        if not valid.all():
            pixels[~valid] = 0
        return pixels, valid

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
        from rasterio.windows import Window

        turned = self.orientation
        if turned is not UPRIGHT:
            row, column, height, width = turned.stored_window(
                row, column, height, width, (self.height, self.width)
            )
        window = Window(column, row, width, height)
        with readable(self.path):
            pixels = self._dataset.read(bands, window=window).transpose(1, 2, 0)
            valid = np.ones((height, width), bool)
            if masked:
                valid = (self._dataset.read_masks(self.bands, window=window) > 0).any(axis=0)
        return (
            (pixels, valid)
            if turned is UPRIGHT
            else (turned.turn(pixels), turned.turn(valid).copy())
        )

    def read_reduced(self, height: int, width: int, damaged: bool = False) -> NDArray[Any]:
        """Reads the whole raster at a smaller size.

        Each pixel is the mean of those that it covers; pixels that are not valid may count as 0.
        Overviews are used where there are some. Without them, the file is read forward only, unlike
        GDAL's resampling, which decodes a PNG many times over.

        Args:
            height: Rows of the result, at most those of the raster.
            width: Columns of the result, at most those of the raster.
            damaged: Whether rows that cannot be decoded are 0 instead of an error. Overviews are
                then not used.

        Returns:
            Pixels (height, width, bands).

        Raises:
            InputError: If the file cannot be decoded, unless `damaged`.
        """
        from rasterio.enums import Resampling

        from segment.core.pixels.geometry import resize

        if self._dataset.overviews(self.bands[0]) and not damaged:
            with readable(self.path):
                shape = (len(self.bands), *self.orientation.size(height, width))
                found: NDArray[Any] = self._dataset.read(
                    self.bands, out_shape=shape, resampling=Resampling.average
                )
            return np.ascontiguousarray(self.orientation.turn(found.transpose(1, 2, 0)))
        tops = np.arange(height + 1) * self.height // height
        result = np.empty((height, width, len(self.bands)), self.dtype)
        at_a_time = max(1, 256 * height // self.height)
        for first in range(0, height, at_a_time):
            last = min(first + at_a_time, height)
            try:
                pixels, _ = self.read(int(tops[first]), height=int(tops[last] - tops[first]))
            except InputError:
                if not damaged:
                    raise
                result[first:last] = 0
                continue
            result[first:last] = resize(pixels, last - first, width)
        return result


def _declared_orientation(dataset: Any, path: str) -> Orientation:
    if os.path.isfile(path):
        return read_orientation(Path(path))
    # GDAL reports the tag for JPEGs that only GDAL can open
    found = dataset.tags().get("EXIF_Orientation", "")
    return Orientation(int(found)) if found in set("12345678") else UPRIGHT


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
        cure = "See that it can be reached." if "://" in str(path) else "Get a whole copy."
        raise InputError(
            f"{path}: must be a raster that can be read to its end. Received: {problem}. {cure}"
        ) from error


def _stamp(name: str) -> list[int]:
    try:
        found = Path(name).stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]
