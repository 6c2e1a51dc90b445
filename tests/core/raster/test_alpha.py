"""Bands tagged as alpha: masks keep masking, infrared does not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import NodataShadowWarning

from segment.core.pixels.alpha_content import alpha_content
from segment.core.raster.opening import open_raster
from segment.core.raster.sources import Source, decide_alpha
from tests.conftest import SHARED, write_raster

RGBA = {"photometric": "RGB", "alpha": "yes"}


def distances(size: int, shape: str) -> np.ndarray:
    """Pixels from the edge of a shape, positive inside."""
    rows, columns = np.mgrid[:size, :size]
    if shape == "disc":
        return size * 0.45 - np.hypot(columns - size / 2, rows - size / 2)
    if shape == "half":
        return columns - size / 2
    if shape == "turned":
        across, along = (
            columns - size / 2 + 0.3 * (rows - size / 2),
            rows - size / 2 - 0.3 * (columns - size / 2),
        )
        return np.minimum(size * 0.4 - abs(across), size * 0.4 - abs(along))
    # to the border of the picture
    return np.minimum.reduce([columns, rows, size - 1 - columns, size - 1 - rows]) + 1


def feathered(size: int, width: float, shape: str, dtype: str = "uint8") -> np.ndarray:
    most = np.iinfo(dtype).max
    return np.rint(np.clip(distances(size, shape) / width, 0, 1) * most).astype(dtype)


def infrared(size: int = 64, seed: int = 0, dtype: str = "uint8") -> np.ndarray:
    """Land of many values, a lake of 0 and a bright roof."""
    values = np.random.default_rng(seed).integers(40, 200, (size, size)).astype(dtype)
    values[:, : size // 3] = 0
    values[size // 4 : size // 2, size // 2 : size // 2 + 8] = 255
    return values


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("shape", ["disc", "half", "turned", "border"])
@pytest.mark.parametrize(("size", "width"), [(64, 1.5), (64, 8), (200, 6), (512, 40)])
def test_feathered_edges_are_a_mask(size, width, shape, dtype):
    assert alpha_content(feathered(size, width, shape, dtype)) == "mask"


def test_other_masks():
    blurred = cv2.GaussianBlur(feathered(256, 1, "disc"), (0, 0), 5)
    averaged = cv2.resize(feathered(512, 1, "turned"), (128, 128), interpolation=cv2.INTER_AREA)
    lossy = cv2.imdecode(
        cv2.imencode(".jpg", feathered(256, 1, "turned"), [cv2.IMWRITE_JPEG_QUALITY, 90])[1], 0
    )
    half_transparent = np.where(distances(64, "disc") > 0, 128, 0)
    for mask in (
        blurred,
        averaged,
        lossy,
        half_transparent,
        half_transparent > 0,
        feathered(64, 4, "half") / 255.0,
    ):
        assert alpha_content(mask) == "mask"


@pytest.mark.parametrize("quality", [60, 75, 90])
@pytest.mark.parametrize("shape", ["disc", "turned"])
def test_jpeg_blurs_a_mask(shape, quality):
    lossy = cv2.imencode(".jpg", feathered(512, 1, shape), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    assert alpha_content(cv2.imdecode(lossy, 0)) == "mask"


@pytest.mark.parametrize("size", [64, 256, 512])
def test_infrared_of_water_and_even_land_is_no_mask(size):
    even = np.random.default_rng(0).integers(243, 256, (size, size)).astype(np.uint8)
    even[5:10, 5:10], even[: size // 2] = 255, 0
    assert alpha_content(even) == "band"


def test_one_level_decides_nothing():
    assert [alpha_content(np.full((9, 9), value, np.uint8)) for value in (0, 1, 255)] == [
        "zero",
        "constant",
        "constant",
    ]


def test_spectral_bands_are_none():
    islands = np.zeros((256, 256), np.uint8)
    islands[100:130, 50:90] = np.random.default_rng(0).integers(40, 200, (30, 40))
    outlier = np.random.default_rng(0).integers(200, 3000, (256, 256)).astype(np.uint16)
    outlier[5, 5] = outlier[50:60, 5:20] = 65535
    outlier[:, :100] = 0
    # one value a class
    patches = np.kron(np.array([[0, 60], [180, 255]]), np.ones((32, 32))).astype(np.uint8)
    gradient = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    holes = infrared().astype(np.float32)
    holes[40:50, 40:50] = np.nan
    for band in (
        infrared(),
        infrared(200, dtype="uint16"),
        islands,
        outlier,
        patches,
        gradient,
        holes,
    ):
        assert alpha_content(band) == "band"


def test_real_bands():
    scenes = SHARED / "data" / "scenes"
    if not scenes.is_dir():
        pytest.skip("the scenes are not here")
    with rasterio.open(scenes / "bahamas_rgba.tif") as file:
        assert alpha_content(file.read(4)) == "mask"
    with rasterio.open(scenes / "naip_5m_rgbn.tif") as file:
        for band in file.read():
            water = np.where(band < 60, 0, band)
            stretched = np.clip((band.astype(float) - 60) * 2, 0, 255).astype(np.uint8)
            for values in (band, water, stretched, band[::5, ::5], band[100:164, 200:264]):
                assert alpha_content(values) == "band"


def rgb_and(path: Path, fourth: np.ndarray, **profile: object) -> Path:
    pixels = np.random.default_rng(3).integers(1, 255, (*fourth.shape, 4)).astype(fourth.dtype)
    pixels[..., 3] = fourth
    return write_raster(path, pixels, **(RGBA if path.suffix == ".tif" else {}), **profile)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_infrared_masks_nothing_whatever_is_read(tmp_path, name):
    path = rgb_and(tmp_path / name, infrared())
    with open_raster(path) as raster:
        pixels, valid = raster.read()
        assert (
            raster.bands == (1, 2, 3, 4) and valid.all() and "tagged as alpha" in raster.alpha_note
        )
        np.testing.assert_array_equal(pixels[..., 3], infrared())
        assert pixels[:, 0, :3].all()  # over the lake
    for source, expected, bands in [
        (Source(path), 3, (1, 2, 3)),
        (Source(path), 4, (1, 2, 3, 4)),
        (Source.of(path, [3, 2, 1]), 3, (3, 2, 1)),
        (Source.of(path, [4, 1]), None, (4, 1)),
        (Source(path, (1, 2, 3)), None, (1, 2, 3)),
    ]:
        with source.open(expected) as raster:
            assert raster.bands == bands and raster.read()[1].all()


def test_infrared_masks_nothing_when_it_is_resampled(tmp_path):
    path = rgb_and(tmp_path / "a.tif", infrared())
    for bands, expected in (None, 4), (None, 3), ((1, 2), None):
        with open_raster(path, bands, factor=0.5, expected=expected) as raster:
            pixels, valid = raster.read()
            assert valid.all() and pixels[:, 0, :2].all() and raster.height == 32
            assert len(raster.bands) == (expected or 2)
    with open_raster(
        rgb_and(tmp_path / "mask.tif", feathered(64, 1, "half")), factor=0.5
    ) as raster:
        assert raster.read()[1].mean() == 0.5


def test_masks_mask_but_where_bands_are_asked_for(tmp_path):
    path = rgb_and(tmp_path / "a.tif", feathered(64, 4, "half"))
    for source in (Source(path), Source(path, (1, 2, 3))):  # bands that a model reads
        with source.open(4) as raster:
            assert (
                raster.bands == (1, 2, 3)
                and 0.4 < raster.read()[1].mean() < 0.6
                and raster.alpha_note is None
            )
    with Source.of(path, (1, 2, 3)).open() as raster:
        assert raster.read()[1].all() and "its mask is not used" in raster.alpha_note
    with Source.of(path, (1, 2, 3, 4)).open() as raster:
        assert raster.read()[1].all() and raster.alpha_note is None


@pytest.mark.heavy
def test_grey_and_other_masks_beside_infrared(tmp_path):
    grey = np.stack([infrared(seed=1), infrared()], axis=2)
    path = write_raster(tmp_path / "grey.tif", grey, nodata=0)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = (ColorInterp.gray, ColorInterp.alpha)
    with open_raster(path) as raster:
        assert raster.bands == (1, 2)
        # declared nodata counts on
        np.testing.assert_array_equal(raster.read()[1], (grey != 0).any(axis=2))
    masked = rgb_and(tmp_path / "masked.tif", infrared())
    mask = np.zeros((64, 64), bool)
    mask[:20] = True
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(masked, "r+") as file:
        file.write_mask(mask)
    with open_raster(masked) as raster:
        np.testing.assert_array_equal(raster.read()[1], mask)


def test_a_large_scene_is_judged_by_an_overview(tmp_path, monkeypatch):
    whole = rgb_and(
        tmp_path / "a.tif", cv2.resize(infrared(), (1200, 1500), interpolation=cv2.INTER_NEAREST)
    )
    read = []
    original = alpha_content
    monkeypatch.setattr(
        "segment.core.raster.alpha.alpha_content",
        lambda values: read.append(values.shape) or original(values),
    )
    with open_raster(whole) as raster:
        assert raster.alpha == "band"
    monkeypatch.setattr("segment.core.raster.alpha._DENSE", 1000)
    other = rgb_and(tmp_path / "b.tif", feathered(1500, 20, "disc"))
    for _ in range(3):
        with open_raster(other) as raster:
            assert raster.alpha == "mask"
    with Source(other, alpha="band").open() as raster:  # as a worker is given it
        assert raster.alpha == "band"
    assert read == [(512, 512), (64, 64)]


def test_a_folder_decides_together(tmp_path):
    lake = rgb_and(tmp_path / "lake.tif", np.zeros((64, 64), np.uint8))
    two = rgb_and(tmp_path / "two.tif", np.where(infrared() > 0, 90, 0).astype(np.uint8))
    others = [rgb_and(tmp_path / f"{seed}.tif", infrared(seed=seed)) for seed in range(2)]
    with open_raster(lake) as raster:
        assert raster.bands == (1, 2, 3) and not raster.read()[1].any()
    with open_raster(lake, expected=4) as raster:
        assert raster.bands == (1, 2, 3, 4)
    decide_alpha([lake, two, *others])
    for path in (lake, two, *others):
        with open_raster(path) as raster:
            assert raster.bands == (1, 2, 3, 4) and raster.read()[1].all()
    masks = [
        rgb_and(tmp_path / f"m{width}.png", feathered(64, width, "turned")) for width in (1, 4)
    ]
    full = rgb_and(tmp_path / "full.png", np.full((64, 64), 255, np.uint8))
    decide_alpha([*masks, full, rgb_and(tmp_path / "noise.png", infrared())])
    for path in (*masks, full):
        with open_raster(path) as raster:
            assert raster.bands == (1, 2, 3)


def test_a_damaged_file_is_reported_as_before(tmp_path):
    path = rgb_and(tmp_path / "a.png", infrared(256))
    path.write_bytes(path.read_bytes()[:20_000])
    with open_raster(path) as raster:
        assert raster.alpha == "mask"


@pytest.mark.parametrize("quality", [90, 30])
def test_pixels_around_an_alpha_band_in_jpeg_stay_hidden(tmp_path, quality):
    alpha = feathered(256, 0.01, "turned")
    pixels = np.dstack([np.where(alpha, 120, 0).astype(np.uint8)] * 3 + [alpha])
    lossy = {"compress": "JPEG", "JPEG_QUALITY": quality, "tiled": True}
    blocks = {"blockxsize": 64, "blockysize": 64, "interleave": "pixel"}
    path = write_raster(tmp_path / "a.tif", pixels, **RGBA, **lossy, **blocks)
    with rasterio.open(path) as file:
        assert ((file.read(4) > 0) & (alpha == 0)).any()  # values ring around the edge
    with open_raster(path, expected=3) as raster:
        assert (raster.read()[1] == (alpha > 0)).mean() > 0.995


@pytest.mark.parametrize("bands", [None, (4, 1, 2), (1, 2, 3)])
def test_nodata_beside_an_alpha_band_is_no_warning_of_a_library(tmp_path, recwarn, bands):
    pixels = np.full((8, 8, 4), 9, np.uint8)
    pixels[:2] = 0
    path = write_raster(tmp_path / "scene.tif", pixels, nodata=0, **RGBA)
    with Source(path, bands=bands).open() as raster:
        valid = raster.read(0, 0)[1]
    assert not valid[:2].any() and valid[2:].all()
    assert not [one for one in recwarn if one.category is NodataShadowWarning]
