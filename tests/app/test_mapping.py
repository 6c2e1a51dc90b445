"""Mapping an uploaded scene: what the page shows of it."""

import cv2
import numpy as np
import pytest

from segment.app.jobs import Jobs
from segment.app.mapping import Settings, find_probabilities, map_upload
from segment.app.shelf import Shelf
from segment.core.errors import InputError

from ..conftest import write_raster
from ..fakes import NAMES, FakeModel


@pytest.fixture
def map_it(monkeypatch):
    """Maps a file with a model whose class is the value of the first band."""
    jobs, shelf = Jobs(), Shelf()
    monkeypatch.setattr(shelf, "load", lambda task, name: FakeModel(bands=3))

    def run(pixels, truth=None, **profile):
        place = jobs.uploads / "a"
        place.mkdir()
        scene = write_raster(place / "scene.tif", pixels, **profile)
        mask = None if truth is None else write_raster(place / "truth.tif", truth)
        job = jobs.begin("me", "map")
        return job.do(lambda: map_upload(job, shelf, jobs.received, scene, mask, Settings("bundled", 0.25)))

    yield run
    jobs.close()


def test_scenes_too_large_for_a_page_are_mapped_whole_and_shown_reduced(map_it, monkeypatch):
    monkeypatch.setattr("segment.app.mapping.SHOWN", 50)
    pixels = np.zeros((60, 200, 3), np.uint8)
    pixels[:, 100:] = 4
    mapped = map_it(pixels, pixels[..., :1] * 10)
    assert mapped.size == (60, 200) and mapped.files.report["mean_jaccard"] == 1
    assert mapped.files.report["pixels_by_class"] == dict.fromkeys(NAMES, 0) | {"building": 6000, "water": 6000}
    shown = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in (mapped.photograph, mapped.picture)]
    assert [picture.shape for picture in shown] == [(15, 50, 3), (15, 50, 4)]
    assert shown[1][7, 10].tolist() == [0x98, 0x10, 0x3C, 255] and shown[1][7, 40].tolist() == [0x29, 0xA9, 0xE2, 255]
    assert next(iter(find_probabilities(mapped, 59, 199))) == "water"
    with pytest.raises(InputError, match="rows 0 to 59, columns 0 to 199. Received row 60"):
        find_probabilities(mapped, 60, 0)


def test_nodata_is_transparent_and_has_no_class(map_it):
    pixels = np.full((40, 40, 3), 2, np.uint8)
    pixels[:20] = 255
    mapped = map_it(pixels, nodata=255)
    picture = cv2.imread(str(mapped.picture), cv2.IMREAD_UNCHANGED)
    assert not picture[:20, :, 3].any() and picture[20:, :, 3].all()
    assert find_probabilities(mapped, 0, 0) is None and next(iter(find_probabilities(mapped, 30, 0))) == "road"
