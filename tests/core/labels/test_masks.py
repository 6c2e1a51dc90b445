import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy

from segment.core.errors import InputError
from segment.core.labels.masks import read_mask
from tests.conftest import write_raster


@pytest.mark.parametrize(
    "bands, dtype", [(2, np.uint8), (5, np.uint8), (3, np.uint16), (4, np.float32)]
)
def test_what_is_neither_values_nor_colours_is_refused_by_name(tmp_path, bands, dtype):
    mask = write_raster(
        tmp_path / "m.tif", np.zeros((2, 2, bands), dtype), photometric="minisblack"
    )
    with pytest.raises(
        InputError,
        match=rf"m\.tif: mask has {bands} bands of {np.dtype(dtype).name}\. Export it",
    ):
        read_mask(mask)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "bands, dtype", [(1, np.uint16), (1, np.float32), (3, np.uint8), (4, np.uint8)]
)
def test_values_and_colours_are_read_as_they_are_stored(tmp_path, bands, dtype):
    pixels = np.arange(4 * bands).reshape(2, 2, bands).astype(dtype)
    mask = write_raster(tmp_path / "m.tif", pixels, photometric="minisblack")
    np.testing.assert_array_equal(read_mask(mask), pixels)


@pytest.mark.parametrize("name", ["a.img", "a.vrt", "a.pix", "a.asc"])
def test_the_colour_table_of_a_class_raster_changes_no_value(tmp_path, name):
    source = tmp_path / "source.tif"
    values = np.arange(24, dtype=np.uint8).reshape(4, 6)
    write_raster(source, values[..., None])
    with rasterio.open(source, "r+") as file:
        file.write_colormap(1, {i: (9, i, 200, 255) for i in range(24)})
    copy(source, tmp_path / name)
    assert np.array_equal(read_mask(tmp_path / name)[..., 0], values)
    copy(source, tmp_path / "a.png", driver="PNG")
    copy(tmp_path / "a.png", tmp_path / "of_png.vrt", driver="VRT")
    for picture in ("a.png", "of_png.vrt"):
        assert read_mask(tmp_path / picture)[1, 2].tolist() == [9, 8, 200]


def test_nodata_that_is_declared_beside_a_mask_band_is_unlabelled(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write_raster(tmp_path / "mask.tif", values, nodata=3)
        with rasterio.open(tmp_path / "mask.tif", "r+") as file:
            file.write_mask(np.arange(24).reshape(4, 6) != 9)
    hidden = np.ma.getmaskarray(read_mask(tmp_path / "mask.tif"))[..., 0]
    assert np.flatnonzero(hidden).tolist() == [3, 9]
