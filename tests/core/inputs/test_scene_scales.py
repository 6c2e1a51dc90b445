"""Which scenes of a command are brought to 8 bits, and by which scale."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.testing import assert_allclose, assert_array_equal
from rasterio.enums import ColorInterp

from segment.core.errors import InputError
from segment.core.inputs.scene_scales import (
    ModelPixels,
    SceneScales,
    scale_sources,
)
from segment.core.pixels.band_scale import BandScale
from segment.core.progress import Silent
from segment.core.raster.reduced import read_reduced
from segment.core.raster.sources import Source
from segment.core.training.image_scale import choose_one_scale
from tests.conftest import write_raster

RGB = ModelPixels(3, "uint8")


class Lines(Silent):
    """Keeps the lines of messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def noise(low: float, high: float, dtype: str = "uint16", size: int = 40, seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(low, high, (size, size, 3)).astype(dtype)


def scales(sources: list[Source], option: Any = "auto", model: ModelPixels = RGB) -> list[Any]:
    return [source.scale for source in scale_sources(sources, option, model)]


def write(path: Path, pixels: np.ndarray, **profile: object) -> Source:
    return Source(write_raster(path, pixels, **profile))


def test_one_scale_for_all_scenes_of_a_type(tmp_path: Path) -> None:
    dark = write(tmp_path / "dark.tif", noise(100, 500))
    bright = write(tmp_path / "bright.tif", noise(1500, 2000))
    floats = write(tmp_path / "floats.tif", noise(0, 1, "float32"))
    plain = write(tmp_path / "plain.tif", noise(0, 255, "uint8"))
    one, other, third, none = scales([dark, bright, floats, plain])
    assert one == other
    assert one.low[0] < 110 and one.high[0] > 1990
    assert third.dtype == "float32" and third.high[0] < 1
    assert none is None
    assert scales([bright, plain, dark, floats])[0] == one  # whatever the order
    (alone,) = scales([dark])
    assert alone.high[0] < 510


def test_which_scenes_are_scaled(tmp_path: Path) -> None:
    deep = write(tmp_path / "deep.tif", noise(100, 500))
    plain = write(tmp_path / "plain.tif", noise(0, 255, "uint8"))
    both = [deep, plain]
    assert scales(both, "never") == [None, None]
    assert [s.high for s in scales(both, "10,300")] == [(300.0,) * 3] * 2
    assert [s.high for s in scales(both, (10, 300))] == [(300.0,) * 3] * 2
    assert [s.dtype for s in scales(both, "2%,98%")] == ["uint16", "uint8"]
    for dtype in ("uint16", "float32"):  # they take such pixels, or refuse them, as they are
        assert scales(both, "auto", ModelPixels(3, dtype)) == [None, None]
    kept = BandScale((1.0,) * 3, (2.0,) * 3, "uint16", "kept")
    assert scales([Source(deep.path, scale=kept)], "10,300") == [kept]
    assert scales([Source(tmp_path / "none.tif"), deep])[0] is None


def test_the_scale_of_a_training_is_that_of_its_data_type(tmp_path: Path) -> None:
    own = BandScale((5.0,) * 3, (50.0,) * 3, "uint16", "training")
    model = ModelPixels(3, "uint8", own)
    deep = write(tmp_path / "deep.tif", noise(100, 500))
    floats = write(tmp_path / "floats.tif", noise(0, 1, "float32"))
    plain = write(tmp_path / "plain.tif", noise(0, 255, "uint8"))
    first, second, third = scales([deep, floats, plain], "auto", model)
    assert (first.low, first.high) == (own.low, own.high)
    assert "training" in first.note
    assert second.high[0] <= 1 and third is None
    assert scales([deep], "never", model) == [None]
    assert scales([deep], "0,9", model)[0].high == (9.0,) * 3


def test_a_report_is_for_its_data_type(tmp_path: Path) -> None:
    deep = write(tmp_path / "deep.tif", noise(100, 500))
    plain = write(tmp_path / "plain.tif", noise(0, 255, "uint8"))
    report = tmp_path / "a_report.json"
    report.write_text('{"scale": {"low": [1, 2, 3], "high": [9, 8, 7], "dtype": "uint16"}}')
    for option in (report, str(report)):
        first, second = scales([deep, plain], option)
        assert (first.low, first.high, second) == ((1, 2, 3), (9, 8, 7), None)
        lines = Lines()
        scale_sources([deep, plain], option, RGB, lines)
        (line,) = lines.lines
        assert "pixels of uint16: scenes of uint8 are read as they are" in line
        scale_sources([deep], option, RGB, lines)
        assert lines.lines == [line]  # nothing to report
    with pytest.raises(InputError, match=r"for 3 bands, the model takes 4\. Give"):
        scales([deep], report, ModelPixels(4, "uint8"))


@pytest.mark.parametrize("option", ["0,9", "2%,98%", (0, 9)])
def test_a_model_of_other_pixels_takes_no_scale(option: Any) -> None:
    with pytest.raises(InputError, match=r"takes uint16\. Received .*\. Leave it out"):
        SceneScales.of(option, ModelPixels(3, "uint16"))


def test_what_is_not_valid_does_not_count(tmp_path: Path) -> None:
    pixels = noise(100, 500, "int16")
    (expected,) = scales([write(tmp_path / "whole.tif", pixels)])
    assert expected.low[0] >= 100
    holed = np.concatenate([pixels, np.full((20, 40, 3), -3000, np.int16)])
    (declared,) = scales([write(tmp_path / "declared.tif", holed, nodata=-3000)])
    assert (declared.low, declared.high) == (expected.low, expected.high)
    (asked,) = scales([Source(write(tmp_path / "asked.tif", holed).path, nodata=-3000)])
    assert (asked.low, asked.high) == (expected.low, expected.high)
    floats = np.concatenate([noise(0, 1, "float32"), np.full((9, 40, 3), np.nan, np.float32)])
    floats[-3:] = np.inf
    (finite,) = scales([write(tmp_path / "floats.tif", floats)])
    assert 0 <= finite.low[0] < finite.high[0] <= 1
    alpha = np.zeros((60, 40, 1), np.int16)
    alpha[:40] = 255
    rgba = write(tmp_path / "rgba.tif", np.concatenate([holed, alpha], axis=2))
    with rasterio.open(rgba.path, "r+") as file:
        file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    (masked,) = scales([rgba])
    assert (masked.low, masked.high) == (expected.low, expected.high)
    (nothing,) = scales([write(tmp_path / "nothing.tif", np.full((9, 9, 3), 7, "u2"), nodata=7)])
    assert "no valid pixel" in nothing.note


@pytest.mark.parametrize("shape", [(1, 1), (64, 65), (700, 90), (90, 700)])
def test_windows_of_large_scenes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    pixels = np.stack([1000 + rows + columns] * 3, axis=2).astype(np.uint16)
    scene = write(tmp_path / "scene.tif", pixels)
    (whole,) = scales([scene], "2%,98%")
    assert_allclose(whole.low, np.percentile(pixels[..., 0], 2), atol=1)
    monkeypatch.setattr("segment.core.inputs.scene_samples._WINDOW", 8)
    monkeypatch.setattr("segment.core.inputs.scene_samples._MOST_ALONG", 12)
    (sampled,) = scales([scene], "2%,98%")
    span = int(np.ptp(pixels))
    assert_allclose(sampled.low, whole.low, atol=0.06 * span)
    assert_allclose(sampled.high, whole.high, atol=0.06 * span)


def test_many_scenes_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segment.core.inputs.scene_scales.MOST_SCENES", 3)
    sources = [write(tmp_path / f"{k}.tif", noise(1000 + k, 2000, seed=k)) for k in range(7)]
    found = scales(sources)
    assert len(set(found)) == 1
    assert "of 3 scenes" in found[0].note


def test_checks_need_no_pixels(tmp_path: Path) -> None:
    path = write_raster(
        tmp_path / "deep.tif",
        noise(0, 9000, size=64),
        tiled=True,
        blockxsize=16,
        blockysize=16,
        compress="deflate",
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    (planned,) = SceneScales.of("auto", RGB).planned([Source(path)])
    with planned.open() as raster:
        assert raster.dtype == np.uint8


def test_scaled_rasters(tmp_path: Path) -> None:
    pixels = noise(-500, 3000, "int16", size=64)
    pixels[:9] = -9999
    scene = write(tmp_path / "scene.tif", pixels, nodata=-9999)
    with rasterio.open(scene.path, "r+") as file:
        file.build_overviews([2, 4], rasterio.enums.Resampling.average)
    scale = BandScale((0.0,) * 3, (2550.0,) * 3, "int16", "why")
    with scene.open() as plain, Source(scene.path, scale=scale).open() as scaled:
        found, valid = scaled.read()
        assert found.dtype == scaled.dtype == np.uint8 and scaled.info.dtype == "uint8"
        assert_array_equal(valid, plain.read()[1])
        assert not valid[:9].any() and not found[:9].any() and valid[9:].all()
        assert_array_equal(found[9:], np.rint((pixels[9:] / 10).clip(0, 255)))
        assert_array_equal(scaled.read(5, 7, 30, 20)[0], found[5:35, 7:27])
        assert scaled.identity != plain.identity and scaled.likeness != plain.likeness
        assert scaled.notes[-1] == scale.note
        reduced = read_reduced(scaled, 16, 16)
        assert reduced.dtype == np.uint8
        assert_allclose(reduced[3:], scale.apply(read_reduced(plain, 16, 16))[3:], atol=1)
    upright = np.ascontiguousarray(noise(0, 60000, size=9))
    png = write(tmp_path / "deep.png", upright)
    with Source(png.path, scale=scale).open() as raster:
        assert_array_equal(read_reduced(raster, 9, 9), scale.apply(upright))


def test_palettes_are_left_alone(tmp_path: Path) -> None:
    source = write(tmp_path / "palette.png", np.zeros((9, 9, 1), np.uint8))
    with rasterio.open(source.path) as file:
        profile = file.profile | {"photometric": "palette"}
    path = tmp_path / "palette.tif"
    with rasterio.open(path, "w", **(profile | {"driver": "GTiff"})) as file:
        file.write(np.zeros((1, 9, 9), np.uint8))
        file.write_colormap(1, {0: (1, 2, 3)})
    assert scales([Source(path)], "0,9", ModelPixels(1, "uint8")) == [None]


def test_the_scale_of_a_training(tmp_path: Path) -> None:
    deep = [write(tmp_path / f"{k}.tif", noise(100, 500, seed=k)) for k in range(3)]
    plain = write(tmp_path / "plain.tif", noise(0, 255, "uint8"))
    lines = Lines()
    scale = choose_one_scale([*deep, plain], "auto", RGB, lines)
    assert scale and scale.dtype == "uint16" and lines.lines == [f"note: {scale.note}"]
    assert choose_one_scale([plain], "auto", RGB, lines) is None
    assert choose_one_scale(deep, "never", RGB, lines) is None
    with pytest.raises(InputError, match=r"data\.scale: images are of uint16 and uint8"):
        choose_one_scale([*deep, plain], "0,3000", RGB, lines)
    with pytest.raises(InputError, match=r"data\.scale: 'x' is unknown"):
        choose_one_scale(deep, "x", RGB, lines)


def test_scenes_of_other_bands_are_left_alone(tmp_path: Path) -> None:
    deep = noise(100, 500)
    fit = write(tmp_path / "fit.tif", deep)
    (expected,) = scales([fit])
    less = write(tmp_path / "less.tif", deep[..., :2] + 9000)
    assert scales([less, fit]) == [None, expected]
    assert scales([less], "0,9") == [None]
    chosen = Source(less.path, bands=(1, 2, 2))
    assert scales([chosen], "0,9")[0].high == (9.0,) * 3
