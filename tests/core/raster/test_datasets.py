"""Open rasterio datasets are opened again as what they are."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.testing import assert_array_equal
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT

from segment.core.errors import InputError
from segment.core.raster.sources import Source, as_source
from segment.mapping.predict import predict_scene
from segment.mapping.window import predict_window
from tests.conftest import write_raster
from tests.fakes import PlaceModel


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A scene of 60 x 90 pixels."""
    return write_raster(
        tmp_path / "scene.tif", np.random.default_rng(0).integers(1, 255, (60, 90, 3), np.uint8)
    )


def read(source: Source) -> np.ndarray:
    with source.open() as raster:
        return raster.read()[0]


def test_a_file_is_the_file(scene: Path) -> None:
    with rasterio.open(scene) as dataset:
        assert as_source(dataset, [3, 1], 0) == as_source(scene, [3, 1], 0)
        assert as_source(dataset).path == scene


def test_files_in_memory_and_warped_views_are_opened_again(scene: Path, tmp_path: Path) -> None:
    model = PlaceModel(bands=3)
    with MemoryFile(scene.read_bytes()) as memory, memory.open() as dataset:
        assert_array_equal(read(as_source(dataset)), read(Source(scene)))
        assert_array_equal(predict_window(dataset, model), predict_window(scene, model))
    finer = {"crs": "EPSG:32640", "height": 90, "width": 135, "resampling": 1}
    with rasterio.open(scene) as dataset, WarpedVRT(dataset, **finer) as warped:
        source = as_source(warped)
        assert source.stem == "scene" and as_source(warped) == source
        assert_array_equal(read(source), warped.read().transpose(1, 2, 0))
        found = predict_scene(warped, model, tmp_path / "maps")
        assert found.classes == tmp_path / "maps" / "scene_classes.tif"
        with rasterio.open(found.classes) as classes:
            assert classes.transform.almost_equals(warped.transform)
            assert_array_equal(classes.read(1), predict_window(warped, model))
        again = predict_scene(warped, model, tmp_path / "maps")
        assert again.report["notes"] == ["The files existed already; nothing was computed."]
    assert_array_equal(read(source), read(as_source(source)))  # as long as the file is there


def test_an_overview_is_no_other_raster(scene: Path) -> None:
    with rasterio.open(scene, "r+") as dataset:
        dataset.build_overviews([2])
    with rasterio.open(scene, overview_level=0) as reduced:
        assert reduced.shape == (30, 45)
        assert_array_equal(read(as_source(reduced)), reduced.read().transpose(1, 2, 0))


def test_what_cannot_be_opened_again_is_refused(scene: Path) -> None:
    with rasterio.open(scene, "r+") as dataset, pytest.raises(InputError, match="for writing"):
        as_source(dataset)
    with pytest.raises(InputError, match=r"scene.tif: the dataset is closed"):
        as_source(dataset)
    with (
        rasterio.open(scene) as dataset,
        WarpedVRT(dataset, height=30, width=45) as once,
        WarpedVRT(once, height=60, width=90) as twice,
        pytest.raises(InputError, match=r"scene.tif.*Write it to a file first"),
    ):
        as_source(twice)
    memory = MemoryFile(scene.read_bytes())
    for wrong in (memory, None, [scene], np.zeros((9, 9, 3), np.uint8)):
        with pytest.raises(InputError, match=r"an open rasterio dataset. Received .*predict_array"):
            as_source(wrong)
