"""Nodata that users state, and nodata that files do not declare."""

import numpy as np
import pytest
import rasterio
from PIL import Image

from segment.core.errors import InputError
from segment.core.raster.nodata import check_nodata, is_nodata, parse_nodata
from segment.core.raster.opening import open_raster
from segment.core.raster.orientation import Orientation
from tests.conftest import write_raster


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("0", 0.0),
        (" 255 ", 255.0),
        ("-9999", -9999.0),
        ("0-3", (0.0, 3.0)),
        ("-10--5", (-10.0, -5.0)),
        ("-10-5", (-10.0, 5.0)),
        ("-3.4028234663852886e+38", -3.4028234663852886e38),
        ("1e-3-2E-2", (0.001, 0.02)),
        (".5-1.", (0.5, 1.0)),
        ("-inf--9000", (-np.inf, -9000.0)),
        ("4-4", 4.0),
    ],
)
def test_a_value_or_a_range_is_parsed(text, expected):
    assert parse_nodata(text) == expected


def test_nan_is_a_value():
    assert np.isnan(parse_nodata("nan"))


@pytest.mark.parametrize(
    "text", ["", "black", "0,3", "0..3", "0-", "-", "3-0", "0-3-5", "1e", "--5"]
)
def test_other_texts_are_refused_in_one_line(text):
    with pytest.raises(InputError, match=r"--nodata: .*(Write|smaller)"):
        parse_nodata(text)


@pytest.mark.parametrize("nodata", [(3, 0), (1, 2, 3), "0", ("a", "b"), True, [0]])
def test_other_values_are_refused_in_python(nodata):
    with pytest.raises(InputError, match="nodata"):
        check_nodata(nodata)


def test_pairs_are_ranges_in_python():
    assert check_nodata([0, 3]) == (0.0, 3.0) and check_nodata((2, 2)) == 2.0


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_a_pixel_is_nodata_where_all_bands_are(dtype):
    pixels = np.array([[0, 3], [3, 4], [2, 2], [100, 0]], dtype)
    assert is_nodata(pixels, (0, 3)).tolist() == [True, False, True, False]
    assert is_nodata(pixels, 2.0).tolist() == [False, False, True, False]
    assert is_nodata(pixels, (-1e300, 1e300)).all()
    assert not is_nodata(pixels, (300.5, 1e300)).any()


def scene(size: int = 200, value: object = None, dtype: str = "uint8") -> np.ndarray:
    """A photograph, with one corner that holds a value."""
    pixels = np.random.default_rng(0).integers(10, 240, (size, size, 3)).astype(dtype)
    if value is not None:
        pixels[np.add.outer(np.arange(size), np.arange(size)) < size // 2] = value
    return pixels


def note(path, pixels, nodata=None, **profile):
    with open_raster(write_raster(path, pixels, **profile), nodata=nodata) as raster:
        return raster.undeclared_nodata()


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("uint8", 0),
        ("uint8", 255),
        ("uint16", 0),
        ("uint16", 65535),
        ("int16", -9999),
        ("int16", -32768),
        ("float32", -9999),
        ("float32", float(np.finfo("float32").min)),
    ],
)
def test_a_value_from_the_border_is_named_with_its_share_and_the_cure(tmp_path, dtype, value):
    found = note(tmp_path / "a.tif", scene(200, value, dtype))
    assert found and found.startswith("13% of the scene, from its border, is ")
    text = found.split("--nodata ")[1]
    assert parse_nodata(text) == value
    assert note(tmp_path / "b.tif", scene(200, value, dtype), parse_nodata(text)) is None
    declared = scene(200, value, dtype)
    with open_raster(write_raster(tmp_path / "d.tif", declared, nodata=value)) as raster:
        assert raster.undeclared_nodata() is None


@pytest.mark.parametrize(("value", "text"), [(0, "0-3"), (255, "252-255")])
def test_after_jpeg_a_range_is_named(tmp_path, value, text):
    pixels = scene(256, value)
    blurred = pixels.astype(int) + np.random.default_rng(1).integers(-3, 4, pixels.shape)
    pixels = np.where(pixels == value, blurred.clip(0, 255), pixels).astype(np.uint8)
    pixels[(pixels < 4).any(axis=2) & (pixels > 9).any(axis=2)] = 99
    found = note(tmp_path / "a.tif", pixels)
    assert (
        found and found.endswith(f"--nodata {text}") and f"is {text.replace('-', ' to ')}" in found
    )
    assert note(tmp_path / "b.tif", pixels, parse_nodata(text)) is None


def test_dark_areas_inside_and_thin_ones_are_no_nodata(tmp_path):
    pixels = scene()
    pixels[50:150, 50:150] = 0  # a lake
    assert note(tmp_path / "lake.tif", pixels) is None
    pixels = scene()
    pixels[0, :30] = 0
    assert note(tmp_path / "line.tif", pixels) is None
    pixels = scene()
    pixels[:60, :, 0] = 0  # in one band only
    assert note(tmp_path / "red.tif", pixels) is None
    assert note(tmp_path / "whole.tif", np.zeros((30, 30, 3), np.uint8)).startswith("100%")
    assert note(tmp_path / "single.tif", np.zeros((1, 1, 1), np.uint8)).startswith("100%")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_of_an_area_only_its_own_pixels_are_searched(tmp_path, orientation):
    stored = Orientation(orientation)
    pixels = scene(200, 0)[:, :180]
    path = tmp_path / "a.jpg"
    image = Image.fromarray(np.ascontiguousarray(pixels))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, quality=98, subsampling=0, exif=exif)
    upright = stored.turn(pixels)
    with open_raster(path) as raster:
        dark = [
            (upright[top : top + 60, left : left + 60] == 0).all(axis=2).mean()
            for top in (0, 70, raster.height - 60)
            for left in (0, 70, raster.width - 60)
        ]
        found = [
            raster.undeclared_nodata((top, top + 60, left, left + 60))
            for top in (0, 70, raster.height - 60)
            for left in (0, 70, raster.width - 60)
        ]
    shares = [0 if note is None else int(note.split("%")[0]) for note in found]
    assert shares == pytest.approx([100 * share for share in dark], abs=4)
    assert sum(map(bool, shares)) == 3
    assert all(" of the area, from its border, is 0" in note for note in found if note)


def test_a_large_scene_is_read_sparsely(tmp_path, monkeypatch):
    """Of one without overviews, 64 rows, whole and once, so that no block is decoded twice."""
    monkeypatch.setattr("segment.core.raster.alpha._DENSE", 1000)
    path = write_raster(
        tmp_path / "a.tif", scene(1000, 0), tiled=True, blockxsize=16, blockysize=16
    )
    with open_raster(path) as raster:
        windows = []
        read = raster.dataset.read
        raster.dataset = type(
            "Counted",
            (),
            {
                "__getattr__": lambda _, name: getattr(read.__self__, name),
                "read": lambda _, *a, **k: windows.append(k["window"]) or read(*a, **k),
            },
        )()
        assert raster.undeclared_nodata().startswith("13%")
    blocks = [int(window.row_off) // 16 for window in windows]
    assert blocks == sorted(set(blocks)) and len(blocks) >= 60
    assert all(window.height <= 16 and window.width == 1000 for window in windows)


@pytest.mark.parametrize("factor", [0.5, 1.5])
@pytest.mark.parametrize("nodata", [0.0, (0.0, 3.0), (-2.0, 3.0)])
def test_a_range_goes_into_no_resampled_pixel(tmp_path, factor, nodata):
    pixels = np.full((40, 40, 3), 200, np.uint8)
    pixels[:, :21] = 0
    with open_raster(
        write_raster(tmp_path / "a.tif", pixels), nodata=nodata, factor=factor
    ) as raster:
        found, valid = raster.read()
    assert set(np.unique(found[valid]).tolist()) == {200}
    assert valid.any() and not valid.all()


@pytest.mark.parametrize("factor", [0.4, 1.7])
@pytest.mark.parametrize("declared", [0, None])
@pytest.mark.parametrize("nodata", [7, (6, 8), (0, 7)])
def test_neither_declared_nor_stated_nodata_goes_into_a_resampled_pixel(
    tmp_path, declared, nodata, factor
):
    pixels = np.full((64, 64, 3), 100, np.uint8)
    pixels[40:51, 30:43] = 7
    pixels[:20, :21] = 7 if declared is None else 0
    path = write_raster(tmp_path / "a.tif", pixels, nodata=declared)
    with open_raster(path, nodata=nodata, factor=factor) as raster:
        found, valid = raster.read()
    assert np.unique(found[valid]).tolist() == [100]
    assert 0.8 < valid.mean() < 0.92


def test_means_of_other_values_stay_valid(tmp_path):
    """-20 and 20 are 0 on average, which is within the range."""
    pixels = np.tile(np.array([[-20, 20], [20, -20]], np.float32), (20, 20))[..., None]
    path = write_raster(tmp_path / "a.tif", pixels)
    with open_raster(path, nodata=(-1, 1), factor=0.5) as raster:
        assert raster.read()[1].all()


def test_nodata_that_is_declared_beside_a_mask_band_is_nodata(tmp_path):
    pixels = np.full((40, 40, 3), 90, np.uint8)
    pixels[:20, :20] = 0
    pixels[30, 30] = 0, 5, 0  # dark, but for one band
    mask = np.full((40, 40), 255, np.uint8)
    mask[20:, :10] = 0
    path = tmp_path / "scene.tif"
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write_raster(path, pixels, nodata=0)
        with rasterio.open(path, "r+") as file:
            file.write_mask(mask)
    with open_raster(path) as raster:
        _, valid = raster.read()
        assert raster.undeclared_nodata() is None
    assert not valid[:20, :20].any() and not valid[20:, :10].any()
    assert valid.sum() == 40 * 40 - 400 - 200
