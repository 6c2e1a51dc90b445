"""Tiles keep the names of bands, by which models find them, and leave nodata ranges out."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from segment.core.errors import InputError
from segment.data.cutting import cut_scene
from segment.data.survey import find_band_names
from tests.conftest import write_raster


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(10, 250, (64, 128, 4), np.uint8)


def cut(folder: Path, pixels: np.ndarray, names: tuple[str, ...] | None, **options) -> Path:
    scene = write_raster(folder / "scene.tif", pixels, photometric="minisblack", alpha="no")
    with rasterio.open(scene, "r+") as file:
        if names:
            file.descriptions = names
    mask = write_raster(folder / "mask.tif", np.ones((*pixels.shape[:2], 1), np.uint8))
    cut_scene(scene, mask, folder / "tiles", 32, **options)
    return folder / "tiles" / "images"


def test_names_of_bands_reach_the_model(tmp_path: Path, pixels: np.ndarray) -> None:
    names = ("NIR", "Red", "Green", "B02")
    first = sorted(cut(tmp_path / "a", pixels, names).iterdir())
    with rasterio.open(first[0]) as file:
        assert file.descriptions == names
    assert find_band_names(first) == ["near infrared", "red", "green", "blue"]
    others = sorted(cut(tmp_path / "b", pixels, None).iterdir())
    assert find_band_names(others) == []
    assert find_band_names([*first, *others]) == []


def test_a_range_is_masked_in_tiles(tmp_path: Path, pixels: np.ndarray) -> None:
    pixels[:, :40] = np.random.default_rng(1).integers(0, 4, (64, 40, 4))
    found = cut(tmp_path / "a", pixels, None, nodata=(0, 3))
    assert sorted(file.name[-6:-4] for file in found.iterdir()) == [
        "32",
        "32",
        "64",
        "64",
        "96",
        "96",
    ]
    with rasterio.open(found / "r000000_c000032.tif") as file:
        assert (file.read_masks(1) == 0).sum(axis=1).tolist() == [8] * 32
    with pytest.raises(InputError, match="goes down"):
        cut(tmp_path / "b", pixels, None, nodata=(3, 0))
