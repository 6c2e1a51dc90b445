"""What is let in: by what files hold, never by their names."""

import os

import numpy as np
import pytest

from segment.app.uploads import IMAGE_PIXELS, SCENE_PIXELS, admit
from segment.core.errors import InputError

from ..conftest import write_raster


@pytest.fixture
def received(tmp_path):
    return tmp_path / "uploads"


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("bomb", "at most 50 megapixels"),
        ("claim", "at most 500 megapixels"),
        ("empty", "an empty file"),
        ("program", "a program"),
        ("svg", "an SVG drawing"),
        ("vrt", "a VRT"),
        ("vrt as tif", "a VRT"),
        ("vrt in a jpeg", "must be a raster"),
        ("remote", "a VRT"),
        ("zip", "a ZIP archive"),
    ],
)
def test_hostile_files_are_refused(hostile, received, tmp_path, kind, rule):
    received.mkdir()
    upload = received / hostile[kind].name
    os.link(hostile[kind], upload)
    most = SCENE_PIXELS if kind == "claim" else IMAGE_PIXELS
    with pytest.raises(InputError, match=rule):
        admit(upload, [received], tmp_path / "job", most)


def test_a_bomb_below_the_limit_of_pixels_is_refused(received, tmp_path):
    upload = write_raster(received / "plain.png", np.zeros((6000, 6000, 3), np.uint8), zlevel=9)
    with pytest.raises(InputError, match="Save it again, whole"):
        admit(upload, [received], tmp_path / "job", IMAGE_PIXELS)


def test_a_scene_too_wide_for_memory_is_refused(received, tmp_path):
    wide = write_raster(received / "wide.tif", np.zeros((1, 100_001, 3), np.uint8))
    with pytest.raises(InputError, match="at most 100,000 pixels a side here. Received 100,001 x 1 pixels"):
        admit(wide, [received], tmp_path / "job", SCENE_PIXELS)


def test_a_single_huge_block_is_refused(received, tmp_path, monkeypatch):
    monkeypatch.setattr("segment.app.uploads._LARGEST_BLOCK", 2**20)
    noise = np.random.default_rng(0).integers(0, 255, (1024, 1024, 3), np.uint8)
    parts, whole = (
        write_raster(received / f"{edge}.tif", noise, tiled=True, blockxsize=edge, blockysize=edge) for edge in (64, 1024)
    )
    admit(parts, [received], tmp_path / "job", SCENE_PIXELS)
    with pytest.raises(InputError, match="read in parts. Received one that is a single block of 3 MB"):
        admit(whole, [received], tmp_path / "job", SCENE_PIXELS)


def test_names_stay_within_the_folder(received, tmp_path):
    """Of a name nothing remains that a path could be made of, and files elsewhere are not admitted at all."""
    image = write_raster(received / "-..\\..\\e t?c.tif", np.zeros((8, 8, 3), np.uint8))
    source = admit(image, [received], tmp_path / "job", IMAGE_PIXELS)
    assert source.path == tmp_path / "job" / "e_t_c.tif" and source.driver == "GTiff"
    outside = write_raster(tmp_path / "outside.tif", np.zeros((8, 8, 3), np.uint8))
    (received / "link.tif").symlink_to(outside)
    for path in (outside, received / ".." / "outside.tif", received / "link.tif", received):
        with pytest.raises(InputError, match="uploaded first"):
            admit(path, [received], tmp_path / "job", IMAGE_PIXELS)


def test_renamed_pictures_are_taken_for_what_they_are(received, tmp_path):
    picture = write_raster(received / "a.png", np.full((8, 8, 3), 9, np.uint8))
    source = admit(picture.rename(received / "a.tif"), [received], tmp_path / "job", IMAGE_PIXELS)
    assert source.path.name == "a.png" and source.driver == "PNG"
    with source.open() as raster:
        assert (raster.read()[0] == 9).all()
