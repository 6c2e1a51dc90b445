"""Reading masks: rasters whose pixels are class values or class colours."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.raster import Raster, readable
from segment.core.sources import Source


class Mask:
    """An open mask. Pixels are read as they are stored: class values, or class colours.

    A palette picture is read as the colours of its palette, unless the palette is only a class raster's
    colour table (GeoTIFF), which holds class values. Where the file declares nodata, by a value or a mask band, pixels are
    a masked array; an alpha band is not looked at.

    lossy: whether the file's compression changes values. colors: colours of a palette picture by number, (256, 3), or None.
    nodata: the value that the file declares; None where there is none, or a mask band says.

    Raises InputError when it has other bands than one of values, or three or four of colours in 8 bits.
    """

    def __init__(self, raster: Raster):
        from rasterio.enums import MaskFlags

        if (count := len(raster.bands)) not in (1, 3, 4) or (count > 1 and raster.dtype != np.uint8):
            raise InputError(
                f"{raster.path}: masks have one band (values), or three or four of uint8 (colours). "
                f"Received {count} of {raster.dtype}. Export them so."
            )
        self.path, self.width, self.height, self.identity = raster.path, raster.width, raster.height, raster.identity
        self._dataset, self._bands = raster._dataset, raster.bands
        self.colors: NDArray[np.uint8] | None = None
        if raster.info.colors == ("palette",) and self._dataset.driver != "GTiff":
            self.colors = raster.colormap()
        compression = getattr(self._dataset.compression, "value", "")
        self.lossy = self._dataset.driver == "JPEG" or "jpeg" in str(compression).lower()
        flags = {flag for band in self._bands for flag in self._dataset.mask_flag_enums[band - 1]}
        self._masked = MaskFlags.alpha not in flags and bool(flags - {MaskFlags.all_valid})
        self.nodata = self._dataset.nodatavals[0] if self._masked else None

    def read(self, row: int = 0, height: int | None = None, column: int = 0, width: int | None = None) -> NDArray[Any]:
        """Pixels (height, width, 1, 3 or 4) of one rectangle, by default whole rows; a masked array where nodata is declared.

        Raises InputError when the file cannot be decoded there.
        """
        from rasterio.windows import Window

        window = Window(
            column, row, self.width - column if width is None else width, self.height - row if height is None else height
        )
        with readable(self.path):
            pixels: NDArray[Any] = self._dataset.read(self._bands, window=window).transpose(1, 2, 0)
            hidden = (self._dataset.read_masks(self._bands, window=window) == 0).all(axis=0) if self._masked else None
        if self.colors is not None:
            pixels = self.colors[pixels[..., 0]]
        if hidden is None:
            return pixels
        return np.ma.masked_array(pixels, np.broadcast_to(hidden[..., None], pixels.shape))  # type: ignore[no-untyped-call]


@contextmanager
def open_mask(source: Path | Source) -> Iterator[Mask]:
    """Opens a mask for reading by rows. Raises InputError when it cannot be opened, or has other bands."""
    with (source if isinstance(source, Source) else Source(source)).open() as raster:
        yield Mask(raster)


def read_mask(path: Path) -> NDArray[Any]:
    """A whole mask as it is stored, (rows, columns, 1, 3 or 4): class values, or class colours.

    Raises InputError when it cannot be opened, has other bands, or cannot be decoded.
    """
    with open_mask(path) as mask:
        return mask.read()
