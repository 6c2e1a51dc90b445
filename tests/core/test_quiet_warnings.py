"""Warnings that reach nobody, from any thread, and filters that stay what they were."""

import warnings
from pathlib import Path
from threading import Thread

import numpy as np
from rasterio.errors import NotGeoreferencedWarning

from segment.core.quiet_warnings import without_warnings
from segment.mapping.predict import predict_scene
from tests.conftest import write_raster
from tests.fakes import FakeModel


def test_filters_are_what_they_were_when_the_last_thread_has_left() -> None:
    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        second = without_warnings()
        with without_warnings():
            thread = Thread(target=second.__enter__)
            thread.start()
            thread.join()
        warnings.warn("no geotransform", NotGeoreferencedWarning, stacklevel=1)
        assert not reported  # the second one is within
        second.__exit__(None, None, None)
        assert warnings.filters == before
        warnings.warn("no geotransform", NotGeoreferencedWarning, stacklevel=1)
        assert len(reported) == 1


def test_a_scene_with_alpha_and_nodata_is_mapped_without_a_word(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(10, 255, (40, 50, 4), np.uint8)
    pixels[..., 3], pixels[:10, :, :3], pixels[20:30] = 255, 7, 0
    scene = write_raster(tmp_path / "scene.tif", pixels, photometric="RGB", alpha="YES")
    model = FakeModel(bands=3, ground_sampling_distance=0.6)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        made = predict_scene(scene, model, tmp_path / "out", nodata=7, resample=True)
    assert made.report["settings"]["factor"] == 0.5
    assert not [one for one in warned if "nodata" in str(one.message)]


def test_a_scene_without_a_georeference_is_mapped_without_a_word(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "scene.png", np.zeros((40, 50, 1), np.uint8))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        predict_scene(scene, FakeModel(), tmp_path / "out", confidence=True, polygons=True)
    assert not [
        str(one.message)
        for one in warned
        if "georeference" in str(one.message).lower() or "crs" in str(one.message)
    ]
