"""Cloud-optimised GeoTIFFs of one byte a pixel, written from raw rows."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from segment.core.disk import broken_write, require_space
from segment.core.labels.classes import IGNORED
from segment.core.quiet_warnings import without_warnings
from segment.core.raster.grid import PixelGrid

_BLOCK = 512
_LOST = "a file that lost pixels, as on a full disk"


@dataclass(frozen=True, kw_only=True)
class BandContent:
    """What the values of a band mean.

    Attributes:
        description: Description of the band.
        overviews: How pixels are resampled for overviews.
        tags: Metadata of the dataset.
        colors: RGBA (0 to 255) of each value, None for no colour table.
        scale: Factor by which stored values are to be multiplied, None for none.
    """

    description: str
    overviews: Literal["MODE", "AVERAGE"]
    tags: Mapping[str, str] = field(default_factory=dict)
    colors: Mapping[int, tuple[int, int, int, int]] | None = None
    scale: float | None = None


@dataclass(frozen=True)
class RawRows:
    """Files of the rows of a raster: one byte a pixel, row by row.

    Attributes:
        file: File of the rows.
        checksum: CRC-32 of the rows.
        overviews: Files of its overviews, of `overview_sizes`; GDAL makes them where there are
            none.
    """

    file: Path
    checksum: int
    overviews: tuple[Path, ...] = ()


def overview_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Computes the sizes of the overviews that GDAL gives a COG.

    Args:
        height: Rows of the raster.
        width: Columns of the raster.

    Returns:
        Height and width of each overview, the largest first; none where one block holds the raster.
    """
    sizes = []
    while max(height, width) > _BLOCK:
        height, width = max(height // 2, 1), max(width // 2, 1)
        sizes.append((height, width))
    return sizes


def write_cog(rows: RawRows, path: Path, grid: PixelGrid, content: BandContent) -> None:
    """Writes one band of uint8 on a grid, with nodata 255 and overviews.

    What was written is read back and compared by checksum, as GDAL may lose a write on a full disk
    without an error.

    Args:
        rows: Rows of the raster, and its overviews if they are made already.
        path: GeoTIFF to write.
        grid: Grid of the raster.
        content: What the values mean.

    Raises:
        InputError: If the file cannot be written to its end.
    """
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError
    from rasterio.shutil import copy

    # GDAL reads raw rows as a raster where a VRT beside them describes their layout
    header = rows.file.with_suffix(".vrt")
    header.write_text(_describe(rows, grid, content), encoding="utf-8")
    try:
        require_space(path, rows.file.stat().st_size)
        copy(
            header,
            path,
            driver="COG",
            blocksize=_BLOCK,
            compress="DEFLATE",
            bigtiff="IF_SAFER",
            overview_resampling=content.overviews,
            num_threads="ALL_CPUS",
        )
        whole = _read_back(path) == rows.checksum
    except (OSError, RasterioError, CPLE_BaseError) as error:
        raise broken_write(path, getattr(error, "strerror", None) or _LOST) from error
    if not whole:
        raise broken_write(path, _LOST)


def _describe(rows: RawRows, grid: PixelGrid, content: BandContent) -> str:
    georeference = ""
    if grid.crs is not None:
        georeference = f"<SRS>{escape(grid.crs.to_wkt(version='WKT2_2019'))}</SRS>"
    if grid.crs is not None or not grid.transform.is_identity:
        numbers = ", ".join(repr(float(number)) for number in grid.transform.to_gdal())
        georeference += f"<GeoTransform>{numbers}</GeoTransform>"
    metadata = "".join(
        f"<MDI key={quoteattr(key)}>{escape(value)}</MDI>" for key, value in content.tags.items()
    )
    description, colors = escape(content.description), content.colors
    band = f"<Description>{description}</Description><NoDataValue>{IGNORED}</NoDataValue>"
    if colors:
        entries = [colors.get(value, (0, 0, 0, 255)) for value in range(max(colors) + 1)]
        table = "".join(
            '<Entry c1="{}" c2="{}" c3="{}" c4="{}"/>'.format(*entry) for entry in entries
        )
        band += f"<ColorInterp>Palette</ColorInterp><ColorTable>{table}</ColorTable>"
    if content.scale is not None:
        band += f"<Scale>{content.scale!r}</Scale>"
    for overview, size in zip(
        rows.overviews, overview_sizes(grid.height, grid.width), strict=False
    ):
        header = overview.with_suffix(".vrt")
        header.write_text(_raw_raster(overview, *size, "", ""), encoding="utf-8")
        band += (
            f'<Overview><SourceFilename relativeToVRT="1">{escape(header.name)}</SourceFilename>'
            "<SourceBand>1</SourceBand></Overview>"
        )
    above = f"{georeference}<Metadata>{metadata}</Metadata>"
    return _raw_raster(rows.file, grid.height, grid.width, above, band)


def _raw_raster(rows: Path, height: int, width: int, dataset: str, band: str) -> str:
    """Describes rows as a VRT with further elements of its dataset and its band."""
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{dataset}'
        f'<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">{band}'
        "<SourceFilename"
        f' relativetoVRT="1">{escape(rows.name)}</SourceFilename><ImageOffset>0</ImageOffset>'
        f"<PixelOffset>1</PixelOffset><LineOffset>{width}</LineOffset></VRTRasterBand></VRTDataset>"
    )


def _read_back(path: Path) -> int:
    import rasterio
    from rasterio.windows import Window

    found = 0
    with without_warnings():
        dataset = rasterio.open(path, num_threads="ALL_CPUS")
    with dataset:
        for start in range(0, dataset.height, _BLOCK):
            rows = dataset.read(
                1, window=Window(0, start, dataset.width, min(_BLOCK, dataset.height - start))
            )
            found = zlib.crc32(rows, found)
    return found
