import numpy as np
import pytest

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
