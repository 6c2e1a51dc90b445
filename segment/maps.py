"""What a map is written as: rasters of one byte a pixel, row band by row band, with class names and colours."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from segment.core.output import broken_write, require_space, writable
from segment.core.palette import IGNORED, Palette
from segment.core.raster import Raster

_BLOCK = 512
_CACHED = 2**28  # bytes that GDAL may hold back before it notices that they do not fit
_LOST = "a file that lost pixels, as on a full disk"
Overviews = Literal["MODE", "AVERAGE"]
CONFIDENCE_STEPS = 254
"""What a confidence raster holds where the most probable class has probability 1."""


class ByteRaster:
    """One band of uint8 on a scene's grid, nodata 255, written from top to bottom.

    The rows go to a plain GeoTIFF first, one row a strip; `finish` turns it into a cloud-optimised one and reads that
    back, because GDAL may lose a write on a full disk without a word.
    """

    def __init__(self, path: Path, scene: Raster, description: str, tags: Mapping[str, str], overviews: Overviews):
        import rasterio

        self.path, self._overviews = path, overviews
        self._rows = path.with_name(f"{path.stem}.rows.tif")
        self._space = min(scene.width * scene.height, _CACHED) + 2**20
        self._next = self._written = 0
        with writable(path, self._space):
            self._dataset = rasterio.open(
                self._rows, "w", driver="GTiff", width=scene.width, height=scene.height, count=1, dtype="uint8", nodata=IGNORED,
                crs=scene.crs, transform=scene.transform, compress="deflate", zlevel=1, blockysize=1, bigtiff="if_safer",
            )  # fmt: skip
            self._dataset.set_band_description(1, description)
            self._dataset.update_tags(**tags)

    def set_colors(self, colors: Mapping[int, tuple[int, int, int, int]]) -> None:
        self._dataset.write_colormap(1, colors)

    def set_scale(self, scale: float) -> None:
        """What a stored value is to be multiplied with."""
        self._dataset.scales = (scale,)

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Appends rows (rows, width). Raises InputError when they cannot be written."""
        from rasterio.windows import Window

        with writable(self.path, self._space):
            self._dataset.write(rows, 1, window=Window(0, self._next, rows.shape[1], len(rows)))
        self._next += len(rows)
        self._written = zlib.crc32(rows.tobytes(), self._written)

    def finish(self) -> None:
        """Makes the cloud-optimised GeoTIFF. Raises InputError when it is not what was written."""
        from rasterio._err import CPLE_BaseError
        from rasterio.errors import RasterioError
        from rasterio.shutil import copy

        assert self._next == self._dataset.height, "rows are missing"
        try:
            self._dataset.close()
            require_space(self.path, 2 * self._rows.stat().st_size)  # overviews and, for a while, a copy of them
            copy(self._rows, self.path, driver="COG", blocksize=_BLOCK, compress="DEFLATE", bigtiff="IF_SAFER",
                 overview_resampling=self._overviews, num_threads="ALL_CPUS")  # fmt: skip
            self._rows.unlink()
            whole = self._read_back() == self._written
        except (OSError, RasterioError, CPLE_BaseError) as error:
            raise broken_write(self.path, getattr(error, "strerror", None) or _LOST) from error
        if not whole:
            raise broken_write(self.path, _LOST)

    def _read_back(self) -> int:
        import rasterio
        from rasterio.windows import Window

        found = 0
        with rasterio.open(self.path) as dataset:
            for start in range(0, dataset.height, _BLOCK):
                rows = dataset.read(1, window=Window(0, start, dataset.width, min(_BLOCK, dataset.height - start)))
                found = zlib.crc32(rows.tobytes(), found)
        return found

    def close(self) -> None:
        """Lets go of the file, finished or not."""
        self._dataset.close()


@contextmanager
def class_raster(path: Path, scene: Raster, palette: Palette) -> Iterator[ByteRaster]:
    """Writes a class raster: class values, colour table, class names as tags and, beside it, as GDAL category names.

    Rows of class values are written to what is yielded; the file is there after the block.
    """
    raster = ByteRaster(path, scene, "land cover", {f"class_{c.value}": c.name for c in palette.classes}, "MODE")
    try:
        raster.set_colors({c.value or 0: (*c.rgb, 255) for c in palette.classes})
        yield raster
        raster.finish()
    finally:
        raster.close()
    names = {c.value or 0: c.name for c in palette.classes}
    entries = "".join(f"      <Category>{escape(names.get(value, ''))}</Category>\n" for value in range(max(names) + 1))
    write_sidecar(path, f'  <PAMRasterBand band="1">\n    <CategoryNames>\n{entries}    </CategoryNames>\n  </PAMRasterBand>\n')


@contextmanager
def confidence_raster(path: Path, scene: Raster) -> Iterator[ByteRaster]:
    """Writes a raster of the most probable class's probability, 0 to 254 for 0 to 1; use as `class_raster`."""
    tags = {"content": f"probability of the mapped class, 0 to {CONFIDENCE_STEPS} for 0 to 1"}
    raster = ByteRaster(path, scene, "confidence", tags, "AVERAGE")
    try:
        raster.set_scale(1 / CONFIDENCE_STEPS)
        yield raster
        raster.finish()
    finally:
        raster.close()


def write_sidecar(path: Path, content: str) -> None:
    """Writes `path`.aux.xml, in which GDAL and GIS programs look for what a file's own format cannot hold."""
    with writable(path):
        path.with_name(sidecar_name(path.name)).write_text(f"<PAMDataset>\n{content}</PAMDataset>\n", encoding="utf-8")


def sidecar_name(name: str) -> str:
    return f"{name}.aux.xml"
