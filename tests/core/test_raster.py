import numpy as np
import pytest

from segment.core.errors import InputError
from segment.core.raster import open_raster

from ..conftest import write_raster


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
@pytest.mark.parametrize("size", [32, 256])
def test_a_file_that_was_cut_off_is_an_error_and_not_a_picture(tmp_path, name, size):
    pixels = np.random.default_rng(0).integers(0, 255, (size, size, 3)).astype(np.uint8)
    whole = write_raster(tmp_path / name, pixels).read_bytes()
    for share in (0.02, 0.1, 0.5, 0.9, 0.99):
        cut = tmp_path / f"cut-{share}{name[1:]}"
        cut.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InputError, match="cut-"), open_raster(cut) as raster:
            raster.read()


def test_a_name_that_the_system_refuses_is_an_error_that_names_it(tmp_path):
    with (
        pytest.raises(InputError, match=r"aaa\.tif: must be a raster file. Received: no such file"),
        open_raster(tmp_path / f"{'a' * 300}.tif"),
    ):
        pass
