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
    colour table (GeoTIFF), which holds class values.

    Raises InputError when it has other bands than one of values, or three or four of colours in 8 bits.
    """

    def __init__(self, raster: Raster):
        if (count := len(raster.bands)) not in (1, 3, 4) or (count > 1 and raster.dtype != np.uint8):
            raise InputError(
                f"{raster.path}: masks have one band (values), or three or four of uint8 (colours). "
                f"Received {count} of {raster.dtype}. Export them so."
            )
        self.path, self.width, self.height, self.identity = raster.path, raster.width, raster.height, raster.identity
        self._dataset, self._bands = raster._dataset, raster.bands
        self._palette: NDArray[np.uint8] | None = None
        if raster.info.colors == ("palette",) and self._dataset.driver != "GTiff":
            self._palette = raster.colormap()

    def read(self, row: int = 0, height: int | None = None, column: int = 0, width: int | None = None) -> NDArray[Any]:
        """Pixels (height, width, 1, 3 or 4) of one rectangle, by default whole rows.

        Raises InputError when the file cannot be decoded there.
        """
        from rasterio.windows import Window

        window = Window(
            column, row, self.width - column if width is None else width, self.height - row if height is None else height
        )
        with readable(self.path):
            pixels: NDArray[Any] = self._dataset.read(self._bands, window=window).transpose(1, 2, 0)
        return pixels if self._palette is None else self._palette[pixels[..., 0]]


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
