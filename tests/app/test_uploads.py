"""What is let in: by what files hold, never by their names."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from segment.app.jpeg import bytes_at_once
from segment.app.uploads import IMAGE_PIXELS, SCENE_PIXELS, admit, choose_bands
from segment.core.errors import InputError

from ..conftest import write_raster


@pytest.fixture
def received(tmp_path):
    return tmp_path / "uploads"


@pytest.mark.slow
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


def write_jpeg(path: Path, progressive: int, sampling: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (160, 320, 3), np.uint8)
    cv2.imwrite(str(path), noise, [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling])
    return path


@pytest.mark.parametrize(
    ("sampling", "samples"),
    [
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, 3),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, 2),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, 1.5),
    ],
)
def test_progressive_jpegs_may_take_as_much_memory_as_a_block(received, tmp_path, monkeypatch, sampling, samples):
    """All of their coefficients, of two bytes, are decoded before the first row is."""
    rows, whole = (write_jpeg(received / f"{progressive}.jpg", progressive, sampling) for progressive in (0, 1))
    assert bytes_at_once(rows) == 0 and bytes_at_once(whole) == 2 * 160 * 320 * samples
    admit(whole, [received], tmp_path / "job", SCENE_PIXELS)
    monkeypatch.setattr("segment.app.uploads._LARGEST_BLOCK", 100_000)
    admit(rows, [received], tmp_path / "again", SCENE_PIXELS)
    with pytest.raises(InputError, match="Save it as a JPEG that is not progressive"):
        admit(whole, [received], tmp_path / "again", SCENE_PIXELS)


@pytest.mark.parametrize("cut", [2, 3, 5, 20, 160])
def test_headers_of_jpegs_may_be_anything(tmp_path, cut):
    path = write_jpeg(tmp_path / "a.jpg", 1, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
    path.write_bytes(path.read_bytes()[:cut] + b"\xff" * 300_000)
    assert bytes_at_once(path) == 0


def test_bands_are_named_by_numbers():
    assert choose_bands("4, 3,2") == (4, 3, 2) and choose_bands(" ") is None
    for text, rule in (
        ("red", "numbers from 1"),
        ([1, 2], "in quotes"),
        ("9" * 5000, "a list"),
        (",".join("1" * 17), "at most 16"),
    ):
        with pytest.raises(InputError, match=rule):
            choose_bands(text)


def test_names_that_no_file_can_have_are_told(received, tmp_path):
    received.mkdir()
    for name in ("a" * 300 + ".tif", "a\0.tif", "\ud800.tif"):
        with pytest.raises(InputError, match="uploaded first"):
            admit(received / name, [received], tmp_path / "job", IMAGE_PIXELS)


def test_long_names_are_cut_by_their_bytes(received, tmp_path):
    image = write_raster(received / f"{'𠀀' * 60}.tif", np.zeros((8, 8, 3), np.uint8))
    assert admit(image, [received], tmp_path / "job", IMAGE_PIXELS).path.name == "𠀀" * 30 + ".tif"


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
