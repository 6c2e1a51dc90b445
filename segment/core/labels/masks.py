"""Masks: rasters whose pixels are class values or class colours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError, counted
from segment.core.labels.alignment import ALIGNED, align
from segment.core.labels.classes import IGNORED
from segment.core.labels.label_reader import LabelReader
from segment.core.labels.nearest_pixels import NearestPixels
from segment.core.raster.nodata import is_nodata
from segment.core.raster.reader import Raster
from segment.core.raster.sources import SUFFIXES as RASTERS
from segment.core.raster.sources import Source

SUFFIXES = (*RASTERS, ".gif")
"""Endings of masks that are found in folders; those of some data sets are GIF pictures."""
_PICTURES = ("PNG", "GIF", "BMP", "GPKG", "MBTiles")  # GDAL's names of formats
_PICTURE_FILES = ([".png"], [".gif"], [".bmp"])


class Mask(LabelReader):
    """An open mask, whose pixels are read as stored: class values or class colours.

    A paletted picture (PNG, GIF, BMP, or tiles of them) is read as the colours of its palette. In
    other formats the palette is the colour table of a class raster, which holds class values. Where
    the file declares nodata, by a value or a mask band, and where it does not cover the grid,
    pixels are masked. An alpha band is ignored.

    Attributes:
        path: Path of the file.
        height: Rows of the grid that the mask is read on.
        width: Columns of the grid that the mask is read on.
        identity: What distinguishes the mask from another, see `Raster.identity`.
        alignment: How the mask is placed on that grid.
        colors: Colours of a paletted image by number, (256, 3) uint8, or None.
        legend: Colours of the colour table of a class raster of 8 bits by value, (256, 3) uint8, or
            None. Its values are read, not these.
        lossy: Whether the compression of the file changes values.
        declares_nodata: Whether the file declares nodata, by a value or a mask band.
        nodata: Nodata value that the file declares, None where it declares none or a mask band
            does.
    """

    def __init__(self, raster: Raster, image: Raster | None = None, noun: str = "image"):
        """Checks that a raster can be read as a mask.

        Args:
            raster: The open raster of the mask.
            image: The raster that it is a mask of. The mask is then read on the grid of the image,
                whatever its own (see `align`).
            noun: What messages call the image.

        Raises:
            InputError: If it has bands other than one of values, or three or four of colours in 8
                bits, or does not fit the image.
        """
        from rasterio.enums import MaskFlags

        if (count := len(raster.bands)) not in (1, 3, 4) or (
            count > 1 and raster.dtype != np.uint8
        ):
            raise InputError(
                f"{raster.path}: mask has {counted(count, 'band')} of {raster.dtype}. Export it"
                " with one band of class values, or with three or four of uint8 for class colours."
            )
        self.alignment = ALIGNED if image is None else align(raster, image, noun)
        if self.alignment.orientation is not None:
            raster = raster.turned_by(self.alignment.orientation)
        grid = image if image is not None and self.alignment.difference else raster
        self._nearest = None
        if image is not None and image.ground and raster.ground and self.alignment.difference:
            self._nearest = NearestPixels(raster.ground, image.ground)
        self.path, self.width, self.height, self.identity = (
            raster.path,
            grid.width,
            grid.height,
            raster.identity,
        )
        self._raster, dataset = raster, raster.dataset
        self.colors: NDArray[np.uint8] | None = None
        self.legend: NDArray[np.uint8] | None = None
        if raster.info.colors == ("palette",) and _is_picture(dataset):
            self.colors = raster.colormap()
        elif raster.info.colors == ("palette",) and raster.dtype == np.uint8:
            self.legend = raster.colormap()
        compression = getattr(dataset.compression, "value", "")
        self.lossy = dataset.driver == "JPEG" or "jpeg" in str(compression).lower()
        flags = {flag for band in self._raster.bands for flag in dataset.mask_flag_enums[band - 1]}
        self.declares_nodata = MaskFlags.alpha not in flags and bool(flags - {MaskFlags.all_valid})
        self.nodata = dataset.nodatavals[0] if self.declares_nodata else None

    def _window(self, row: int, height: int, column: int, width: int) -> NDArray[Any]:
        if self._nearest is None:
            pixels, labelled = self._read(row, column, height, width)
        else:
            bands = len(self._raster.bands) if self.colors is None else 3
            pixels = np.full(
                (height, width, bands),
                np.array(IGNORED if bands == 1 else 0).astype(self._raster.dtype),
            )
            labelled = np.zeros((height, width), bool)
            self._nearest.gather(self._read, pixels, labelled, row, column)
        if labelled.all() and not self.declares_nodata:
            return pixels
        hidden = np.broadcast_to(~labelled[..., None], pixels.shape)
        return np.ma.masked_array(pixels, hidden)  # type: ignore[no-untyped-call]

    def _read(
        self, row: int, column: int, height: int, width: int
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Reads a rectangle of the file, and whether each pixel is labelled (height, width)."""
        pixels, labelled = self._raster.read_stored(
            self._raster.bands, row, column, height, width, self.declares_nodata
        )
        if (beside := self._raster.nodata_beside_mask) is not None:
            labelled = labelled & ~is_nodata(pixels, beside)
        return (pixels if self.colors is None else self.colors[pixels[..., 0]]), labelled


def _is_picture(dataset: Any) -> bool:
    """Whether the format of a dataset, or of the first file behind a VRT, is one of pictures."""
    behind = [Path(file).suffix.lower() for file in dataset.files[1:2]]
    return dataset.driver in _PICTURES or (dataset.driver == "VRT" and behind in _PICTURE_FILES)


@contextmanager
def open_mask(
    source: Path | Source, image: Raster | None = None, noun: str = "image"
) -> Iterator[Mask]:
    """Opens a mask for reading by rows, on the grid of its image.

    Args:
        source: The mask.
        image: The open raster that it is a mask of, None to read it on its own grid.
        noun: What messages call the image.

    Yields:
        The open mask.

    Raises:
        InputError: If it cannot be opened, has other bands, or does not fit the image.
    """
    with replace(
        source if isinstance(source, Source) else Source(source), alpha="mask"
    ).open() as raster:
        yield Mask(raster, image, noun)


def read_mask(path: Path) -> NDArray[Any]:
    """Reads a whole mask as it is stored.

    Args:
        path: File of the mask.

    Returns:
        Class values or class colours, (rows, columns, 1, 3 or 4).

    Raises:
        InputError: If it cannot be opened, has other bands, or cannot be decoded.
    """
    with open_mask(path) as mask:
        return mask.read()
