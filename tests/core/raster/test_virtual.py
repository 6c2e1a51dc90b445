"""Mosaics (VRT) of several files are read whole, also as colours of a palette and masked."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from segment.core.raster.opening import open_raster
from tests.conftest import write_raster

EDGE = 64
COLORS = {2: (10, 20, 30, 255), 100: (90, 80, 70, 255)}


def mosaic(folder: Path, count: int) -> Path:
    """Writes two tiles side by side, with 2 in the upper left of each and 100 elsewhere."""
    pixels = np.full((EDGE, EDGE, count), 100, np.uint8)
    pixels[:20, :21] = 2
    for name in ("left.tif", "right.tif"):
        write_raster(folder / name, pixels)
        if count == 1:
            with rasterio.open(folder / name, "r+") as file:
                file.write_colormap(1, COLORS)
    with rasterio.open(folder / "left.tif") as file:
        crs, place = file.crs.to_wkt(), ", ".join(map(str, file.transform.to_gdal()))
    entries = (COLORS.get(value, (0, 0, 0, 255)) for value in range(256))
    table = "".join(f'<Entry c1="{r}" c2="{g}" c3="{b}" c4="{a}"/>' for r, g, b, a in entries)
    palette = f"<ColorInterp>Palette</ColorInterp><ColorTable>{table}</ColorTable>"
    bands = ""
    for band in range(1, count + 1):
        sources = "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename>'
            f"<SourceBand>{band}</SourceBand>"
            f'<SrcRect xOff="0" yOff="0" xSize="{EDGE}" ySize="{EDGE}"/>'
            f'<DstRect xOff="{left}" yOff="0" xSize="{EDGE}" ySize="{EDGE}"/></SimpleSource>'
            for left, name in ((0, "left.tif"), (EDGE, "right.tif"))
        )
        kind = palette if count == 1 else ""
        bands += f'<VRTRasterBand dataType="Byte" band="{band}">{kind}{sources}</VRTRasterBand>'
    (folder / "mosaic.vrt").write_text(
        f'<VRTDataset rasterXSize="{2 * EDGE}" rasterYSize="{EDGE}"><SRS>{crs}</SRS>'
        f"<GeoTransform>{place}</GeoTransform>{bands}</VRTDataset>"
    )
    return folder / "mosaic.vrt"


@pytest.mark.parametrize("factor", [1, 0.5])
@pytest.mark.parametrize("nodata", [None, (1, 3)])
@pytest.mark.parametrize("count", [1, 3])
def test_both_halves_of_a_mosaic_are_the_same(tmp_path, count, nodata, factor):
    path = mosaic(tmp_path, count)
    with open_raster(path, nodata=nodata, factor=factor, bands=(1, 2, 3)) as raster:
        pixels, valid = raster.read()
    halves = [np.split(array, 2, axis=1) for array in (pixels, valid)]
    assert all((left == right).all() for left, right in halves)
    expected = COLORS[100][:3] if count == 1 else (100, 100, 100)
    assert (pixels[-1] == expected).all()
    assert valid.all() if nodata is None else 0.85 < valid.mean() < 0.95


@pytest.mark.filterwarnings("error::rasterio.errors.NotGeoreferencedWarning")
def test_the_files_of_a_mosaic_within_a_mosaic_are_listed_without_a_warning(tmp_path):
    (tmp_path / "inner.vrt").write_text(_nested("a.tif"))
    (tmp_path / "outer.vrt").write_text(_nested("inner.vrt"))
    write_raster(tmp_path / "a.tif", np.zeros((8, 8, 1), np.uint8))
    with open_raster(tmp_path / "outer.vrt") as raster:
        files = [Path(name).name for name, *_ in raster.identity[1]]
    assert files == ["outer.vrt", "inner.vrt", "a.tif"]


def _nested(file: str) -> str:
    """A VRT of one band of a file, without a georeference."""
    source = f'<SourceFilename relativeToVRT="1">{file}</SourceFilename><SourceBand>1</SourceBand>'
    band = f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource>{source}</SimpleSource>'
    return f'<VRTDataset rasterXSize="8" rasterYSize="8">{band}</VRTRasterBand></VRTDataset>'
